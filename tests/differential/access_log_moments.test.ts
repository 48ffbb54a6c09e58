// When access logs are written, in Envoy and in Pilotfish: at the beginning, at intervals, when a tunnel is there, at the end; of
// requests, of their attempts, and of TCP connections.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const TYPE = 'type.googleapis.com/envoy.';
const FORMAT =
  '%ACCESS_LOG_TYPE% %RESPONSE_CODE% %RESPONSE_FLAGS% %PROTOCOL% %REQ(:PATH)% %RESP(x-up)% %RESP(:status)% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %RESPONSE_CODE_DETAILS% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n';

/** Answers by the path: an upgrade, a refusal of one, slowly, or at once. */
function upstream(): net.Server {
  return net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const target = / (\S*) HTTP/.exec(String(bytes))?.[1];
      const answer = (status: string, more = ''): boolean =>
        socket.write(`HTTP/1.1 ${status}\r\nx-up: yes\r\n${more}\r\n`);
      if (target === '/up')
        answer('101 Switching Protocols', 'connection: upgrade\r\nupgrade: websocket\r\n');
      else if (target === '/slow') setTimeout(() => answer('200 OK', 'content-length: 0\r\n'), 1300);
      else if (target === '/503') answer('503 No', 'content-length: 0\r\n');
      else if (target === undefined) socket.write(bytes);
      else answer('404 No', 'content-length: 0\r\n');
    });
  });
}

interface Step {
  readonly name: string;
  readonly listener: string;
  /** Sent in turn, with so many ms after each. */
  readonly send: readonly (readonly [text: string, ms: number])[];
}

const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;
const UPGRADE = 'connection: upgrade\r\nupgrade: websocket\r\n';

const STEPS: readonly Step[] = [
  { name: 'a request', listener: 'all', send: [[get('/x'), 200]] },
  { name: 'a slow request', listener: 'all', send: [[get('/slow'), 1900]] },
  {
    name: 'an upgrade',
    listener: 'all',
    send: [
      [get('/up', UPGRADE), 200],
      ['hello', 1200],
    ],
  },
  { name: 'an upgrade that is refused', listener: 'all', send: [[get('/no', UPGRADE), 200]] },
  {
    name: 'an upgrade, where only tunnels are told',
    listener: 'tunnels',
    send: [
      [get('/up', UPGRADE), 200],
      ['hello', 200],
    ],
  },
  { name: 'an upgrade that is refused, there', listener: 'tunnels', send: [[get('/no', UPGRADE), 200]] },
  {
    name: 'CONNECT',
    listener: 'tunnels',
    send: [
      ['CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n\r\n', 200],
      ['hello', 200],
    ],
  },
  { name: 'the fields that came before', listener: 'deprecated', send: [[get('/slow'), 1900]] },
  { name: 'attempts', listener: 'attempts', send: [[get('/503'), 400]] },
  { name: 'a slow attempt', listener: 'attempts', send: [[get('/slow'), 1900]] },
  { name: 'an attempt that fails', listener: 'attempts', send: [[get('/dead'), 400]] },
  { name: 'moments of a slow attempt', listener: 'moments', send: [[get('/slow'), 1900]] },
  { name: 'a TCP connection', listener: 'tcp', send: [['hello', 1300]] },
];

function fileLog(file: string): object {
  const log_format = { text_format_source: { inline_string: FORMAT } };
  return {
    name: 'f',
    typed_config: {
      '@type': `${TYPE}extensions.access_loggers.file.v3.FileAccessLog`,
      path: file,
      log_format,
    },
  };
}

function bootstrap(folder: string, port: number): object {
  const log = (name: string): object[] => [fileLog(path.join(folder, name))];
  const listener = (name: string, type: string, config: object): object => ({
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name,
            typed_config: {
              '@type': `${TYPE}extensions.filters.network.${type}`,
              stat_prefix: name,
              ...config,
            },
          },
        ],
      },
    ],
  });
  const retry_policy = { retry_on: '5xx', num_retries: 1 };
  const routes = [
    {
      match: { connect_matcher: {} },
      route: { cluster: 'up', upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
    },
    { match: { prefix: '/dead' }, route: { cluster: 'dead' } },
    { match: { prefix: '/' }, route: { cluster: 'up', retry_policy } },
  ];
  const http = (name: string, config: object, router: object = {}): object =>
    listener(name, 'http_connection_manager.v3.HttpConnectionManager', {
      access_log: log(name),
      upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'CONNECT' }],
      route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
      http_filters: [
        {
          name: 'r',
          typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router`, ...router },
        },
      ],
      ...config,
    });
  const cluster = (name: string, port_value: number): object => {
    const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value } } };
    return { name, load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] } };
  };
  return {
    static_resources: {
      clusters: [cluster('up', port), cluster('dead', 1)],
      listeners: [
        http('all', {
          access_log_options: {
            flush_access_log_on_new_request: true,
            access_log_flush_interval: '1s',
            flush_log_on_tunnel_successfully_established: true,
          },
        }),
        http('tunnels', { access_log_options: { flush_log_on_tunnel_successfully_established: true } }),
        http('deprecated', { flush_access_log_on_new_request: true, access_log_flush_interval: '1s' }),
        http('attempts', { access_log: [] }, { upstream_log: log('attempts') }),
        http(
          'moments',
          { access_log: [] },
          {
            upstream_log: log('moments'),
            upstream_log_options: {
              flush_upstream_log_on_upstream_stream: true,
              upstream_log_flush_interval: '1s',
            },
          },
        ),
        listener('tcp', 'tcp_proxy.v3.TcpProxy', {
          cluster: 'up',
          access_log: log('tcp'),
          access_log_options: {
            flush_access_log_on_connected: true,
            access_log_flush_interval: '1s',
            ...{ flush_access_log_on_start: true },
          },
        }),
      ],
    },
  };
}

/** The lines that each step leaves, by its name. */
async function observe(command: readonly string[]): Promise<Record<string, string[]>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'moments-'));
  const server = upstream().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await EnvoyProcess.start(bootstrap(folder, (server.address() as AddressInfo).port), command);
  const seen: Record<string, string[]> = {};
  try {
    for (const { name, listener, send } of STEPS) {
      const socket = net.connect(proxy.ports.get(listener)!, '127.0.0.1').on('error', () => undefined);
      socket.resume();
      for (const [text, ms] of send) {
        socket.write(text);
        await sleep(ms);
      }
      socket.destroy();
      await sleep(200);
      const lines = readFileSync(path.join(folder, listener), 'utf8').split('\n').slice(0, -1);
      const before = Object.entries(seen)
        .filter(([step]) => STEPS.find((each) => each.name === step)!.listener === listener)
        .reduce((sum, [, each]) => sum + each.length, 0);
      seen[name] = lines.slice(before);
    }
  } finally {
    await proxy.stop();
    server.close();
    rmSync(folder, { recursive: true });
  }
  return seen;
}

describe('moments of access logs', { skip: SKIP }, () => {
  test('are those of Envoy', { timeout: 60_000 }, async () => {
    const [theirs, ours] = await Promise.all([observe([ENVOY_BIN!]), observe(PILOTFISH)]);
    assert.deepEqual(ours, theirs);
  });
});
