// Configuration and the paths that the comparison with Envoy (tests/differential/tcp_proxy.test.ts) does not take.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { TcpListener, type TcpListenerOptions } from '../../../../../tests/fakes/tcp_listener.ts';
import type { TcpProxy as TcpProxyMessage } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/tcp_proxy/v3.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { StringAccessor } from '../../../../common/stream_info/filter_state.ts';
import { type TcpProxyConfig, tcpProxyFactory } from './config.ts';
import { TcpLoadBalancerContext } from './load_balancer_context.ts';

const TYPE = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
const CERTS = path.join(import.meta.dirname, '../../../../../tests/fixtures/certs');

function compile(json: object): TcpProxyConfig {
  const message = fromJson<TcpProxyMessage>(TYPE, { stat_prefix: 't', cluster: 'c', ...json } as never);
  return tcpProxyFactory.compile(message as never, fakeFactoryContext(), 'tcp') as TcpProxyConfig;
}

/** A server that says its name, then repeats what it hears. */
async function upstream(context: TestContext, name: string): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(name);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function cluster(name: string, port: number, more: object = {}): object {
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: port } } };
  return {
    name,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    ...more,
  };
}

async function listen(
  context: TestContext,
  proxy: object,
  clusters: object[],
  onConnection?: TcpListenerOptions['onConnection'],
): Promise<TcpListener> {
  const typed_config = { '@type': `type.googleapis.com/${TYPE}`, stat_prefix: 't', ...proxy };
  const listener = await TcpListener.start({
    filters: [{ name: 'tcp', typed_config }],
    clusters,
    ...(onConnection === undefined ? {} : { onConnection }),
  });
  context.after(() => listener.stop());
  return listener;
}

async function greeting(port: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return chunk.toString();
}

describe('tcp_proxy configuration', () => {
  test('defaults', () => {
    const config = compile({});
    assert.deepEqual(
      [config.idleTimeoutMs, config.maxConnectAttempts, config.maxDurationMs, config.backoff, config.bulk],
      [3_600_000, 1, 0, undefined, true],
    );
  });

  const refused: [object, string, string][] = [
    [
      { tunneling_config: { hostname: 'h:1', propagate_response_headers: true } },
      'tcp.tunneling_config.propagate_response_headers',
      'this field is not supported',
    ],
    [
      { tunneling_config: { hostname: 'h:1', post_path: '/p' } },
      'tcp.tunneling_config.post_path',
      "Can't set a post path when POST method isn't used",
    ],
    [{ on_demand: {} }, 'tcp.on_demand', 'this field is not supported'],
    [
      { upstream_connect_mode: 'ON_DOWNSTREAM_DATA' },
      'tcp.upstream_connect_mode',
      'this field is not supported',
    ],
    [{ max_early_data_bytes: 10 }, 'tcp.max_early_data_bytes', 'this field is not supported'],
    [
      { backoff_options: { base_interval: '1s', max_interval: '0.5s' } },
      'tcp.backoff_options.max_interval',
      'max_backoff_interval must be greater or equal to base_backoff_interval',
    ],
    [
      { access_log_flush_interval: '1s', access_log_options: {} },
      'tcp.access_log_flush_interval',
      'Only one of access_log_flush_interval or access_log_options can be specified.',
    ],
    [
      { flush_access_log_on_connected: true, access_log_options: {} },
      'tcp.flush_access_log_on_connected',
      'Only one of flush_access_log_on_connected or access_log_options can be specified.',
    ],
  ];
  for (const [json, where, reason] of refused) {
    test(`refuses ${where}: ${JSON.stringify(json)}`, () => {
      assert.throws(() => compile(json), { name: 'ConfigError', path: where, reason });
    });
  }

  test('deprecated log fields mean what the options mean', () => {
    assert.deepEqual(
      compile({ access_log_flush_interval: '2s', flush_access_log_on_connected: true }).logMoments,
      {
        onStart: false,
        onConnected: true,
        intervalMs: 2000,
      },
    );
  });

  test('weighted clusters are picked by their weights, each with its metadata over the common', () => {
    const lb = (value: object): object => ({ filter_metadata: { 'envoy.lb': value } });
    const config = compile({
      cluster: undefined,
      metadata_match: lb({ stage: 'prod', version: '1' }),
      weighted_clusters: {
        clusters: [
          { name: 'a', weight: 1 },
          { name: 'b', weight: 3, metadata_match: lb({ version: '2' }) },
        ],
      },
    });
    const picked = [0, 0.2499, 0.25, 0.9999].map((random) => config.pickRoute(random));
    assert.deepEqual(
      picked.map(({ clusterName }) => clusterName),
      ['a', 'a', 'b', 'b'],
    );
    assert.deepEqual(picked[0].metadataMatch, { stage: 'prod', version: '1' });
    assert.deepEqual(picked[3].metadataMatch, { stage: 'prod', version: '2' });
  });

  test('the hash key is of the source address, or of filter state', async (context) => {
    const port = await upstream(context, 'x');
    const info = await new Promise<TcpLoadBalancerContext['requestStreamInfo']>((resolve) => {
      void listen(context, { cluster: 'c' }, [cluster('c', port)], (connection) => {
        connection.streamInfo.filterState.set('user', new StringAccessor('ann'));
        resolve(connection.streamInfo);
      }).then((listener) => greeting(listener.port));
    });
    const keyOf = (policy: object): bigint | undefined =>
      new TcpLoadBalancerContext(info, undefined, compile({ hash_policy: [policy] }).hash).hashKey();
    assert.equal(typeof keyOf({ source_ip: {} }), 'bigint');
    assert.notEqual(keyOf({ source_ip: {} }), keyOf({ filter_state: { key: 'user' } }));
    assert.equal(keyOf({ filter_state: { key: 'nobody' } }), undefined);
  });
});

