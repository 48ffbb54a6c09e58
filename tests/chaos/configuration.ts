// What the proxy of the chaos test is configured with: a route per promise that is tested, and the pools of hosts behind them.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { httpFilter, listener, TYPE } from '../integration/resources.ts';

const CERTIFICATES = path.join(import.meta.dirname, '..', 'fixtures', 'certs');
const ADS = { ads: {}, resource_api_version: 'V3' };
/** Of each kind: circuit breakers are not what is tested. */
const UNLIMITED = 100_000;

/** ms; see rules.ts for what follows from them. */
export const TIMEOUT_MS = 1500;
export const SHORT_TIMEOUT_MS = 300;
export const RETRIED_TIMEOUT_MS = 12_000;
const PER_TRY_MS = 400;
const HEDGE_AFTER_MS = 200;

/** More than there are hosts, so that the one that is well is reached. */
const RETRIES = 8;
/** Choices until a host is taken that was tried before: enough not to happen. */
const CHOICES = 100;
/** With one of three hosts well, so many failures in a row do not happen. */
const CONNECT_ATTEMPTS = 60;

export type PoolName = 'http' | 'grpc' | 'tcp';
export const CLUSTERS: Readonly<Record<PoolName, readonly string[]>> = {
  http: ['retried', 'plain', 'vanishing'],
  grpc: ['grpc'],
  tcp: ['tcp'],
};

export function clusterOf(name: string, change: number): object {
  const protocol =
    name === 'grpc'
      ? { explicit_http_config: { http2_protocol_options: {} } }
      : { explicit_http_config: { http_protocol_options: {} } };
  const limits = {
    max_connections: UNLIMITED,
    max_pending_requests: UNLIMITED,
    max_requests: UNLIMITED,
    max_retries: UNLIMITED,
    track_remaining: true,
  };
  return {
    name,
    type: 'EDS',
    eds_cluster_config: { eds_config: ADS },
    // A change of the cluster that no request may notice.
    connect_timeout: `${1 + (change % 2)}s`,
    lb_policy: name === 'retried' ? 'LEAST_REQUEST' : 'ROUND_ROBIN',
    circuit_breakers: { thresholds: [limits] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
        ...protocol,
        // So that none is left at the end.
        common_http_protocol_options: { idle_timeout: '1s' },
      },
    },
  };
}

export function endpointsOf(cluster: string, hosts: readonly { ip: string; port: number }[]): object {
  const lb_endpoints = hosts.map(({ ip, port }) => ({
    endpoint: { address: { socket_address: { address: ip, port_value: port } } },
  }));
  return { cluster_name: cluster, endpoints: [{ lb_endpoints }] };
}

const seconds = (ms: number): string => `${ms / 1000}s`;
const retries = (retry_on: string, more: object = {}): object => ({
  retry_policy: {
    retry_on,
    num_retries: RETRIES,
    retry_back_off: { base_interval: '0.002s', max_interval: '0.02s' },
    retry_host_predicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        typed_config: { '@type': `${TYPE}extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate` },
      },
    ],
    host_selection_retry_max_attempts: CHOICES,
    ...more,
  },
});

/** `version` is in every answer; the route `/flicker` is there or not. */
export function routesOf(version: number, flicker: boolean): object {
  const route = (prefix: string, action: object): object => ({
    name: prefix.slice(1),
    match: { prefix },
    route: action,
  });
  const everything = '5xx,reset,connect-failure,refused-stream';
  const retried = { cluster: 'retried', timeout: seconds(RETRIED_TIMEOUT_MS) };
  const plain = { cluster: 'plain', timeout: seconds(TIMEOUT_MS) };
  const routes = [
    route('/retried', { ...retried, ...retries(everything, { per_try_timeout: seconds(PER_TRY_MS) }) }),
    route('/hedged', {
      ...retried,
      ...retries(everything, { per_try_timeout: seconds(HEDGE_AFTER_MS) }),
      hedge_policy: { hedge_on_per_try_timeout: true },
    }),
    route('/safe', { ...plain, ...retries('connect-failure,refused-stream,reset-before-request') }),
    route('/plain', plain),
    route('/short', { ...plain, timeout: seconds(SHORT_TIMEOUT_MS) }),
    route('/vanishing', { ...plain, cluster: 'vanishing' }),
    route('/chaos.Grpc', {
      cluster: 'grpc',
      timeout: seconds(RETRIED_TIMEOUT_MS),
      ...retries('unavailable,internal,reset,connect-failure,refused-stream', {
        per_try_timeout: seconds(PER_TRY_MS),
      }),
    }),
    ...(flicker ? [route('/flicker', plain)] : []),
  ];
  const all = { name: 'all', domains: ['*'], routes };
  const response_headers_to_add = [{ header: { key: 'x-version', value: String(version) } }];
  return { name: 'routes', virtual_hosts: [all], response_headers_to_add };
}

const LOG_FORMAT = {
  id: '%REQ(X-CHAOS-ID)%',
  client: '%DOWNSTREAM_REMOTE_ADDRESS%',
  code: '%RESPONSE_CODE%',
  flags: '%RESPONSE_FLAGS%',
  details: '%RESPONSE_CODE_DETAILS%',
  attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  host: '%UPSTREAM_HOST%',
  route: '%ROUTE_NAME%',
  duration: '%DURATION%',
};

function accessLog(file: string): object {
  const type = `${TYPE}extensions.access_loggers.file.v3.FileAccessLog`;
  return {
    name: 'file',
    typed_config: { '@type': type, path: file, log_format: { json_format: LOG_FORMAT } },
  };
}

function tls(): object {
  const inline = (file: string): object => ({
    inline_string: readFileSync(path.join(CERTIFICATES, file), 'utf8'),
  });
  const certificate = { certificate_chain: inline('server.pem'), private_key: inline('server.key') };
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: { alpn_protocols: ['h2', 'http/1.1'], tls_certificates: [certificate] },
    },
  };
}

export function listenersOf(log: string): Readonly<Record<'http' | 'https' | 'tcp', object>> {
  const access_log = [accessLog(log)];
  const http = httpFilter('routes', { access_log });
  const tcp = {
    name: 'tcp',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 'tcp',
      cluster: 'tcp',
      max_connect_attempts: CONNECT_ATTEMPTS,
      access_log,
    },
  };
  return {
    http: listener('http', 0, [{ filters: [http] }]),
    https: listener('https', 0, [{ filters: [http], transport_socket: tls() }]),
    tcp: listener('tcp', 0, [{ filters: [tcp] }]),
  };
}
