// envoy.access_loggers.file. Envoy: source/extensions/access_loggers/file/config.cc.

import type * as file from '../../../../xds-protos/generated/envoy/extensions/access_loggers/file/v3.ts';
import type { Formatter } from '../../../api/access_log.ts';
import { at } from '../../../api/config_error.ts';
import type { AccessLoggerFactory, FactoryContext } from '../../../api/registry.ts';
import { FileAccessLog, openLogFile } from '../../../common/access_log/access_log_config.ts';
import {
  compileFormat,
  compileJsonFormat,
  compileSubstitutionFormatString,
  DEFAULT_FORMAT,
} from '../../../common/formatter/substitution_formatter.ts';

export const fileAccessLogger: AccessLoggerFactory<file.FileAccessLog> = {
  compile(config, filter, context, path) {
    const formatter = compileFormatter(config, context, path);
    return new FileAccessLog(openLogFile(config.path, context, at(path, 'path')), filter, formatter);
  },
};

function compileFormatter(config: file.FileAccessLog, context: FactoryContext, path: string): Formatter {
  if (config.log_format !== undefined) {
    return compileSubstitutionFormatString(config.log_format, context, at(path, 'log_format'));
  }
  if (config.typed_json_format !== undefined) {
    return compileJsonFormat(config.typed_json_format, context, at(path, 'typed_json_format'));
  }
  if (config.json_format !== undefined) {
    return compileJsonFormat(config.json_format, context, at(path, 'json_format'));
  }
  return compileFormat(config.format || DEFAULT_FORMAT, context, at(path, 'format'));
}
