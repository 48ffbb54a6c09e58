// Values of OpenTelemetry whose texts are formats: the body of a log record and its attributes.
// Envoy: source/extensions/access_loggers/open_telemetry/substitution_formatter.cc; its message is kept.

import type * as otel from '../../../../xds-protos/generated/opentelemetry/proto/common/v1.ts';
import type { Formatter, LogContext } from '../../../api/access_log.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import { isAscii } from '../../../common/matcher/latin1.ts';

/** Compiles a format. */
export type CompileText = (format: string, path: string) => Formatter;

/** The value for one stream, as a message. */
export type FormattedValue = (context: LogContext) => object;

/** Throws ConfigError. */
export function compileValue(value: otel.AnyValue, compile: CompileText, path: string): FormattedValue {
  if (value.string_value !== undefined) {
    const formatter = compile(value.string_value, at(path, 'string_value'));
    return (context) => ({ string_value: unicode(formatter.format(context)) });
  }
  if (value.kvlist_value !== undefined) {
    const list = compileKeyValues(value.kvlist_value, compile, at(path, 'kvlist_value'));
    return (context) => ({ kvlist_value: { values: list(context) } });
  }
  if (value.array_value !== undefined) {
    const values = value.array_value.values.map((each, i) =>
      compileValue(each, compile, at(at(path, 'array_value.values'), i)),
    );
    return (context) => ({ array_value: { values: values.map((each) => each(context)) } });
  }
  throw new ConfigError(
    path,
    'Only string values, nested key value lists and array values are supported in OpenTelemetry access log format.',
  );
}

/** Throws ConfigError. */
export function compileKeyValues(
  { values }: otel.KeyValueList,
  compile: CompileText,
  path: string,
): (context: LogContext) => object[] {
  const compiled = values.map(({ key, value }, i) => {
    const where = at(at(path, 'values'), i);
    if (value === undefined) throw new ConfigError(at(where, 'value'), 'value is required');
    return { key, value: compileValue(value, compile, at(where, 'value')) };
  });
  return (context) => compiled.map(({ key, value }) => ({ key, value: value(context) }));
}

/** Lines are bytes, a character each; the message is UTF-8. */
export function unicode(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}
