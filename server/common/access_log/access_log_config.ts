// Compiles the `access_log` lists of connection managers, tcp_proxy and listeners. Envoy: AccessLogFactory::fromProto.

import type * as accesslog from '../../../xds-protos/generated/envoy/config/accesslog/v3.ts';
import type { AccessLog, AccessLogFilter, Formatter, LogContext } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext, LogFile } from '../../api/registry.ts';
import { compileAccessLogFilter } from './access_log_filter.ts';

/** One AccessLog per entry, filters included. `path` is the list's. Throws ConfigError. */
export function compileAccessLogs(
  list: readonly accesslog.AccessLog[],
  context: FactoryContext,
  path: string,
): readonly AccessLog[] {
  return Object.freeze(list.map((config, i) => compileAccessLog(config, context, at(path, i))));
}

function compileAccessLog(config: accesslog.AccessLog, context: FactoryContext, path: string): AccessLog {
  const filter =
    config.filter === undefined
      ? undefined
      : compileAccessLogFilter(config.filter, context, at(path, 'filter'));
  const typedPath = at(path, 'typed_config');
  const { factory, config: message } = context.registry.resolve(
    'envoy.access_loggers',
    config.name,
    config.typed_config,
    typedPath,
  );
  return factory.compile(message, filter, context, typedPath);
}

/** An access log that writes formatted lines to a file: the file and the stream loggers. */
export class FileAccessLog implements AccessLog {
  private readonly file: LogFile;
  private readonly filter: AccessLogFilter | undefined;
  private readonly formatter: Formatter;

  constructor(file: LogFile, filter: AccessLogFilter | undefined, formatter: Formatter) {
    this.file = file;
    this.filter = filter;
    this.formatter = formatter;
  }

  log(context: LogContext): void {
    if (this.filter === undefined || this.filter.evaluate(context))
      this.file.write(this.formatter.format(context));
  }
}

/** Opens a log file, naming the field where it cannot be. */
export function openLogFile(name: string, context: FactoryContext, path: string): LogFile {
  try {
    return context.logFiles.open(name);
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(path, error.reason) : error;
  }
}
