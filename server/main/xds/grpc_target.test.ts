// What a GrpcService becomes, without opening anything.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { GrpcService } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { GrpcTarget } from './grpc_channel.ts';
import { compileGrpcTarget, streamBackOff } from './grpc_target.ts';

const service = (json: object): GrpcService => fromJson('envoy.config.core.v3.GrpcService', json);
const ENVOY_GRPC = service({ envoy_grpc: { cluster_name: 'xds-grpc' } });

const endpoint = (address: object): object => ({ lb_endpoints: [{ endpoint: { address } }] });
const socket = (address: string, port_value: number): object => ({ socket_address: { address, port_value } });

function target(more: object, from: GrpcService = ENVOY_GRPC): GrpcTarget {
  const cluster = fromJson('envoy.config.cluster.v3.Cluster', {
    name: 'xds-grpc',
    type: 'STATIC',
    load_assignment: { cluster_name: 'xds-grpc', endpoints: [endpoint(socket('127.0.0.1', 15010))] },
    ...more,
  }) as Cluster;
  return compileGrpcTarget(from, (name) => (name === cluster.name ? cluster : undefined), 'grpc');
}

test('addresses of every kind, in the order of their priorities', () => {
  const endpoints = [
    { priority: 1, ...endpoint(socket('backup.example', 1)) },
    endpoint(socket('10.0.0.1', 2)),
    endpoint(socket('::1', 3)),
    endpoint({ pipe: { path: './etc/istio/proxy/XDS' } }),
  ];
  assert.deepEqual(
    target({ type: 'STRICT_DNS', load_assignment: { cluster_name: 'x', endpoints } }).endpoints,
    ['ipv4:10.0.0.1:2', 'ipv6:[::1]:3', 'unix:./etc/istio/proxy/XDS', 'dns:backup.example:1'],
  );
});

test('the receive limit is off unless configured, the authority is the cluster unless configured', () => {
  const { options, connectTimeoutMs } = target({});
  assert.equal(options['grpc.max_receive_message_length'], -1);
  assert.equal(options['grpc.default_authority'], 'xds-grpc');
  assert.equal(options['grpc.keepalive_time_ms'], undefined);
  assert.equal(connectTimeoutMs, 5_000);
  const limited = service({
    envoy_grpc: { cluster_name: 'xds-grpc', authority: 'istiod', max_receive_message_length: 1_000 },
  });
  assert.equal(target({}, limited).options['grpc.max_receive_message_length'], 1_000);
  assert.equal(target({}, limited).options['grpc.default_authority'], 'istiod');
});

test('keepalive comes from HTTP/2 or TCP settings, never faster than every 15 s', () => {
  const http2 = (connection_keepalive: object): object => ({
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: { connection_keepalive } },
      },
    },
  });
  const slow = target(http2({ interval: '30s', timeout: '5s' })).options;
  assert.deepEqual([slow['grpc.keepalive_time_ms'], slow['grpc.keepalive_timeout_ms']], [30_000, 5_000]);
  const fast = target(http2({ interval: '1s', timeout: '5s' })).options;
  assert.equal(fast['grpc.keepalive_time_ms'], 15_000);
  const tcp = target({ upstream_connection_options: { tcp_keepalive: { keepalive_time: 300 } } }).options;
  assert.equal(tcp['grpc.keepalive_time_ms'], 300_000);
});

test('the back-off is 500 ms to 30 s unless configured; a base alone has a ceiling of ten times that', () => {
  assert.deepEqual(streamBackOff(ENVOY_GRPC), { baseMs: 500, maxMs: 30_000 });
  const retry_policy = { retry_back_off: { base_interval: '0.1s' } };
  assert.deepEqual(streamBackOff(service({ envoy_grpc: { cluster_name: 'x', retry_policy } })), {
    baseMs: 100,
    maxMs: 1_000,
  });
});

test('metadata is sent as text, or as bytes under a -bin name', () => {
  const initial_metadata = [
    { key: 'authorization', value: 'Bearer x' },
    { key: 'trace-bin', raw_value: Buffer.from([1, 2]).toString('base64') },
  ];
  const { metadata } = target({}, service({ envoy_grpc: { cluster_name: 'xds-grpc' }, initial_metadata }));
  assert.deepEqual(metadata, [
    ['authorization', 'Bearer x'],
    ['trace-bin', Buffer.from([1, 2])],
  ]);
});

test('credentials are the same until a file of theirs is replaced', (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'grpc-target-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'ca.pem');
  const certs = path.join(import.meta.dirname, '../../../tests/fixtures/certs');
  copyFileSync(path.join(certs, 'ca.pem'), file);
  const tls = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    common_tls_context: { validation_context: { trusted_ca: { filename: file } } },
  };
  const { credentials } = target({ transport_socket: { name: 'tls', typed_config: tls } });
  const first = credentials();
  assert.equal(credentials(), first);
  copyFileSync(path.join(certs, 'other_ca.pem'), file);
  assert.notEqual(credentials(), first);
  const insecure = target({});
  assert.equal(insecure.credentials(), insecure.credentials());
});

test('a cluster that cannot lead to a control plane is refused', () => {
  const refused: [object, RegExp][] = [
    [{ type: 'EDS' }, /cluster 'xds-grpc' of type EDS cannot carry xDS/],
    [{ load_assignment: { cluster_name: 'x' } }, /has no endpoints/],
    [
      { load_assignment: { cluster_name: 'x', endpoints: [endpoint({ pipe: { path: '@abstract' } })] } },
      /abstract Unix sockets/,
    ],
    [
      {
        transport_socket: {
          name: 'tls',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
            common_tls_context: { tls_params: { cipher_suites: ['X'] } },
          },
        },
      },
      /cipher_suites: Failed to initialize cipher suites X/,
    ],
    [
      {
        transport_socket: {
          name: 'tls',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
            common_tls_context: { validation_context: { trusted_ca: { filename: '/no/such.pem' } } },
          },
        },
      },
      /trusted_ca: Invalid path: \/no\/such\.pem/,
    ],
  ];
  const tls = (validation_context: object): object => ({
    transport_socket: {
      name: 'tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        common_tls_context: { validation_context },
      },
    },
  });
  refused.push(
    [tls({ verify_certificate_hash: ['00'.repeat(32)] }), /verify_certificate_hash: needs a trusted_ca/],
    [
      tls({ match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'x' } }] }),
      /insecure and not allowed/,
    ],
  );
  for (const [more, reason] of refused) {
    assert.throws(
      () => target(more),
      (error) => error instanceof ConfigError && reason.test(error.message),
    );
  }
});
