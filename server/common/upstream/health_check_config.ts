// Compiles Cluster.health_checks: how hosts are asked whether they are well. Who asks is in server/main/health_checks.
// Envoy: source/extensions/health_checkers; document: config.core.v3.HealthCheck.

import type { Cluster as ClusterMessage } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  HeaderValueOption,
  HealthCheck,
  HealthCheck_GrpcHealthCheck,
  HealthCheck_HttpHealthCheck,
  HealthCheck_Payload,
  HealthCheck_TcpHealthCheck,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Int64Range } from '../../../xds-protos/generated/envoy/type/v3.ts';
import { decode, typeNameOf } from '../../../xds-protos/load.ts';
import { durationMs, structToJson, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { compileStringMatcher, type StringMatcher } from '../matcher/string_matcher.ts';

/** Source: HealthCheck.no_traffic_interval. */
const DEFAULT_NO_TRAFFIC_INTERVAL_MS = 60_000;
/** Source: HttpHealthCheck.response_buffer_size. */
const DEFAULT_RESPONSE_BUFFER_BYTES = 1024;

const FIELDS = new Set([
  'timeout',
  'interval',
  'initial_jitter',
  'interval_jitter',
  'interval_jitter_percent',
  'unhealthy_threshold',
  'healthy_threshold',
  // Envoy has the field, and no code that reads it.
  'alt_port',
  'reuse_connection',
  'http_health_check',
  'tcp_health_check',
  'grpc_health_check',
  'no_traffic_interval',
  'no_traffic_healthy_interval',
  'unhealthy_interval',
  'unhealthy_edge_interval',
  'healthy_edge_interval',
  'event_log_path',
  'event_logger',
  'always_log_health_check_failures',
  'always_log_health_check_success',
  'tls_options',
  'transport_socket_match_criteria',
]);
const HTTP_FIELDS = new Set([
  'host',
  'path',
  'send',
  'receive',
  'response_buffer_size',
  'request_headers_to_add',
  'request_headers_to_remove',
  'expected_statuses',
  'retriable_statuses',
  'codec_client_type',
  'service_name_matcher',
  'method',
]);
const TCP_FIELDS = new Set(['send', 'receive', 'proxy_protocol_config']);
const GRPC_FIELDS = new Set(['service_name', 'authority', 'initial_metadata']);
const HEADER_FIELDS = new Set(['header', 'append_action', 'keep_empty_value']);
const PROXY_PROTOCOL_FIELDS = new Set(['version']);
const NO_BODY = new Set(['GET', 'HEAD', 'DELETE', 'TRACE']);

const RAW_BUFFER = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const FILE_SINK = 'envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink';
const TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

/** [start, end) */
export type StatusRange = readonly [start: number, end: number];

export interface HttpProbeConfig {
  readonly kind: 'HTTP';
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly http2: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly headersToRemove: readonly string[];
  readonly body: Buffer | undefined;
  /** Parts that the answer must hold in this order. */
  readonly receive: readonly Buffer[];
  /** How much of an answer is looked at; 0 = all. */
  readonly responseBufferBytes: number;
  readonly expected: readonly StatusRange[];
  readonly retriable: readonly StatusRange[];
  /** What `x-envoy-upstream-healthchecked-cluster` must be; undefined: anything. */
  readonly serviceName: StringMatcher | undefined;
}

export interface TcpProbeConfig {
  readonly kind: 'TCP';
  /** Of the PROXY protocol whose header goes before each check. */
  readonly proxyProtocol: 'V1' | 'V2' | undefined;
  readonly send: Buffer | undefined;
  readonly receive: readonly Buffer[];
}

export interface GrpcProbeConfig {
  readonly kind: 'GRPC';
  readonly serviceName: string;
  readonly authority: string;
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

export type ProbeConfig = HttpProbeConfig | TcpProbeConfig | GrpcProbeConfig;

/** Times in ms. */
export interface HealthCheckConfig {
  readonly probe: ProbeConfig;
  /** Hosts may have transport sockets. */
  readonly secure: boolean;
  /** ALPN protocols instead of those of the transport socket. */
  readonly alpn: readonly string[] | undefined;
  /** Metadata that chooses the transport socket instead of the host's own. */
  readonly transportSocketMatch: Readonly<Record<string, unknown>> | undefined;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly initialJitterMs: number;
  readonly intervalJitterMs: number;
  readonly intervalJitterPercent: number;
  readonly noTrafficIntervalMs: number;
  readonly noTrafficHealthyIntervalMs: number;
  readonly unhealthyIntervalMs: number;
  readonly unhealthyEdgeIntervalMs: number;
  readonly healthyEdgeIntervalMs: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly reuseConnection: boolean;
  /** Files that get a line for each event. */
  readonly eventLogPaths: readonly string[];
  readonly alwaysLogFailures: boolean;
  readonly alwaysLogSuccess: boolean;
  /** New hosts do not count before their first check. */
  readonly ignoreNewHosts: boolean;
}

/** `http2`: the cluster speaks HTTP/2. Throws ConfigError. */
export function compileHealthCheck(
  cluster: ClusterMessage,
  http2: boolean,
  path: string,
): HealthCheckConfig | undefined {
  const [check] = cluster.health_checks;
  if (check === undefined) return undefined;
  const where = at(at(path, 'health_checks'), 0);
  if (cluster.health_checks.length > 1)
    throw new ConfigError(at(path, 'health_checks'), 'multiple health checks are not supported');
  rejectOtherFields(check, FIELDS, where);
  if (check.grpc_health_check !== undefined && !http2) {
    const reason = `${cluster.name} cluster must support HTTP/2 for gRPC healthchecking`;
    throw new ConfigError(at(where, 'grpc_health_check'), reason);
  }
  const interval = durationMs(check.interval) ?? 0;
  const noTraffic = durationMs(check.no_traffic_interval) ?? DEFAULT_NO_TRAFFIC_INTERVAL_MS;
  const unhealthy = durationMs(check.unhealthy_interval) ?? interval;
  return Object.freeze({
    probe: compileProbe(check, where),
    secure: isSecure(cluster, where),
    alpn: check.tls_options?.alpn_protocols,
    transportSocketMatch:
      check.transport_socket_match_criteria && structToJson(check.transport_socket_match_criteria),
    timeoutMs: Math.trunc(durationMs(check.timeout) ?? 0),
    intervalMs: interval,
    initialJitterMs: durationMs(check.initial_jitter) ?? 0,
    intervalJitterMs: durationMs(check.interval_jitter) ?? 0,
    intervalJitterPercent: check.interval_jitter_percent,
    noTrafficIntervalMs: noTraffic,
    noTrafficHealthyIntervalMs: durationMs(check.no_traffic_healthy_interval) ?? noTraffic,
    unhealthyIntervalMs: unhealthy,
    unhealthyEdgeIntervalMs: durationMs(check.unhealthy_edge_interval) ?? unhealthy,
    healthyEdgeIntervalMs: durationMs(check.healthy_edge_interval) ?? interval,
    unhealthyThreshold: wrapperValue(check.unhealthy_threshold) ?? 0,
    healthyThreshold: wrapperValue(check.healthy_threshold) ?? 0,
    reuseConnection: wrapperValue(check.reuse_connection) ?? true,
    eventLogPaths: eventLogPaths(check, where),
    alwaysLogFailures: check.always_log_health_check_failures,
    alwaysLogSuccess: check.always_log_health_check_success,
    ignoreNewHosts: cluster.common_lb_config?.ignore_new_hosts_until_first_hc === true,
  });
}

/** Throws ConfigError for a transport socket that checks cannot go through. */
function isSecure(cluster: ClusterMessage, path: string): boolean {
  const sockets = [
    cluster.transport_socket,
    ...cluster.transport_socket_matches.map((match) => match.transport_socket),
  ].filter(
    (socket) => socket !== undefined && typeNameOf(socket.typed_config?.type_url ?? '') !== RAW_BUFFER,
  );
  for (const socket of sockets) {
    if (typeNameOf(socket!.typed_config?.type_url ?? '') === TLS) continue;
    const reason = `health checks through the transport socket '${socket!.name}' are not supported`;
    throw new ConfigError(path, reason);
  }
  return sockets.length > 0;
}

function eventLogPaths({ event_log_path: own, event_logger: sinks }: HealthCheck, path: string): string[] {
  const paths = sinks.map(({ name, typed_config: config }, i) => {
    const where = at(at(path, 'event_logger'), i);
    if (typeNameOf(config?.type_url ?? '') !== FILE_SINK) {
      const reason = `Didn't find a registered implementation for '${name}' with type URL: '${config?.type_url ?? ''}'`;
      throw new ConfigError(where, reason);
    }
    return decode(FILE_SINK, config!.value).event_log_path;
  });
  return own === '' ? paths : [own, ...paths];
}

function compileProbe(check: HealthCheck, path: string): ProbeConfig {
  if (check.http_health_check !== undefined)
    return compileHttp(check.http_health_check, at(path, 'http_health_check'));
  if (check.tcp_health_check !== undefined)
    return compileTcp(check.tcp_health_check, at(path, 'tcp_health_check'));
  if (check.grpc_health_check !== undefined)
    return compileGrpc(check.grpc_health_check, at(path, 'grpc_health_check'));
  throw new ConfigError(at(path, 'health_checker'), 'value is required');
}

function compileHttp(config: HealthCheck_HttpHealthCheck, path: string): HttpProbeConfig {
  rejectOtherFields(config, HTTP_FIELDS, path);
  const method = config.method === 'METHOD_UNSPECIFIED' ? 'GET' : String(config.method);
  if (config.send !== undefined && NO_BODY.has(method)) {
    const reason = `HTTP health check cannot specify a request payload with method '${method}'. Only methods that support a request body (POST, PUT, PATCH, OPTIONS) can be used with payload.`;
    throw new ConfigError(at(path, 'send'), reason);
  }
  if (config.codec_client_type === 'HTTP3')
    throw new ConfigError(at(path, 'codec_client_type'), 'HTTP/3 is not supported');
  const receive = config.receive.map((part, i) => payload(part, at(at(path, 'receive'), i)));
  const responseBufferBytes = Number(
    wrapperValue(config.response_buffer_size) ?? DEFAULT_RESPONSE_BUFFER_BYTES,
  );
  const total = receive.reduce((sum, part) => sum + part.length, 0);
  if (responseBufferBytes !== 0 && total > responseBufferBytes) {
    const reason = `The expected response length '${total}' is over than http health response buffer size '${responseBufferBytes}'`;
    throw new ConfigError(at(path, 'receive'), reason);
  }
  const expected = ranges(config.expected_statuses, 'expected', at(path, 'expected_statuses'));
  return {
    kind: 'HTTP',
    host: config.host,
    path: config.path,
    method,
    http2: config.codec_client_type === 'HTTP2',
    headers: headers(config.request_headers_to_add, at(path, 'request_headers_to_add')),
    headersToRemove: config.request_headers_to_remove.map((name) => name.toLowerCase()),
    body: config.send && payload(config.send, at(path, 'send')),
    receive,
    responseBufferBytes,
    expected: expected.length === 0 ? [[200, 201]] : expected,
    retriable: ranges(config.retriable_statuses, 'retriable', at(path, 'retriable_statuses')),
    serviceName:
      config.service_name_matcher &&
      compileStringMatcher(config.service_name_matcher, at(path, 'service_name_matcher')),
  };
}

function compileTcp(config: HealthCheck_TcpHealthCheck, path: string): TcpProbeConfig {
  rejectOtherFields(config, TCP_FIELDS, path);
  return {
    kind: 'TCP',
    proxyProtocol: proxyProtocol(config, at(path, 'proxy_protocol_config')),
    send: config.send && payload(config.send, at(path, 'send')),
    receive: config.receive.map((part, i) => payload(part, at(at(path, 'receive'), i))),
  };
}

function proxyProtocol(
  { proxy_protocol_config: config }: HealthCheck_TcpHealthCheck,
  path: string,
): 'V1' | 'V2' | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, PROXY_PROTOCOL_FIELDS, path);
  return config.version === 'V2' ? 'V2' : 'V1';
}

