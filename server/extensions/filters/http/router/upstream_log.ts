// The router's upstream_log: an entry per upstream request. Envoy: UpstreamRequest::upstreamLog.

import type { AccessLog } from '../../../../api/access_log.ts';
import type { StreamDecoderFilterCallbacks } from '../../../../api/http/filter.ts';

export function logUpstream(logs: readonly AccessLog[], callbacks: StreamDecoderFilterCallbacks): void {
  const context = {
    requestHeaders: callbacks.requestHeaders,
    responseHeaders: undefined,
    responseTrailers: undefined,
    streamInfo: callbacks.streamInfo,
    localReplyBody: '',
    accessLogType: 'UpstreamEnd' as const,
  };
  for (const log of logs) log.log(context);
}
