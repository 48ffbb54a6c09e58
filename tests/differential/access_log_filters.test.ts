// Every filter of access logs in Envoy and in Pilotfish: which of the same requests are written. And logs that are moved away,
// and opened anew by a signal and by POST /reopen_logs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProxyProcess } from '../integration/proxy_process.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { talk } from './raw_client.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const TYPE = 'type.googleapis.com/envoy.';

const comparison = (op: string, default_value: number, runtime_key = 'none'): object => ({
  comparison: { op, value: { default_value, runtime_key } },
});
const status = (op: string, value: number, key?: string): object => ({
  status_code_filter: comparison(op, value, key),
});
const header = (matcher: object): object => ({ header_filter: { header: { name: 'x-a', ...matcher } } });
const metadata = (more: object): object => ({
  metadata_filter: {
    matcher: { filter: 'some', path: [{ key: 'key' }], value: { string_match: { exact: 'v' } } },
    ...more,
  },
});
const percent = (numerator: number, more: object = {}): object => ({
  runtime_filter: { runtime_key: 'none', percent_sampled: { numerator, denominator: 'HUNDRED' }, ...more },
});

const FILTERS: Readonly<Record<string, object>> = {
  'status GE': status('GE', 404),
  'status LE': status('LE', 404),
  'status EQ': status('EQ', 404),
  'status NE': status('NE', 200),
  'status by runtime': status('GE', 1000, 'key.status'),
  'duration GE': { duration_filter: comparison('GE', 200) },
  'duration LE': { duration_filter: comparison('LE', 200) },
  'not health check': { not_health_check_filter: {} },
  traceable: { traceable_filter: {} },
  'runtime 0': percent(0),
  'runtime 100': percent(100),
  'runtime 100 at random': percent(100, { use_independent_randomness: true }),
  'runtime by key': { runtime_filter: { runtime_key: 'key.percent', percent_sampled: { numerator: 0 } } },
  and: { and_filter: { filters: [status('GE', 400), header({ present_match: true })] } },
  or: { or_filter: { filters: [status('GE', 500), header({ present_match: true })] } },
  'header exact': header({ string_match: { exact: 'b' } }),
  'header present': header({ present_match: true }),
  'header absent': header({ present_match: true, invert_match: true }),
  'header range': header({ range_match: { start: 1, end: 5 } }),
  'any flag': { response_flag_filter: {} },
  'flag NR': { response_flag_filter: { flags: ['NR', 'UF'] } },
  'gRPC status': { grpc_status_filter: { statuses: ['UNAVAILABLE', 'OK'] } },
  'not gRPC status': { grpc_status_filter: { statuses: ['UNAVAILABLE', 'CANCELED'], exclude: true } },
  metadata: metadata({}),
  'metadata that must be there': metadata({ match_if_key_not_found: false }),
  'metadata of nothing': { metadata_filter: {} },
  'log type': { log_type_filter: { types: ['DownstreamStart', 'TcpConnectionEnd'] } },
  'not log type': { log_type_filter: { types: ['DownstreamStart'], exclude: true } },
};

/** Path and headers of each request. */
const REQUESTS: readonly (readonly [string, string])[] = [
  ['/direct', ''],
  ['/direct/b', 'x-a: b\r\n'],
  ['/direct/3', 'x-a: 3\r\n'],
  ['/404', 'x-a: b\r\n'],
  ['/dead', ''],
  ['/dead/a', 'x-a: c\r\n'],
  ['/slow', ''],
  ['/nowhere', 'host: none\r\n'],
  ['/grpc', 'content-type: application/grpc\r\n'],
  ['/dead/grpc', 'content-type: application/grpc\r\n'],
  ['/health', 'user-agent: Envoy/HC\r\n'],
  ['/direct/traced', 'x-envoy-force-trace: true\r\n'],
];

function fileLog(file: string, filter?: object): object {
  const log_format = { text_format_source: { inline_string: '%REQ(:PATH)% %ACCESS_LOG_TYPE%\n' } };
  const type = `${TYPE}extensions.access_loggers.file.v3.FileAccessLog`;
  return { name: 'f', typed_config: { '@type': type, path: file, log_format }, ...(filter && { filter }) };
}

