// Operators about a connection and its filter chain, as the access logs of listeners and of tcp_proxy print them when it is over:
// how it ended, why this side closed it, how long its handshake took.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { certificate } from '../fakes/tls.ts';
import { eventually } from '../integration/proxy_process.ts';
import { portOf } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const TYPE = 'type.googleapis.com/envoy.';

const log = (where: string): object => ({
  name: 'l',
  typed_config: {
    '@type': `${TYPE}extensions.access_loggers.stream.v3.StdoutAccessLog`,
    log_format: {
      text_format_source: {
        inline_string: `LOG ${where} %METADATA(LISTENER_FILTER_CHAIN:of.chain:key)% %METADATA(LISTENER_FILTER_CHAIN:none)% %DOWNSTREAM_DETECTED_CLOSE_TYPE% %DOWNSTREAM_LOCAL_CLOSE_REASON% upstream %UPSTREAM_DETECTED_CLOSE_TYPE% %UPSTREAM_LOCAL_CLOSE_REASON% handshake %DOWNSTREAM_HANDSHAKE_DURATION%\n`,
      },
    },
  },
});

const filter = (name: string, type: string, config: object): object => ({
  name,
  typed_config: { '@type': `${TYPE}extensions.filters.network.${type}`, stat_prefix: name, ...config },
});
const tcp = (cluster: string, more: object = {}): object =>
  filter('tcp', 'tcp_proxy.v3.TcpProxy', { cluster, access_log: [log('tcp')], ...more });
const http = (more: object = {}): object =>
  filter('http', 'http_connection_manager.v3.HttpConnectionManager', {
    access_log: [log('http')],
    // What happens then is another matter.
    delayed_close_timeout: '0s',
    route_config: {
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { prefix: '/up' }, route: { cluster: 'up' } },
            { match: { prefix: '/dead' }, route: { cluster: 'dead' } },
            { match: { prefix: '/' }, direct_response: { status: 200 } },
          ],
        },
      ],
    },
    http_filters: [
      { name: 'r', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
    ...more,
  });

const CHAINS: Readonly<Record<string, object>> = {
  tcp: { filters: [tcp('up')] },
  nowhere: { filters: [tcp('dead')] },
  idle: { filters: [tcp('up', { idle_timeout: '0.3s' })] },
  http: { filters: [http()] },
  idle_http: { filters: [http({ common_http_protocol_options: { idle_timeout: '0.3s' } })] },
  secure: {
    filters: [http()],
    transport_socket: {
      name: 'tls',
      typed_config: {
        '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
        common_tls_context: { tls_certificates: [certificate('server')] },
      },
    },
  },
};

function bootstrap(up: number): object {
  const cluster = (name: string, port_value: number): object => {
    const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value } } };
    return { name, load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] } };
  };
  const listeners = Object.entries(CHAINS).map(([name, chain]) => ({
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ ...chain, metadata: { filter_metadata: { 'of.chain': { key: `chain of ${name}` } } } }],
    access_log: [log('listener')],
  }));
  return { static_resources: { clusters: [cluster('up', up), cluster('dead', 1)], listeners } };
}

const REQUEST = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

/** What a client does, until the connection is over. */
const CLIENTS: readonly (readonly [listener: string, lines: number, act: (socket: net.Socket) => Promise<void>])[] = [
  ['tcp', 2, async (socket) => void socket.end('hello')],
  ['tcp', 2, async (socket) => {
    socket.write('hello');
    await once(socket, 'data');
    socket.resetAndDestroy();
  }],
  ['tcp', 2, async (socket) => void socket.write('reset')],
  ['nowhere', 2, async () => {}],
  ['idle', 2, async () => {}],
  ['http', 2, async (socket) => {
    socket.write(REQUEST);
    await once(socket, 'data');
    socket.end();
  }],
  ['http', 2, async (socket) => void socket.write(REQUEST.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'))],
  ...['/up/reset', '/up/end', '/dead'].map((path): (typeof CLIENTS)[number] => ['http', 2, async (socket) => {
    socket.write(REQUEST.replace(' / ', ` ${path} `));
    await once(socket, 'data');
    socket.end();
  }]),
  ['http', 2, async (socket) => void socket.write(REQUEST.replace('GET', 'FOO'))],
  ['idle_http', 1, async () => {}],
]; // biome-ignore format: a table

async function observe(t: TestContext, command: readonly string[]): Promise<string[][]> {
  const upstream = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      const text = String(bytes);
      if (text.includes('reset')) socket.resetAndDestroy();
      else if (text.includes('/up/end')) socket.end();
      else socket.write(bytes);
    });
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  t.after(() => upstream.close());
  const proxy = await EnvoyProcess.start(bootstrap(portOf(upstream)), command);
  t.after(() => proxy.stop());
  const lines = (): string[] => proxy.log.split('\n').filter((line) => line.startsWith('LOG'));
  const seen: string[][] = [];
  const gather = async (count: number): Promise<void> => {
    const before = seen.flat().length;
    await eventually(async () => lines().length >= before + count, `${count} lines of ${seen.length}`);
    await sleep(100);
    seen.push(lines().slice(before).sort());
  };
  for (const [listener, count, act] of CLIENTS) {
    const socket = net.connect(proxy.ports.get(listener)!, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.resume();
    await act(socket);
    await gather(count);
    socket.destroy();
  }
  const socket = tls.connect(proxy.ports.get('secure')!, '127.0.0.1', { rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.write(REQUEST);
  await once(socket, 'data');
  socket.end();
  await gather(2);
  // It takes some time, of which more is not to be said.
  return seen.map((group) => group.map((line) => line.replace(/listener (.*) \d+$/, 'listener $1 some ms')));
}

describe('operators about connections', { skip: SKIP }, () => {
  test('are those of Envoy', { timeout: 60_000 }, async (t) => {
    const [theirs, ours] = [await observe(t, [ENVOY_BIN!]), await observe(t, PILOTFISH)];
    assert.deepEqual(ours, theirs);
  });
});
