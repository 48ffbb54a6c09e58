// Health checks that are compared with Envoy's: what is configured, and how the host does.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Manners, type PatientKind, pem } from './patient.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Case {
  readonly name: string;
  readonly check: Json;
  readonly server?: PatientKind;
  /** Merged over the cluster; `directory` is for files. */
  readonly cluster?: (directory: string) => Json;
  /** One after the other. */
  readonly phases: readonly Manners[];
  readonly endpoint?: Json;
  /** Its own port is another than that for checks. */
  readonly portForChecks?: boolean;
  /** Requested in the second phase. */
  readonly request?: string;
}

const GOOD: Manners = { status: 200 };
const BAD: Manners = { status: 500 };
const HTTP = { http_health_check: { path: '/health?x=1' } };
const GRPC = { grpc_health_check: { service_name: 'my.service' } };
const SERVING: Manners = { serving: 1 };

const X = 'type.googleapis.com/envoy.extensions.transport_sockets';
const identity = (name: string): Json => ({
  certificate_chain: { inline_string: pem(`${name}.pem`) },
  private_key: { inline_string: pem(`${name}.key`) },
});
const trust = (ca: string): Json => ({
  validation_context: { trusted_ca: { inline_string: pem(`${ca}.pem`) } },
});
const tls = (common: Json, more: Json = {}): Json => ({
  name: 'tls',
  typed_config: {
    '@type': `${X}.tls.v3.UpstreamTlsContext`,
    sni: 'checked.example.com',
    common_tls_context: { alpn_protocols: ['own'], ...common },
    ...more,
  },
});
const overTls = (common: Json) => (): Json => ({ transport_socket: tls(common) });

export const TIMES = {
  timeout: '1s',
  interval: '0.1s',
  no_traffic_interval: '0.1s',
  unhealthy_threshold: 2,
  healthy_threshold: 2,
};

function withSink(name: string, directory: string): Json {
  const event_log_path = path.join(directory, `${name}.log`);
  const type =
    'type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink';
  return {
    ...TIMES,
    ...HTTP,
    event_logger: [{ name: 'file', typed_config: { '@type': type, event_log_path } }],
  };
}

