// Compiles local_reply_config. Document: HttpConnectionManager.local_reply_config.

import type { SubstitutionFormatString } from '../../../../../xds-protos/generated/envoy/config/core/v3.ts';
import type {
  LocalReplyConfig,
  ResponseMapper,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { wrapperValue } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext } from '../../../../api/registry.ts';
import { compileAccessLogFilter } from '../../../../common/access_log/access_log_filter.ts';
import { compileSubstitutionFormatString } from '../../../../common/formatter/substitution_formatter.ts';
import { type BodyFormat, LocalReply, type LocalReplyMapper } from '../../../../common/http/local_reply.ts';
import { compileHeaderParser } from '../../../../common/router/header_parser.ts';

export function compileLocalReply(
  config: LocalReplyConfig | undefined,
  context: FactoryContext,
  path: string,
): LocalReply {
  if (config === undefined) return new LocalReply([], undefined);
  const mappers = config.mappers.map((mapper, index) =>
    compileMapper(mapper, context, at(at(path, 'mappers'), index)),
  );
  return new LocalReply(mappers, compileFormat(config.body_format, context, at(path, 'body_format')));
}

function compileMapper(mapper: ResponseMapper, context: FactoryContext, path: string): LocalReplyMapper {
  if (mapper.filter === undefined) throw new ConfigError(at(path, 'filter'), 'value is required');
  const body = mapper.body;
  if (body !== undefined && body.inline_string === undefined && body.inline_bytes === undefined) {
    throw new ConfigError(at(path, 'body'), 'only inline_string and inline_bytes are supported');
  }
  const text =
    body?.inline_string ??
    (body?.inline_bytes === undefined ? undefined : Buffer.from(body.inline_bytes).toString('latin1'));
  return {
    filter: compileAccessLogFilter(mapper.filter, context, at(path, 'filter')),
    statusCode: wrapperValue(mapper.status_code),
    body: text,
    headers: compileHeaderParser(
      mapper.headers_to_add,
      [],
      context,
      at(path, 'headers_to_add'),
      'response_headers',
    ),
    bodyFormat: compileFormat(mapper.body_format_override, context, at(path, 'body_format_override')),
  };
}

function compileFormat(
  format: SubstitutionFormatString | undefined,
  context: FactoryContext,
  path: string,
): BodyFormat | undefined {
  if (format === undefined) return undefined;
  const json = format.json_format !== undefined;
  return {
    formatter: compileSubstitutionFormatString(format, context, path),
    contentType: format.content_type || (json ? 'application/json' : 'text/plain'),
  };
}
