// Connections of HTTP/2 to upstreams: limits, and what ends them.

import type { Http2Answer, Http2Script } from './http2_upstream.ts';
import { HTTP2, type Scenario } from './proxy_scenario.ts';
import { get } from './raw_requests.ts';

const answers = (...list: readonly Http2Answer[]): readonly Http2Script[] => [{ answers: list }];
const protocol = (more: object, http2_protocol_options: object = {}): Scenario['cluster'] => ({
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options },
      ...more,
    },
  },
});

export const HTTP2_UPSTREAM_CASES: readonly Scenario[] = [
  {
    name: 'an upstream of HTTP/2 that nobody is at',
    cluster: HTTP2,
    upstreams: ['127.0.0.1:1'],
    connections: [[get('/')]],
  },
  {
    name: 'too many requests over HTTP/2',
    cluster: { circuit_breakers: { thresholds: [{ max_requests: 1 }] } },
    http2Upstreams: answers({ delay: 200, body: ['slow'] }, { body: ['fast'] }),
    connections: [[get('/1')], [get('/2')]],
    staggerMs: 60,
  },
  {
    name: 'too many connections and pending requests over HTTP/2',
    cluster: {
      ...protocol({}, { max_concurrent_streams: 1 }),
      circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 1 }] },
    },
    http2Upstreams: [{ settings: { maxConcurrentStreams: 1 }, answers: [{ delay: 200, body: ['slow'] }] }],
    connections: [[get('/1')], [get('/2')], [get('/3')]],
    staggerMs: 60,
  },
  {
    name: 'max_connection_duration of an upstream of HTTP/2',
    cluster: protocol({ common_http_protocol_options: { max_connection_duration: '0.1s' } }),
    http2Upstreams: answers({ body: ['first'] }, { delay: 250, body: ['second'] }, { body: ['third'] }),
    connections: [[get('/1'), { after: 250 }, get('/2'), { after: 50 }, get('/3')]],
    statExceptions: { upstream_cx_protocol_error: 'Envoy counts what comes after its end of the connection' },
  },
];
