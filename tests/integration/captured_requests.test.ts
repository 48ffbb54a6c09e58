// Requests that failed, the slowest ones, and live ones while somebody watches: what /api/requests tells of requests that went
// through a real proxy.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CapturedRequest } from '../../server/common/capture/captured_request.ts';
import { ANY_ADMIN_PORT, ask, eventually, ProxyProcess } from './proxy_process.ts';
import { portOf, TYPE } from './resources.ts';

const SLOW_MS = 150;

let backend: http.Server;
let proxy: ProxyProcess;
let port: number;

function cluster(name: string, ...ports: number[]): object {
  const lb_endpoints = ports.map((port_value) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
  }));
  const load_assignment = { cluster_name: name, endpoints: [{ lb_endpoints }] };
  return { name, type: 'STATIC', connect_timeout: '1s', load_assignment };
}

async function freePort(): Promise<number> {
  const server = http.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const free = portOf(server);
  server.close();
  return free;
}

before(async () => {
  let answers = 0;
  backend = http.createServer(async (request, response) => {
    if (request.url!.startsWith('/slow')) await sleep(SLOW_MS);
    const unlucky = request.url!.startsWith('/retried') && answers++ % 3 < 2;
    response
      .writeHead(unlucky ? 503 : 200, { 'set-cookie': 'id=the-canary', 'x-from': 'backend' })
      .end('fine');
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const route = (prefix: string, name: string, more: object): object => ({
    name,
    match: { prefix },
    route: { timeout: '5s', ...more },
  });
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    route_config: {
      name: 'local',
      virtual_hosts: [
        {
          name: 'shop',
          domains: ['shop.example.com'],
          routes: [
            route('/down', 'down', { cluster: 'down' }),
            route('/empty', 'empty', { cluster: 'empty' }),
            route('/retried', 'retried', {
              cluster: 'backend',
              prefix_rewrite: '/retried/new',
              retry_policy: { retry_on: '5xx', num_retries: 3 },
            }),
            route('/', 'everything', { cluster: 'backend' }),
          ],
        },
      ],
    },
    http_filters: [
      { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
  };
  const bootstrap = {
    ...ANY_ADMIN_PORT,
    static_resources: {
      listeners: [
        {
          name: 'http',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ name: 'plain', filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [cluster('backend', portOf(backend)), cluster('down', await freePort()), cluster('empty')],
    },
  };
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', '2');
  port = await proxy.port('http');
});

after(async () => {
  await proxy?.stop();
  backend?.close().closeAllConnections();
});

function send(path: string, headers: http.OutgoingHttpHeaders = {}, method = 'GET') {
  return ask(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { host: 'shop.example.com', ...headers },
  });
}

async function list(query: string): Promise<CapturedRequest[]> {
  const { status, body } = await proxy.admin(`/api/requests?${query}`);
  assert.equal(status, 200, body);
  return JSON.parse(body).items;
}

async function detail(id: string): Promise<CapturedRequest & { readonly curl: string }> {
  return JSON.parse((await proxy.admin(`/api/requests/${id}`)).body);
}

async function capture(settings: object): Promise<{ readonly active: boolean }> {
  const url = `http://127.0.0.1:${adminPort()}/api/capture`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(settings) });
  assert.equal(response.status, 200);
  return (await response.json()) as { active: boolean };
}

function adminPort(): number {
  return Number(proxy.adminAddress.split(':').at(-1));
}

test('failed requests are kept with what happened to them, without their secrets', async () => {
  const secrets = {
    authorization: 'Bearer the-canary',
    cookie: 'id=the-canary',
    'x-api-key': 'the-canary',
    'x-seen': 'yes',
  };
  await send('/down?access_token=the-canary&x=1', secrets, 'POST');
  await send('/empty');
  await ask(`http://127.0.0.1:${port}/`, { headers: { host: 'nobody.example.com' } });
  const [unreachable] = await list('set=failed&search=/down');
  assert.deepEqual(
    [
      unreachable!.status,
      unreachable!.flags,
      unreachable!.route,
      unreachable!.cluster,
      unreachable!.attempts,
    ],
    [503, ['UF'], 'down', 'down', 1],
  );
  const whole = await detail(unreachable!.id);
  assert.equal(whole.path, '/down?access_token=[redacted]&x=1');
  assert.equal(whole.filter_chain, 'plain');
  assert.match(whole.host, /^127\.0\.0\.1:\d+$/);
  assert.match(
    whole.curl,
    /^curl -v -X POST --connect-to .*x-seen: yes.* '?http:\/\/shop\.example\.com\/down/,
  );
  const headers = new Map(whole.request_headers.map(({ name, value }) => [name, value]));
  assert.deepEqual(
    ['authorization', 'cookie', 'x-api-key', 'x-seen'].map((name) => headers.get(name)),
    ['[redacted]', '[redacted]', '[redacted]', 'yes'],
  );
  assert.doesNotMatch(JSON.stringify(whole), /canary/);
  assert.deepEqual(
    (await list('flag=UH')).map(({ route, status }) => [route, status]),
    [['empty', 503]],
  );
  assert.deepEqual(
    (await list('flag=NR')).map(({ authority, status }) => [authority, status]),
    [['nobody.example.com', 404]],
  );
  assert.deepEqual((await list('status=404')).length, 1);
  assert.equal((await proxy.admin('/api/requests/9-9')).status, 404);
});

test('attempts that were given up are told, and what came of the route', async () => {
  assert.equal((await send('/retried')).status, 200);
  const found = (await list('search=/retried')).at(0);
  const whole = await detail(found!.id);
  assert.deepEqual([whole.status, whole.attempts, whole.set], [200, 3, 'slow']);
  assert.deepEqual(
    whole.attempt_log.map(({ number, outcome }) => [number, outcome]),
    [
      [1, '503'],
      [2, '503'],
    ],
  );
  assert.deepEqual([whole.path, whole.upstream_path], ['/retried', '/retried/new']);
});

test('the slowest are kept with their phases', async () => {
  for (let i = 0; i < 80; i++) await send('/quick');
  await send('/slow/one');
  const slow = await list('set=slow&sort=-duration_ms');
  assert.deepEqual(
    slow.map(({ duration_ms }) => duration_ms),
    slow.map(({ duration_ms }) => duration_ms).toSorted((a, b) => b - a),
  );
  const slowest = slow.find(({ path }) => path === '/slow/one');
  assert.ok(slowest!.duration_ms >= SLOW_MS - 5, String(slowest!.duration_ms));
  const { phases, response_headers } = await detail(slowest!.id);
  const waited = phases.find(({ name }) => name === 'wait_for_response')!;
  assert.ok(waited.end_ms - waited.start_ms >= SLOW_MS - 5, JSON.stringify(phases));
  for (const { start_ms, end_ms } of phases)
    assert.ok(start_ms >= 0 && end_ms >= start_ms && end_ms <= slowest!.duration_ms);
  assert.equal(response_headers.find(({ name }) => name === 'set-cookie')?.value, '[redacted]');
  // Bounded: 25 of each worker.
  const { body } = await proxy.admin('/api/requests?set=slow&limit=1000');
  assert.ok(JSON.parse(body).total <= 2 * 25, body);
});

test('live requests are there only while somebody watches, as many as were asked for', async () => {
  await send('/unseen');
  assert.deepEqual(await list('set=live'), []);
  const events = await fetch(`http://127.0.0.1:${adminPort()}/api/requests/events`);
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal(
    (await capture({ seconds: 30, max_per_second: 5, filter: { path_prefix: '/seen' } })).active,
    true,
  );
  let heard = '';
  void (async () => {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) heard += piece.value;
  })().catch(() => undefined);
  await send('/unseen');
  await send('/seen/1');
  await eventually(async () => (await list('set=live')).length === 1, 'one live request');
  await eventually(async () => /event: request\nid: .*\ndata: .*seen\/1/.test(heard), 'its event');
  await Promise.all(Array.from({ length: 60 }, (_, i) => send(`/seen/many/${i}`)));
  const seen = (await list('set=live&limit=1000')).length;
  // At most 5 in each second that it took.
  assert.ok(seen >= 5 && seen < 30, `${seen} live`);
  assert.equal((await capture({ seconds: 0 })).active, false);
  await send('/seen/later');
  assert.deepEqual(await list('set=live&search=later'), []);
  await reader.cancel();
});

test('a watch ends by itself', async () => {
  await capture({ seconds: 1 });
  await eventually(
    async () => !JSON.parse((await proxy.admin('/api/capture')).body).active,
    'the end of the watch',
  );
  await send('/after/the/end');
  assert.deepEqual(await list('set=live&search=after'), []);
});
