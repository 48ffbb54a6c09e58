// What is kept of a request that ended: plain JSON, which leaves the worker as text. It refers to nothing of the stream, so that
// no configuration, header block or certificate stays in memory because of it.

import type { LogContext } from '../../api/access_log.ts';
import type { HeaderMap } from '../../api/http/header_map.ts';
import { ResponseFlag, type SslConnectionInfo, type StreamInfo } from '../../api/stream_info.ts';
import { DEFAULT_PRIORITY } from '../../api/upstream/cluster.ts';
import { attemptsOf, type GivenUpAttempt } from '../stream_info/attempt_log.ts';
import { responseFlagsToShortString } from '../stream_info/response_flags.ts';
import type { BreakerUse } from '../upstream/resource_manager.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import { type Phase, phasesOf } from './phases.ts';
import { redactedPath, redactedValue } from './redacted_headers.ts';

/** Why it was kept. */
export type CaptureSet = 'failed' | 'slow' | 'live';

/** What somebody watches. */
export interface CaptureSettings {
  /** `Date.now()` ms at which it ends by itself. */
  readonly until: number;
  readonly maxPerSecond: number;
  /** 0 to 100. */
  readonly samplePercent: number;
  readonly filter: CaptureFilter;
}

/** All that are given must hold. */
export interface CaptureFilter {
  readonly authority?: string;
  readonly path_prefix?: string;
  readonly method?: string;
  readonly cluster?: string;
  readonly route?: string;
  readonly min_status?: number;
  /** Only what would be kept as failed. */
  readonly failed_only?: boolean;
}

export interface Header {
  readonly name: string;
  readonly value: string;
}

/** What refuses a request as UO: too many pools are no overflow, but no healthy upstream. */
export type RequestBreakers = Omit<BreakerUse, 'cx_pools'>;

/** Names and texts are '' where there is none. Names of fields are those of the JSON interface. */
export interface CapturedRequest {
  /** Of the worker and its count: `0-17`. */
  readonly id: string;
  readonly set: CaptureSet;
  readonly worker: number;
  /** When it began, ms since 1970. */
  readonly at: number;
  readonly duration_ms: number;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** After the route's rewrites. */
  readonly upstream_authority: string;
  readonly upstream_path: string;
  /** `TCP`: a connection that carried no requests. */
  readonly protocol: string;
  readonly request_id: string;
  readonly trace_id: string;
  readonly listener: string;
  readonly filter_chain: string;
  readonly connection_id: number;
  readonly client: string;
  readonly local: string;
  readonly server_name: string;
  readonly alpn: readonly string[];
  readonly tls: string;
  readonly peer: string;
  readonly route_config: string;
  readonly virtual_host: string;
  readonly route: string;
  readonly cluster: string;
  readonly host: string;
  /** 0: no response was begun. */
  readonly status: number;
  readonly grpc_status: string;
  readonly flags: readonly string[];
  readonly details: string;
  readonly termination_details: string;
  readonly transport_failure: string;
  /** Of one that was refused by a circuit breaker (UO): what was in use then. */
  readonly breakers?: RequestBreakers;
  readonly attempts: number;
  readonly attempt_log: readonly GivenUpAttempt[];
  readonly upstream_protocol: string;
  readonly upstream_local: string;
  readonly upstream_connection_id: number;
  readonly upstream_tls: string;
  readonly upstream_peer: string;
  readonly bytes_received: number;
  readonly bytes_sent: number;
  readonly phases: readonly Phase[];
  readonly request_headers: readonly Header[];
  readonly response_headers: readonly Header[];
  /** Headers or texts were longer than what is kept of them. */
  readonly truncated: boolean;
}

/** Enough for a path with its query; a record stays below some 40 KB whatever a client sends. */
const MAX_TEXT = 1024;
const MAX_HEADERS = 48;
const MAX_HEADER_VALUE = 256;