function compileGrpc(config: HealthCheck_GrpcHealthCheck, path: string): GrpcProbeConfig {
  rejectOtherFields(config, GRPC_FIELDS, path);
  return {
    kind: 'GRPC',
    serviceName: config.service_name,
    authority: config.authority,
    metadata: headers(config.initial_metadata, at(path, 'initial_metadata')),
  };
}

/** Literal headers; command operators would have no request to be about. */
function headers(options: readonly HeaderValueOption[], path: string): [string, string][] {
  return options.flatMap((option, i): [string, string][] => {
    const where = at(path, i);
    rejectOtherFields(option, HEADER_FIELDS, where);
    const { key = '', value = '' } = option.header ?? {};
    if (value.includes('%'))
      throw new ConfigError(at(where, 'header.value'), 'command operators are not supported');
    return value === '' && !option.keep_empty_value ? [] : [[key.toLowerCase(), value]];
  });
}

/** Text is hexadecimal. */
function payload({ text, binary }: HealthCheck_Payload, path: string): Buffer {
  if (binary !== undefined) return Buffer.from(binary);
  if (text === undefined || text.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(text))
    throw new ConfigError(at(path, 'text'), `invalid hex string '${text ?? ''}'`);
  return Buffer.from(text, 'hex');
}

function ranges(configs: readonly Int64Range[], kind: string, path: string): StatusRange[] {
  return configs.map((config, i) => {
    const [start, end] = [Number(config.start), Number(config.end)];
    const where = at(path, i);
    if (start >= end) {
      const reason = `Invalid http ${kind} status range: expecting start < end, but found start=${start} and end=${end}`;
      throw new ConfigError(where, reason);
    }
    if (start < 100) {
      const reason = `Invalid http ${kind} status range: expecting start >= 100, but found start=${start}`;
      throw new ConfigError(where, reason);
    }
    if (end > 600)
      throw new ConfigError(
        where,
        `Invalid http ${kind} status range: expecting end <= 600, but found end=${end}`,
      );
    return [start, end];
  });
}
