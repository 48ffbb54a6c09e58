// gRPC over HTTP/2: statuses of the upstream and of the proxy, timeouts, retries and statistics.

import type { Fields, Http2Request } from './http2_client.ts';
import type { Http2Answer, Http2Script } from './http2_upstream.ts';
import type { Scenario } from './proxy_scenario.ts';

const GRPC: Fields = {
  ':method': 'POST',
  ':path': '/pkg.Service/Method',
  'content-type': 'application/grpc',
  te: 'trailers',
};
const one = (...requests: readonly Http2Request[]): Scenario['http2'] => [{ requests }];
const answers = (...list: readonly Http2Answer[]): readonly Http2Script[] => [{ answers: list }];
const retry = (retry_on: string): Scenario['action'] => ({
  retry_policy: {
    retry_on,
    num_retries: 2,
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
  },
});

export const GRPC_CASES: readonly Scenario[] = [
  {
    name: 'unary',
    http2Upstreams: answers({
      headers: { 'content-type': 'application/grpc' },
      body: ['\0\0\0\0\x02hi'],
      trailers: { 'grpc-status': '0', 'grpc-message': 'fine' },
    }),
    http2: one({ headers: GRPC, body: ['\0\0\0\0\x02ho'] }),
  },
  {
    name: 'trailers only',
    http2Upstreams: answers({ headers: { 'content-type': 'application/grpc', 'grpc-status': '5' } }),
    http2: one({ headers: GRPC, body: ['\0\0\0\0\x02ho'] }),
  },
  { name: 'gRPC without a host', upstreams: [], http2: one({ headers: GRPC, body: ['abc'] }) },
  {
    name: 'gRPC without a route',
    virtualHost: { domains: ['x'] },
    http2: one({ headers: GRPC, body: ['abc'] }),
  },
  {
    name: 'gRPC timeout of the route',
    action: { timeout: '0.1s' },
    http2Upstreams: answers({ delay: 400, headers: { 'content-type': 'application/grpc' } }),
    http2: one({ headers: GRPC, body: ['abc'] }),
  },
  {
    name: 'grpc-timeout',
    action: { max_stream_duration: { grpc_timeout_header_max: '1s' } },
    http2Upstreams: answers({ delay: 400, headers: { 'content-type': 'application/grpc' } }),
    http2: one({ headers: { ...GRPC, 'grpc-timeout': '100m' }, body: ['abc'] }),
  },
  {
    name: 'gRPC retries',
    action: retry('unavailable,resource-exhausted'),
    http2Upstreams: answers(
      { headers: { 'content-type': 'application/grpc', 'grpc-status': '14' } },
      { headers: { 'content-type': 'application/grpc', 'grpc-status': '8' } },
      { headers: { 'content-type': 'application/grpc' }, body: ['abc'], trailers: { 'grpc-status': '0' } },
    ),
    http2: one({ headers: GRPC, body: ['abc'] }),
  },
  {
    name: 'a stream that breaks off',
    http2Upstreams: answers({
      headers: { 'content-type': 'application/grpc' },
      body: ['abc', 50],
      destroy: false,
      reset: 2,
    }),
    http2: one({ headers: GRPC, body: ['abc'] }),
  },
  {
    name: 'an upstream of HTTP/1 that breaks off',
    upstreams: [{ answers: [['FIN']] }],
    http2: one({ headers: GRPC, body: ['abc'] }),
  },
  {
    name: 'grpc_stats',
    filters: [
      {
        name: 'stats',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
          stats_for_all_methods: true,
          emit_filter_state: true,
        },
      },
    ],
    http2Upstreams: answers(
      {
        headers: { 'content-type': 'application/grpc' },
        body: ['\0\0\0\0\x02hi'],
        trailers: { 'grpc-status': '0' },
      },
      { headers: { 'content-type': 'application/grpc', 'grpc-status': '5' } },
    ),
    http2: one({ headers: GRPC, body: ['\0\0\0\0\x02ho'] }, { headers: GRPC, body: ['\0\0\0\0\x02ho'] }),
  },
];
