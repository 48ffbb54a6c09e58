// What all entries of an access log service have in common: addresses, times, TLS, flags, metadata.
// Envoy: source/extensions/access_loggers/grpc/grpc_access_log_utils.cc; document: data.accesslog.v3.AccessLogCommon.

import { fromJson, type Json } from '../../../../xds-protos/json.ts';
import { create, encodeAny } from '../../../../xds-protos/load.ts';
import { durationOf, timestampOf } from '../../../../xds-protos/well_known.ts';
import type { LogContext } from '../../../api/access_log.ts';
import {
  type Address,
  type FilterStateObject,
  ResponseFlag,
  type SslConnectionInfo,
  type StreamInfo,
} from '../../../api/stream_info.ts';
import type { CustomTag } from '../../../api/tracing.ts';
import { RequestHeaders } from '../../../common/http/header_map.ts';
import { isAscii } from '../../../common/matcher/latin1.ts';
import { cipherSuiteId } from '../../../common/tls/cipher_suite_id.ts';

export interface CommonSettings {
  readonly filterStateObjects: readonly string[];
  readonly customTags: readonly CustomTag[];
}

/** Fields of ResponseFlags; `unauthorized_details` is none of them. */
const FLAGS: readonly (readonly [number, string])[] = [
  [ResponseFlag.FailedLocalHealthCheck, 'failed_local_healthcheck'],
  [ResponseFlag.NoHealthyUpstream, 'no_healthy_upstream'],
  [ResponseFlag.UpstreamRequestTimeout, 'upstream_request_timeout'],
  [ResponseFlag.LocalReset, 'local_reset'],
  [ResponseFlag.UpstreamRemoteReset, 'upstream_remote_reset'],
  [ResponseFlag.UpstreamConnectionFailure, 'upstream_connection_failure'],
  [ResponseFlag.UpstreamConnectionTermination, 'upstream_connection_termination'],
  [ResponseFlag.UpstreamOverflow, 'upstream_overflow'],
  [ResponseFlag.NoRouteFound, 'no_route_found'],
  [ResponseFlag.DelayInjected, 'delay_injected'],
  [ResponseFlag.FaultInjected, 'fault_injected'],
  [ResponseFlag.RateLimited, 'rate_limited'],
  [ResponseFlag.RateLimitServiceError, 'rate_limit_service_error'],
  [ResponseFlag.DownstreamConnectionTermination, 'downstream_connection_termination'],
  [ResponseFlag.UpstreamRetryLimitExceeded, 'upstream_retry_limit_exceeded'],
  [ResponseFlag.StreamIdleTimeout, 'stream_idle_timeout'],
  [ResponseFlag.InvalidEnvoyRequestHeaders, 'invalid_envoy_request_headers'],
  [ResponseFlag.DownstreamProtocolError, 'downstream_protocol_error'],
  [ResponseFlag.UpstreamMaxStreamDurationReached, 'upstream_max_stream_duration_reached'],
  [ResponseFlag.ResponseFromCacheFilter, 'response_from_cache_filter'],
  [ResponseFlag.NoFilterConfigFound, 'no_filter_config_found'],
  [ResponseFlag.DurationTimeout, 'duration_timeout'],
  [ResponseFlag.UpstreamProtocolError, 'upstream_protocol_error'],
  [ResponseFlag.NoClusterFound, 'no_cluster_found'],
  [ResponseFlag.OverloadManager, 'overload_manager'],
  [ResponseFlag.DnsResolutionFailed, 'dns_resolution_failure'],
  [ResponseFlag.DownstreamRemoteReset, 'downstream_remote_reset'],
];
const TLS_VERSIONS: Readonly<Record<string, string>> = {
  TLSv1: 'TLSv1',
  'TLSv1.1': 'TLSv1_1',
  'TLSv1.2': 'TLSv1_2',
  'TLSv1.3': 'TLSv1_3',
};
/** Of data.accesslog.v3.AccessLogType; what came later than our declaration of it is its number. */
const TCP_CONNECTION_START = 14;
const NO_HEADERS = new RequestHeaders();

export function commonProperties(
  { streamInfo: info, requestHeaders, accessLogType }: LogContext,
  { filterStateObjects, customTags }: CommonSettings,
): object {
  const { connection, upstreamHost, upstreamConnection } = info;
  return {
    downstream_remote_address: addressOf(info.remoteAddress),
    downstream_direct_remote_address: addressOf(connection.directRemoteAddress),
    downstream_local_address: addressOf(connection.localAddress),
    ...tlsProperties(info),
    start_time: timestampOf(info.startTime),
    ...times(info),
    ...(upstreamHost && {
      upstream_remote_address: addressOf(upstreamHost.address),
      upstream_cluster: upstreamHost.clusterName,
    }),
    ...(upstreamConnection && { upstream_local_address: addressOf(upstreamConnection.localAddress) }),
    upstream_transport_failure_reason: info.upstreamTransportFailureReason,
    downstream_transport_failure_reason: connection.downstreamTransportFailureReason,
    route_name: info.routeName,
    upstream_request_attempt_count: info.upstreamRequestAttemptCount,
    connection_termination_details: info.connectionTerminationDetails,
    stream_id: info.requestId,
    ...(info.responseFlags !== 0 && { response_flags: responseFlags(info.responseFlags) }),
    ...(info.dynamicMetadata && { metadata: metadataOf(info.dynamicMetadata) }),
    filter_state_objects: filterState(info, filterStateObjects),
    custom_tags: tagValues(info, requestHeaders ?? NO_HEADERS, customTags),
    intermediate_log_entry: info.requestComplete === 0,
    downstream_wire_bytes_sent: BigInt(info.downstreamWireBytesSent),
    downstream_wire_bytes_received: BigInt(info.downstreamWireBytesReceived),
    upstream_wire_bytes_sent: BigInt(info.upstreamWireBytesSent),
    upstream_wire_bytes_received: BigInt(info.upstreamWireBytesReceived),
    access_log_type: accessLogType === 'TcpConnectionStart' ? TCP_CONNECTION_START : accessLogType,
  };
}