function bootstrap(accessLogs: readonly object[], port: number): object {
  const cluster = (name: string, port_value: number): object => {
    const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value } } };
    return { name, load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] } };
  };
  const to = (prefix: string, more: object): object => ({ match: { prefix }, ...more });
  const http = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'x',
    access_log: accessLogs,
    access_log_options: { flush_access_log_on_new_request: true },
    generate_request_id: true,
    route_config: {
      virtual_hosts: [
        {
          name: 'v',
          domains: ['a'],
          routes: [
            to('/direct', { direct_response: { status: 200 } }),
            to('/health', { direct_response: { status: 200 } }),
            to('/dead', { route: { cluster: 'dead' } }),
            to('/404', { direct_response: { status: 404 } }),
            to('/', { route: { cluster: 'up' } }),
          ],
        },
      ],
    },
    http_filters: [
      { name: 'r', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
  };
  return {
    layered_runtime: { layers: [{ name: 's', static_layer: { 'key.status': 404, 'key.percent': 100 } }] },
    static_resources: {
      clusters: [cluster('up', port), cluster('dead', 1)],
      listeners: [
        {
          name: 'l',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ filters: [{ name: 'h', typed_config: http }] }],
        },
      ],
    },
  };
}

async function observe(t: TestContext, command: readonly string[]): Promise<Record<string, string[]>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'filters-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const grpc = String(bytes).includes('/grpc')
        ? 'content-type: application/grpc\r\ngrpc-status: 0\r\n'
        : '';
      setTimeout(
        () => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${grpc}\r\n`),
        grpc === '' ? 300 : 0,
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const names = Object.keys(FILTERS);
  const file = (name: string): string => path.join(folder, name.replaceAll(' ', '_'));
  const logs = names.map((name) => fileLog(file(name), FILTERS[name]));
  const proxy = await EnvoyProcess.start(bootstrap(logs, (server.address() as AddressInfo).port), command);
  t.after(() => proxy.stop());
  for (const [target, headers] of REQUESTS) {
    const host = headers.startsWith('host') ? '' : 'host: a\r\n';
    await talk(proxy.ports.get('l')!, [`GET ${target} HTTP/1.1\r\n${host}${headers}\r\n`]);
  }
  await sleep(400);
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(file(name), 'utf8').split('\n').slice(0, -1)]),
  );
}

describe('access log filters', { skip: SKIP }, () => {
  test('let through what those of Envoy do', { timeout: 60_000 }, async (t) => {
    const [theirs, ours] = [await observe(t, [ENVOY_BIN!]), await observe(t, PILOTFISH)];
    assert.deepEqual(ours, theirs);
  });
});

test('logs are opened anew by SIGUSR1 and by POST /reopen_logs', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'reopened-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'log');
  const admin = { admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } } };
  const config = JSON.stringify({ ...bootstrap([fileLog(file)], 1), ...admin });
  const proxy = await ProxyProcess.start(
    '--config-yaml',
    config,
    '--concurrency',
    '2',
    '--file-flush-interval-msec',
    '20',
  );
  t.after(() => proxy.stop());
  const port = await proxy.port('l');
  const request = (target: string): Promise<string> =>
    talk(port, [`GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`]);
  const reopen = [() => proxy.signal('SIGUSR1'), () => proxy.admin('/reopen_logs', 'POST')];
  for (const [index, again] of reopen.entries()) {
    await request(`/direct/before/${index}`);
    await sleep(200);
    renameSync(file, `${file}.${index}`);
    await request(`/direct/moved/${index}`);
    await sleep(200);
    await again();
    for (let i = 0; i < 100 && !existsSync(file); i++) await sleep(20);
    await request(`/direct/after/${index}`);
    await sleep(200);
    const paths = (name: string): string[] =>
      [...readFileSync(name, 'utf8').matchAll(/^(\S*) DownstreamEnd$/gm)].map(([, target]) => target!);
    assert.deepEqual(paths(`${file}.${index}`).slice(-2), [
      `/direct/before/${index}`,
      `/direct/moved/${index}`,
    ]);
    assert.deepEqual(paths(file), [`/direct/after/${index}`]);
  }
});