/** The record of the stream that is ending, as JSON of a CapturedRequest. */
export function captureRequest(
  { requestHeaders, responseHeaders, responseTrailers, streamInfo: info }: LogContext,
  set: CaptureSet,
  worker: number,
  number: number,
): string {
  const { connection, route, upstreamHost } = info;
  const request = requestHeaders;
  let truncated = false;
  const text = (value: string | undefined): string => {
    if (value === undefined || value.length <= MAX_TEXT) return value ?? '';
    truncated = true;
    return value.slice(0, MAX_TEXT);
  };
  const headers = (map: HeaderMap | undefined): Header[] => {
    const list = map?.list ?? [];
    const kept: Header[] = [];
    for (let i = 0; i < list.length && kept.length < MAX_HEADERS; i += 2) {
      const value = redactedValue(list[i] as string, list[i + 1] as string);
      if (value.length > MAX_HEADER_VALUE) truncated = true;
      kept.push({
        name: (list[i] as string).slice(0, MAX_HEADER_VALUE),
        value: value.slice(0, MAX_HEADER_VALUE),
      });
    }
    if (list.length > 2 * MAX_HEADERS) truncated = true;
    return kept;
  };
  const record: Omit<CapturedRequest, 'truncated'> = {
    id: `${worker}-${number}`,
    set,
    worker,
    at: info.startTime,
    duration_ms: rounded(info.requestComplete - info.startTimeMonotonic),
    method: text(request?.method),
    scheme: text(request?.scheme),
    authority: text(request?.get('x-envoy-original-host') ?? request?.host),
    path: text(redactedPath(request?.get('x-envoy-original-path') ?? request?.path ?? '')),
    upstream_authority: text(request?.host),
    upstream_path: text(redactedPath(request?.path ?? '')),
    protocol: info.protocol === '' ? 'TCP' : info.protocol,
    request_id: text(info.requestId),
    trace_id: text(info.traceId),
    listener: connection.listenerName,
    filter_chain: connection.filterChainName,
    connection_id: connection.id,
    client: info.remoteAddress.text,
    local: connection.localAddress.text,
    server_name: text(connection.requestedServerName),
    alpn: connection.requestedApplicationProtocols.slice(0, MAX_ALPN),
    tls: connection.ssl?.tlsVersion ?? '',
    peer: text(peerName(connection.ssl)),
    route_config: route?.routeConfigName ?? '',
    virtual_host: info.virtualHostName,
    route: info.routeName,
    cluster: info.upstreamClusterName,
    host: upstreamHost?.address.text ?? '',
    status: info.responseCode,
    grpc_status: text(responseTrailers?.get('grpc-status') ?? responseHeaders?.get('grpc-status')),
    flags: info.responseFlags === 0 ? [] : responseFlagsToShortString(info.responseFlags).split(','),
    details: text(info.responseCodeDetails),
    termination_details: text(info.connectionTerminationDetails),
    transport_failure: text(info.upstreamTransportFailureReason),
    ...((info.responseFlags & ResponseFlag.UpstreamOverflow) !== 0 && { breakers: breakersOf(info) }),
    attempts: info.upstreamRequestAttemptCount,
    attempt_log: attemptsOf(info),
    upstream_protocol: info.upstreamProtocol,
    upstream_local: info.upstreamConnection?.localAddress.text ?? '',
    upstream_connection_id: info.upstreamConnection?.id ?? 0,
    upstream_tls: info.upstreamConnection?.ssl?.tlsVersion ?? '',
    upstream_peer: text(peerName(info.upstreamConnection?.ssl)),
    bytes_received: info.bytesReceived,
    bytes_sent: info.bytesSent,
    phases: phasesOf(info),
    request_headers: headers(request),
    response_headers: headers(responseHeaders),
  };
  return JSON.stringify({ ...record, truncated });
}

/** Protocols that a ClientHello offers. */
const MAX_ALPN = 8;

function breakersOf({ upstreamCluster, route }: StreamInfo): RequestBreakers {
  const cluster = upstreamCluster as ThreadLocalCluster;
  const { cx, pending, rq, retries } = cluster
    .resourceManager(route?.routeEntry?.priority ?? DEFAULT_PRIORITY)
    .use();
  return { cx, pending, rq, retries };
}

function peerName(ssl: SslConnectionInfo | undefined): string {
  if (ssl === undefined) return '';
  return ssl.uriSanPeer[0] ?? ssl.dnsSanPeer[0] ?? ssl.subjectPeer;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
