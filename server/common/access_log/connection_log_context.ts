// What access logs and formatters get of a connection that carries no HTTP.
// Envoy: Formatter::Context (source/common/formatter/http_formatter_context.h), of which a connection fills only the stream info.

import type { AccessLogType, LogContext } from '../../api/access_log.ts';
import type { StreamInfo } from '../../api/stream_info.ts';

export function connectionLogContext(
  streamInfo: StreamInfo,
  accessLogType: AccessLogType = 'NotSet',
): LogContext {
  return {
    requestHeaders: undefined,
    responseHeaders: undefined,
    responseTrailers: undefined,
    streamInfo,
    localReplyBody: '',
    accessLogType,
  };
}
