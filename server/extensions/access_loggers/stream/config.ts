// envoy.access_loggers.stdout and stderr. Envoy: source/extensions/access_loggers/stream/config.cc.

import type * as stream from '../../../../xds-protos/generated/envoy/extensions/access_loggers/stream/v3.ts';
import type { AccessLog, AccessLogFilter } from '../../../api/access_log.ts';
import { at } from '../../../api/config_error.ts';
import type { AccessLoggerFactory, FactoryContext } from '../../../api/registry.ts';
import { FileAccessLog, openLogFile } from '../../../common/access_log/access_log_config.ts';
import {
  compileFormat,
  compileSubstitutionFormatString,
  DEFAULT_FORMAT,
} from '../../../common/formatter/substitution_formatter.ts';

function compileStream(
  device: '/dev/stdout' | '/dev/stderr',
  config: stream.StdoutAccessLog,
  filter: AccessLogFilter | undefined,
  context: FactoryContext,
  path: string,
): AccessLog {
  const formatter =
    config.log_format === undefined
      ? compileFormat(DEFAULT_FORMAT, context, path)
      : compileSubstitutionFormatString(config.log_format, context, at(path, 'log_format'));
  return new FileAccessLog(openLogFile(device, context, path), filter, formatter);
}

export const stdoutAccessLogger: AccessLoggerFactory<stream.StdoutAccessLog> = {
  compile: (config, filter, context, path) => compileStream('/dev/stdout', config, filter, context, path),
};

export const stderrAccessLogger: AccessLoggerFactory<stream.StderrAccessLog> = {
  compile: (config, filter, context, path) => compileStream('/dev/stderr', config, filter, context, path),
};
