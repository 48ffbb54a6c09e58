// What an attempt after the first tells the upstream of itself, and what clients are told of all of them.
// Envoy: Filter::doRetry and Filter::onUpstreamHeaders (source/common/router/router.cc).

import type { LocalReplyOptions } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { Route, RouteEntry } from '../../../../api/router.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import { isGrpc } from '../../../../common/http/local_reply.ts';
import { type Timeouts, tellTimeout } from './timeouts.ts';

/** `elapsedMs`: since the request was complete, which is what its timeout counts from. */
export function tellRetry(
  headers: RequestHeaderMap,
  entry: RouteEntry,
  attempts: number,
  isTimeoutRetry: boolean,
  timeouts: Timeouts,
  elapsedMs: number,
  suppressEnvoyHeaders: boolean,
): void {
  if (entry.includeAttemptCountInRequest) headers.set('x-envoy-attempt-count', String(attempts));
  if (entry.includeTimeoutRetryHeader) headers.set('x-envoy-is-timeout-retry', String(isTimeoutRetry));
  const grpc = entry.maxGrpcTimeoutMs !== undefined && isGrpc(headers);
  tellTimeout(timeouts, elapsedMs, headers, suppressEnvoyHeaders, grpc);
}

/** `serviceMs`: from the end of the request to its answer, undefined where that came first. */
export function addEnvoyHeaders(
  headers: ResponseHeaderMap,
  entry: RouteEntry,
  serviceMs: number | undefined,
  attempts: number,
): void {
  if (serviceMs !== undefined) headers.set('x-envoy-upstream-service-time', String(Math.trunc(serviceMs)));
  if (entry.includeAttemptCountInResponse) headers.set('x-envoy-attempt-count', String(attempts));
}

/** What answers of the router's own have beside their text. `overloaded`: the client is told so. */
export function localReplyOptions(
  entry: RouteEntry,
  route: Route,
  attempts: number,
  request: RequestHeaderMap,
  info: StreamInfo,
  overloaded: boolean,
): LocalReplyOptions {
  return {
    modifyHeaders: (headers) => {
      if (overloaded) headers.set('x-envoy-overloaded', 'true');
      addEnvoyHeaders(headers, entry, undefined, attempts);
      route.finalizeResponseHeaders(headers, request, info);
    },
  };
}
