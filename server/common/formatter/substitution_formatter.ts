// Compiles format strings and SubstitutionFormatString: what access logs, local replies and header mutations print.
// Envoy: source/common/formatter/substitution_formatter.cc, substitution_format_string.cc; the operators are listed in
// https://www.envoyproxy.io/docs/envoy/latest/configuration/advanced/substitution_formatter.

import { readFileSync } from 'node:fs';
import type * as core from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';
import type { Formatter, LogContext } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { type CommandParser, type FormatterProvider, PlainString } from './formatter_provider.ts';
import { JsonFormatter } from './json_formatter.ts';
import { parseFormat } from './substitution_format_parser.ts';

/** Envoy's line where an access log has no format. */
export const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

const NO_PARSERS: readonly CommandParser[] = [];

/** A compiled text format. What it prints is byte text: write it as latin1. */
export class TextFormatter implements Formatter {
  private readonly providers: readonly FormatterProvider[];
  private readonly emptyValue: string;

  constructor(providers: readonly FormatterProvider[], omitEmptyValues: boolean) {
    this.providers = providers;
    this.emptyValue = omitEmptyValues ? '' : '-';
  }

  /** The text where the format has no operators, so that a caller may skip formatting. */
  get constant(): string | undefined {
    const [first] = this.providers;
    return this.providers.length === 1 && first instanceof PlainString ? first.text : undefined;
  }

  format(context: LogContext): string {
    let text = '';
    for (const provider of this.providers) text += provider.format(context) ?? this.emptyValue;
    return text;
  }
}

/** Compiles a format string. Throws ConfigError at `path` in Envoy's words. A missing value prints `-`, or nothing when omitted. */
export function compileFormat(
  format: string,
  context: FactoryContext,
  path: string,
  options: { readonly omitEmptyValues?: boolean; readonly parsers?: readonly CommandParser[] } = {},
): TextFormatter {
  const providers = parseFormat(format, context, path, options.parsers ?? NO_PARSERS);
  return new TextFormatter(providers, options.omitEmptyValues ?? false);
}

/** Compiles a JSON structure whose strings are formats (FileAccessLog.json_format and SubstitutionFormatString.json_format). */
export function compileJsonFormat(
  structure: { readonly fields: Parameters<typeof structToJson>[0]['fields'] },
  context: FactoryContext,
  path: string,
  options: { readonly omitEmptyValues?: boolean; readonly parsers?: readonly CommandParser[] } = {},
): Formatter {
  const parsers = options.parsers ?? NO_PARSERS;
  return new JsonFormatter(structToJson(structure), options.omitEmptyValues ?? false, (format) =>
    parseFormat(format, context, path, parsers),
  );
}

/** Compiles a SubstitutionFormatString. Its `content_type` is read by whoever sends the text (local replies). */
export function compileSubstitutionFormatString(
  config: core.SubstitutionFormatString,
  context: FactoryContext,
  path: string,
): Formatter {
  const parsers = compileCommandParsers(config.formatters, context, at(path, 'formatters'));
  const options = { omitEmptyValues: config.omit_empty_values, parsers };
  if (config.json_format !== undefined) {
    return compileJsonFormat(config.json_format, context, at(path, 'json_format'), options);
  }
  if (config.text_format_source !== undefined) {
    const source = at(path, 'text_format_source');
    return compileFormat(readText(config.text_format_source, source), context, source, options);
  }
  return compileFormat(config.text_format ?? '', context, at(path, 'text_format'), options);
}

/** The commands that `envoy.formatter` extensions bring. Throws ConfigError. */
export function compileCommandParsers(
  extensions: readonly core.TypedExtensionConfig[],
  context: FactoryContext,
  path: string,
): readonly CommandParser[] {
  return extensions.map((extension, i) => compileParser(extension, context, at(path, i)));
}

function compileParser(
  extension: core.TypedExtensionConfig,
  context: FactoryContext,
  path: string,
): CommandParser {
  const { factory, config } = context.registry.resolve(
    'envoy.formatter',
    extension.name,
    extension.typed_config,
    path,
  );
  return factory.compile(config, context, path) as CommandParser;
}

function readText(source: core.DataSource, path: string): string {
  if (source.inline_string !== undefined) return source.inline_string;
  if (source.inline_bytes !== undefined) return Buffer.from(source.inline_bytes).toString('utf8');
  if (source.environment_variable !== undefined) {
    const value = process.env[source.environment_variable];
    if (value !== undefined) return value;
    throw new ConfigError(path, `Environment variable doesn't exist: ${source.environment_variable}`);
  }
  try {
    return readFileSync(source.filename ?? '', 'utf8');
  } catch (error) {
    throw new ConfigError(path, `Invalid path: ${source.filename}: ${(error as Error).message}`);
  }
}