export const CASES: readonly Case[] = [
  {
    name: 'tls_http',
    check: HTTP,
    server: 'https',
    cluster: overTls(trust('ca')),
    phases: [GOOD, BAD, GOOD],
  },
  {
    name: 'tls_with_a_certificate_and_alpn',
    check: { ...HTTP, tls_options: { alpn_protocols: ['health', 'http/1.1'] } },
    server: 'https',
    cluster: overTls({ ...trust('ca'), tls_certificates: [identity('client')] }),
    phases: [GOOD],
  },
  {
    name: 'tls_not_trusted',
    check: HTTP,
    server: 'https',
    cluster: overTls(trust('other_ca')),
    phases: [GOOD],
  },
  {
    name: 'tls_tcp',
    check: { tcp_health_check: {} },
    server: 'tls',
    cluster: overTls(trust('ca')),
    phases: [GOOD],
  },
  {
    name: 'tls_tcp_talk',
    check: { tcp_health_check: { send: { text: '01' }, receive: [{ text: '6f6b' }] } },
    server: 'tls',
    cluster: overTls(trust('ca')),
    phases: [{ body: 'it is ok' }, { body: 'no' }, { body: 'ok' }],
  },
  {
    name: 'tls_http2',
    check: {
      http_health_check: { path: '/two', codec_client_type: 'HTTP2' },
      tls_options: { alpn_protocols: ['h2'] },
    },
    server: 'https2',
    cluster: overTls(trust('ca')),
    phases: [GOOD, BAD, GOOD],
  },
  {
    name: 'tls_grpc',
    check: GRPC,
    server: 'https2',
    cluster: () => ({ transport_socket: tls({ ...trust('ca'), alpn_protocols: ['h2'] }) }),
    phases: [SERVING, { serving: 2 }, SERVING],
  },
  {
    name: 'transport_socket_match_criteria',
    check: { ...HTTP, transport_socket_match_criteria: { checked: 'yes' } },
    server: 'https',
    cluster: () => ({
      transport_socket_matches: [
        { name: 'other', match: { checked: 'no' }, transport_socket: tls(trust('other_ca')) },
        { name: 'checks', match: { checked: 'yes' }, transport_socket: tls(trust('ca')) },
      ],
    }),
    phases: [GOOD, BAD],
  },
  {
    name: 'tls_sds',
    check: HTTP,
    server: 'https',
    cluster: (directory) => {
      const file = path.join(directory, 'sds.json');
      const secret = { '@type': `${X}.tls.v3.Secret`, name: 'own', tls_certificate: identity('client') };
      writeFileSync(file, JSON.stringify({ version_info: '1', resources: [secret] }));
      const sds_config = { resource_api_version: 'V3', path_config_source: { path: file } };
      return {
        transport_socket: tls({
          ...trust('ca'),
          tls_certificate_sds_secret_configs: [{ name: 'own', sds_config }],
        }),
      };
    },
    phases: [GOOD],
  },
  { name: 'alternate_port_that_Envoy_ignores', check: { ...HTTP, alt_port: 1 }, phases: [GOOD] },
  { name: 'port_of_the_endpoint', check: HTTP, phases: [GOOD, BAD], portForChecks: true },
  {
    name: 'event_sinks',
    check: HTTP,
    cluster: (directory) => ({ health_checks: [withSink('event_sinks', directory)] }),
    phases: [GOOD, BAD],
  },
  { name: 'http', check: HTTP, phases: [GOOD, BAD, GOOD] },
  { name: 'http_bad_at_first', check: HTTP, phases: [BAD, GOOD] },
  {
    name: 'thresholds',
    check: { ...HTTP, healthy_threshold: 3, unhealthy_threshold: 3 },
    phases: [GOOD, BAD, GOOD],
  },
  {
    name: 'statuses',
    check: { http_health_check: { path: '/', expected_statuses: [{ start: 204, end: 206 }] } },
    phases: [{ status: 205 }, { status: 200 }, { status: 204 }],
  },
  {
    name: 'retriable',
    check: { http_health_check: { path: '/', retriable_statuses: [{ start: 503, end: 504 }] } },
    phases: [GOOD, { status: 503 }, GOOD],
  },
  {
    name: 'degraded',
    check: HTTP,
    phases: [
      { status: 200, headers: { 'x-envoy-degraded': 'yes' } },
      GOOD,
      { status: 200, headers: { 'x-envoy-degraded': '' } },
    ],
  },
  {
    name: 'excluded',
    check: HTTP,
    phases: [GOOD, { status: 503, headers: { 'x-envoy-immediate-health-check-fail': 'true' } }, GOOD],
  },
  {
    name: 'asks_to_be_left_alone_in_the_answer_to_a_request',
    check: { ...HTTP, interval: '60s', no_traffic_interval: '60s' },
    phases: [GOOD, GOOD],
    request: '/leave-me-alone',
  },
  {
    name: 'request',
    check: {
      reuse_connection: false,
      http_health_check: {
        path: '/',
        host: 'health.example.com',
        method: 'POST',
        send: { text: '68656c6c6f' },
        request_headers_to_add: [{ header: { key: 'X-A', value: 'b' } }],
        request_headers_to_remove: ['user-agent'],
      },
    },
    phases: [GOOD],
  },
  {
    name: 'body',
    check: { http_health_check: { path: '/', receive: [{ text: '6f6b' }, { text: '21' }] } },
    phases: [
      { status: 200, body: 'it is ok, is it not!' },
      { status: 200, body: '! ok' },
    ],
  },
  { name: 'silent', check: HTTP, phases: [GOOD, { silent: true }, GOOD] },
  { name: 'closed', check: HTTP, server: 'closed', phases: [{}] },
  { name: 'tcp', check: { tcp_health_check: {} }, phases: [GOOD] },
  { name: 'tcp_closed', check: { tcp_health_check: {} }, server: 'closed', phases: [{}] },
  {
    name: 'tcp_talk',
    check: { tcp_health_check: { send: { text: '01' }, receive: [{ text: '6f6b' }] } },
    server: 'tcp',
    phases: [{ body: 'it is ok' }, { body: 'no' }, { body: 'ok' }],
  },
  {
    name: 'tcp_after_the_proxy_protocol',
    check: {
      tcp_health_check: {
        proxy_protocol_config: { version: 'V2' },
        send: { text: '01' },
        receive: [{ text: '6f6b' }],
      },
    },
    server: 'tcp',
    phases: [{ body: 'ok' }, { body: 'no' }],
  },
  {
    name: 'tcp_after_the_proxy_protocol_over_new_connections',
    check: {
      reuse_connection: false,
      tcp_health_check: { proxy_protocol_config: { version: 'V2' }, receive: [{ text: '6f6b' }] },
    },
    server: 'tcp',
    phases: [{ body: 'ok' }],
  },
  {
    name: 'tcp_after_the_proxy_protocol_in_words',
    check: {
      reuse_connection: false,
      tcp_health_check: { proxy_protocol_config: { version: 'V1' }, receive: [{ text: '6f6b' }] },
    },
    server: 'tcp',
    phases: [{ body: 'ok' }],
  },
  {
    name: 'name_of_the_service',
    check: { http_health_check: { path: '/', service_name_matcher: { prefix: 'locations' } } },
    phases: [
      { status: 200, headers: { 'x-envoy-upstream-healthchecked-cluster': 'locations-production' } },
      { status: 200, headers: { 'x-envoy-upstream-healthchecked-cluster': 'other' } },
      { status: 500, headers: { 'x-envoy-upstream-healthchecked-cluster': 'locations' } },
      GOOD,
    ],
  },
  {
    name: 'empty_headers',
    check: {
      http_health_check: {
        path: '/',
        request_headers_to_add: [
          { header: { key: 'x-none', value: '' } },
          { header: { key: 'x-kept', value: '' }, keep_empty_value: true },
        ],
      },
    },
    phases: [GOOD],
  },
  {
    name: 'http2',
    check: { http_health_check: { path: '/two', codec_client_type: 'HTTP2' } },
    server: 'http2',
    phases: [GOOD, BAD, GOOD],
  },
  {
    name: 'grpc',
    check: GRPC,
    server: 'http2',
    phases: [SERVING, { serving: 2 }, SERVING, { grpcStatus: 12 }],
  },
  {
    name: 'logs_all',
    check: { ...HTTP, always_log_health_check_failures: true, always_log_health_check_success: true },
    phases: [GOOD, BAD],
  },
  {
    name: 'own_name',
    check: HTTP,
    endpoint: { health_check_config: { hostname: 'own.example.com' } },
    phases: [GOOD],
  },
  {
    name: 'not_checked',
    check: HTTP,
    endpoint: { health_check_config: { disable_active_health_check: true } },
    phases: [BAD],
  },
];
