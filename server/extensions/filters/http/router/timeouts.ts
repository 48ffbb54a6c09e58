// How long a request may take: the route's timeout, what the client's headers ask for, and gRPC's own header.
// Follows Envoy's FilterUtility::finalTimeout (source/common/router/router.cc); docs: http_filters/router_filter.

import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { RouteEntry } from '../../../../api/router.ts';
import { grpcTimeoutMs } from '../../../../common/http/grpc_timeout.ts';
import { isGrpc } from '../../../../common/http/local_reply.ts';

/** ms each; 0 = none. */
export interface Timeouts {
  global: number;
  perTry: number;
  perTryIdle: number;
  /** What an internal client allows the upstream's stream; undefined: the cluster's limit holds. */
  upstreamStreamDuration: number | undefined;
  /** After the per-try timeout the attempt goes on beside the next one. */
  hedgeOnPerTryTimeout: boolean;
}

/** Of the router. */
export interface TimeoutSettings {
  readonly suppressEnvoyHeaders: boolean;
  readonly respectExpectedRequestTimeout: boolean;
}

/** Reads and removes the timeout headers of a request, and tells the upstream how long it has. */
export function finalTimeouts(
  route: RouteEntry,
  headers: RequestHeaderMap,
  { suppressEnvoyHeaders, respectExpectedRequestTimeout: respectExpected }: TimeoutSettings,
): Timeouts {
  const retry = route.retryPolicy;
  const timeouts: Timeouts = {
    // A route that limits its streams' duration is not limited a second time.
    global:
      route.maxStreamDurationMs === undefined && route.grpcTimeoutHeaderMaxMs === undefined
        ? route.timeoutMs
        : 0,
    perTry: retry?.perTryTimeoutMs ?? 0,
    perTryIdle: retry?.perTryIdleTimeoutMs ?? 0,
    upstreamStreamDuration: wholeNumber(headers.get('x-envoy-upstream-stream-duration-ms')),
    hedgeOnPerTryTimeout: hedging(headers) ?? route.hedgeOnPerTryTimeout,
  };
  const grpc = route.maxGrpcTimeoutMs !== undefined && isGrpc(headers);
  if (grpc) {
    let timeout = grpcTimeoutMs(headers) ?? 0;
    if (route.maxGrpcTimeoutMs !== 0 && (timeout === 0 || timeout > route.maxGrpcTimeoutMs!))
      timeout = route.maxGrpcTimeoutMs!;
    if (timeout > route.grpcTimeoutOffsetMs) timeout -= route.grpcTimeoutOffsetMs;
    timeouts.global = timeout;
  }
  const expected = respectExpected ? headers.get('x-envoy-expected-rq-timeout-ms') : undefined;
  const asked = wholeNumber(expected) ?? wholeNumber(headers.get('x-envoy-upstream-rq-timeout-ms'));
  if (asked !== undefined) timeouts.global = asked;
  headers.remove('x-envoy-upstream-rq-timeout-ms');
  headers.remove('x-envoy-upstream-stream-duration-ms');
  headers.remove('x-envoy-hedge-on-per-try-timeout');
  const perTry = wholeNumber(headers.get('x-envoy-upstream-rq-per-try-timeout-ms'));
  if (perTry !== undefined) timeouts.perTry = perTry;
  headers.remove('x-envoy-upstream-rq-per-try-timeout-ms');
  if (timeouts.global !== 0 && timeouts.perTry >= timeouts.global) timeouts.perTry = 0;
  tellTimeout(timeouts, 0, headers, suppressEnvoyHeaders, grpc);
  return timeouts;
}

/** Tells the upstream how long it has, `elapsedMs` after the request was complete. */
export function tellTimeout(
  { global, perTry, hedgeOnPerTryTimeout }: Timeouts,
  elapsedMs: number,
  headers: RequestHeaderMap,
  suppressEnvoyHeaders: boolean,
  grpc: boolean,
): void {
  // An attempt that is hedged has all the time there is.
  let tell = perTry > 0 && !hedgeOnPerTryTimeout ? perTry : global;
  if (tell === 0) return;
  // 0 would be no limit at all.
  if (global > 0) tell = elapsedMs >= global ? 1 : Math.min(tell, Math.ceil(global - elapsedMs));
  if (!suppressEnvoyHeaders) headers.set('x-envoy-expected-rq-timeout-ms', textOf(tell));
  if (grpc && headers.has('grpc-timeout')) headers.set('grpc-timeout', `${Math.ceil(tell)}m`);
}

let lastTold = 0;
let lastText = '0';

/** Mostly the same number as the last time: the route's. */
function textOf(ms: number): string {
  if (ms !== lastTold) {
    lastTold = ms;
    lastText = String(ms);
  }
  return lastText;
}

function hedging(headers: RequestHeaderMap): boolean | undefined {
  const value = headers.get('x-envoy-hedge-on-per-try-timeout');
  return value === 'true' || value === 'false' ? value === 'true' : undefined;
}

function wholeNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