function addressOf({ ip, port, text }: Address): object {
  return ip === '' ? { pipe: { path: text } } : { socket_address: { address: ip, port_value: port } };
}

/** Since the start; what was not reached is left out. Of a connection only how long it took. */
function times(info: StreamInfo): object {
  const since = (point: number): object | undefined =>
    point === 0 ? undefined : durationOf(point - info.startTimeMonotonic);
  const duration = since(info.requestComplete);
  if (info.protocol === '') return { duration };
  return {
    duration,
    time_to_last_rx_byte: since(info.downstreamRxComplete),
    time_to_first_upstream_tx_byte: since(info.firstUpstreamTxByte),
    time_to_last_upstream_tx_byte: since(info.lastUpstreamTxByte),
    time_to_first_upstream_rx_byte: since(info.firstUpstreamRxByte),
    time_to_last_upstream_rx_byte: since(info.lastUpstreamRxByte),
    time_to_first_downstream_tx_byte: since(info.downstreamTxFirstByte),
    time_to_last_downstream_tx_byte: since(info.downstreamTxLastByte),
  };
}

function tlsProperties({ connection: { ssl, requestedServerName: sni } }: StreamInfo): object {
  if (ssl === undefined && sni === '') return {};
  return { tls_properties: { tls_sni_hostname: sni, ...(ssl && handshakeProperties(ssl)) } };
}

function handshakeProperties(ssl: SslConnectionInfo): object {
  const names = (uris: readonly string[]): object[] => uris.map((uri) => ({ uri }));
  return {
    tls_version: TLS_VERSIONS[ssl.tlsVersion] ?? 'VERSION_UNSPECIFIED',
    tls_cipher_suite: { value: cipherSuiteId(ssl.cipher) },
    tls_session_id: ssl.sessionId,
    local_certificate_properties: {
      subject_alt_name: names(ssl.uriSanLocal),
      subject: ssl.subjectLocal,
    },
    peer_certificate_properties: {
      subject_alt_name: names(ssl.uriSanPeer),
      subject: ssl.subjectPeer,
      issuer: ssl.issuerPeer,
    },
  };
}

function responseFlags(bits: number): object {
  const flags: Record<string, unknown> = {};
  for (const [bit, field] of FLAGS) if ((bits & bit) !== 0) flags[field] = true;
  if ((bits & ResponseFlag.UnauthorizedExternalService) !== 0)
    flags['unauthorized_details'] = { reason: 'EXTERNAL_SERVICE' };
  return flags;
}

function metadataOf(metadata: ReadonlyMap<string, Readonly<Record<string, unknown>>>): object {
  return { filter_metadata: Object.fromEntries([...metadata].map(([key, value]) => [key, structOf(value)])) };
}

function structOf(value: unknown): object {
  return fromJson('google.protobuf.Struct', value as Json);
}

/** Objects that can be had as a message: texts, and those with fields. */
function filterState(info: StreamInfo, names: readonly string[]): Record<string, object> {
  const objects: Record<string, object> = {};
  for (const name of names) {
    const object = info.filterState.get(name) ?? info.upstreamFilterState?.get(name);
    const any = object && anyOf(object);
    if (any !== undefined) objects[name] = any;
  }
  return objects;
}

function anyOf(object: FilterStateObject): object | undefined {
  const value = object.serializeAsJson?.();
  if (typeof value === 'string')
    return encodeAny(
      'google.protobuf.StringValue',
      create('google.protobuf.StringValue', { value: unicode(value) }),
    );
  if (typeof value !== 'object' || value === null) return undefined;
  return encodeAny('google.protobuf.Struct', structOf(value) as never);
}

function tagValues(
  info: StreamInfo,
  headers: RequestHeaders | NonNullable<LogContext['requestHeaders']>,
  tags: readonly CustomTag[],
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const { name, value } of tags) {
    const text = value(headers, info);
    if (text !== '') values[name] = unicode(text);
  }
  return values;
}

/** Headers are bytes, a character each; messages have UTF-8. Bytes that are none become `!`, as in Envoy. */
export function unicode(text: string): string {
  if (isAscii(text)) return text;
  return Buffer.from(text, 'latin1').toString('utf8').replaceAll('\ufffd', '!');
}