describe('tcp_proxy', () => {
  test('filter state chooses the cluster', async (context) => {
    const clusters = [cluster('a', await upstream(context, 'A')), cluster('b', await upstream(context, 'B'))];
    const listener = await listen(context, { cluster: 'a' }, clusters, ({ streamInfo }) => {
      streamInfo.filterState.set('envoy.tcp_proxy.cluster', new StringAccessor('b'));
    });
    assert.equal(await greeting(listener.port), 'B');
  });

  test('filter state sets the idle timeout', async (context) => {
    const clusters = [cluster('a', await upstream(context, 'A'))];
    const listener = await listen(context, { cluster: 'a' }, clusters, ({ streamInfo }) => {
      const key = 'envoy.tcp_proxy.per_connection_idle_timeout_ms';
      streamInfo.filterState.set(key, new StringAccessor('30'));
    });
    const socket = net.connect(listener.port, '127.0.0.1').resume();
    await once(socket, 'close');
    assert.equal(listener.stats.value('tcp.t.idle_timeout'), 1);
  });

  test('a megabyte goes through a TLS upstream and back unchanged', async (context) => {
    const pem = (name: string): string => readFileSync(path.join(CERTS, name), 'utf8');
    const server = tls.createServer({ key: pem('server.key'), cert: pem('server.pem') }, (socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    context.after(() => server.close());
    const transport_socket = {
      name: 'tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        common_tls_context: {},
      },
    };
    const { port } = server.address() as AddressInfo;
    const listener = await listen(context, { cluster: 'a' }, [cluster('a', port, { transport_socket })]);
    const sent = Buffer.alloc(3 << 20);
    for (let i = 0; i < sent.length; i += 4) sent.writeUInt32LE(i, i);
    const socket = net.connect({ port: listener.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    assert.ok(Buffer.concat(chunks).equals(sent), 'memory was used again before its bytes were sent');
  });
});
