// What `npm start` runs: the folder control plane on examples/demo, and what happens when its files are edited.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DEMO_PORTS, type DemoBackends, startBackends } from '../../server/main/demo/backends.ts';
import { DEMO_FOLDER } from '../../server/main/demo/demo.ts';
import { ANY_ADMIN_PORT, type Answer, ask, eventually, ProxyProcess } from './proxy_process.ts';

describe('a folder of resources', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-demo-'));
  let backends: DemoBackends;
  let proxy: ProxyProcess;
  let httpPort: number;

  /** Rewrites a file as an editor does. */
  function edit(file: string, from: string | RegExp, to: string): void {
    const full = path.join(folder, file);
    const text = readFileSync(full, 'utf8');
    const edited = text.replaceAll(from, to);
    assert.notEqual(edited, text, `${from} is not in ${file}`);
    writeFileSync(full, edited);
  }

  function get(target: string, headers: Record<string, string> = {}): Promise<Answer> {
    return ask(`http://127.0.0.1:${httpPort}${target}`, { headers });
  }

  before(async () => {
    cpSync(DEMO_FOLDER, folder, { recursive: true });
    backends = await startBackends({ helloV1: 0, helloV2: 0, echo: 0 });
    edit('listeners.yaml', /port_value: \d+/g, 'port_value: 0');
    edit('clusters.yaml', `port_value: ${DEMO_PORTS.echo}`, `port_value: ${backends.ports.echo}`);
    edit('endpoints.yaml', `port_value: ${DEMO_PORTS.helloV1}`, `port_value: ${backends.ports.helloV1}`);
    edit('endpoints.yaml', `port_value: ${DEMO_PORTS.helloV2}`, `port_value: ${backends.ports.helloV2}`);
    proxy = await ProxyProcess.start(
      ...['--resources', folder, '--config-yaml', JSON.stringify(ANY_ADMIN_PORT), '--concurrency', '2'],
    );
    httpPort = await proxy.port('http');
  });

  after(async () => {
    await proxy?.stop();
    backends?.close();
    rmSync(folder, { recursive: true });
  });

  test('splits by weight', async () => {
    const bodies = await Promise.all(Array.from({ length: 200 }, () => get('/hello')));
    const v2 = bodies.filter(({ body }) => body === 'Hello from v2: GET /hello\n').length;
    const v1 = bodies.filter(({ body }) => body === 'Hello from v1: GET /hello\n').length;
    assert.equal(v1 + v2, 200);
    // A quarter; the bounds are five standard deviations away.
    assert.ok(v2 > 19 && v2 < 81, `${v2} of 200 went to v2`);
  });

  test('routes by header, rewrites, answers itself, redirects', async () => {
    assert.equal((await get('/x', { 'x-version': 'v2' })).body, 'Hello from v2: GET /x\n');
    assert.equal((await get('/api/users?a=b')).body, 'Hello from v1: GET /hello/users?a=b\n');
    assert.equal((await get('/direct')).body, 'No backend was asked.\n');
    const { status, headers } = await get('/old');
    assert.deepEqual([status, headers.location], [301, `http://127.0.0.1:${httpPort}/new`]);
  });

  test('injects faults', async () => {
    const started = performance.now();
    assert.equal((await get('/slow')).status, 200);
    assert.ok(performance.now() - started >= 990);
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await get('/flaky')).status));
    assert.deepEqual([...new Set(statuses)].sort(), [200, 503]);
  });

  test('lists clusters and listeners with their live numbers', async () => {
    const read = async (target: string): Promise<Record<string, unknown>> =>
      JSON.parse((await proxy.admin(target)).body);
    const before = await read('/api/clusters/hello-v1');
    await Promise.all(Array.from({ length: 20 }, () => get('/api/users')));
    const after = await read('/api/clusters/hello-v1');
    assert.deepEqual(
      [after['type'], after['static'], after['hosts'], after['healthy'], after['unhealthy']],
      ['EDS', false, 1, 1, 0],
    );
    assert.equal(Number(after['requests']) - Number(before['requests']), 20);
    const breakers = after['breakers'] as { priority: string; limit: string; max: number }[];
    assert.equal(breakers.length, 8);
    assert.deepEqual(
      breakers.find(({ priority, limit }) => priority === 'default' && limit === 'max_retries'),
      { priority: 'default', limit: 'max_retries', used: 0, max: 3 },
    );
    const listener = await read('/api/listeners/http');
    assert.deepEqual(listener['addresses'], [`127.0.0.1:${httpPort}`]);
    assert.deepEqual(listener['network_filters'], ['HttpConnectionManager']);
    const [traffic] = listener['traffic'] as Record<string, unknown>[];
    assert.equal(traffic!['stat_prefix'], 'demo');
    assert.ok(Number(traffic!['requests']) >= 20 && Number(listener['connections_total']) > 0);
  });

  test('forwards TCP', async () => {
    const socket = net.connect(await proxy.port('tcp'), '127.0.0.1');
    socket.write('hello');
    assert.equal(String((await once(socket, 'data'))[0]), 'hello');
    socket.destroy();
  });

  test('follows an edited route', async () => {
    edit('routes.yaml', 'No backend was asked.', 'Edited.');
    await eventually(async () => (await get('/direct')).body === 'Edited.\n', 'the new direct response');
    edit('routes.yaml', 'weight: 75', 'weight: 0');
    await eventually(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => get('/hello')));
      return answers.every(({ body }) => body.includes('v2'));
    }, 'all requests go to v2');
  });

  test('follows edited endpoints', async () => {
    edit('endpoints.yaml', `port_value: ${backends.ports.helloV1}`, `port_value: ${backends.ports.helloV2}`);
    await eventually(
      async () => (await get('/api/x')).body === 'Hello from v2: GET /hello/x\n',
      'the new host',
    );
  });

  test('a mistake changes nothing and is told with its place', async () => {
    edit('routes.yaml', 'prefix_rewrite: /hello/', 'prefix_rewrit: /hello/');
    await eventually(async () => /routes\.yaml:\d+:\d+: .*prefix_rewrit/.test(proxy.stderr), 'the complaint');
    assert.equal((await get('/api/x')).body, 'Hello from v2: GET /hello/x\n');
    edit('routes.yaml', 'prefix_rewrit: /hello/', 'prefix_rewrite: /mended/');
    await eventually(async () => (await get('/api/x')).body === 'Hello from v2: GET /mended/x\n', 'mended');
  });

  test('follows a listener that comes and goes', async () => {
    const full = path.join(folder, 'more.yaml');
    const hcm = readFileSync(path.join(folder, 'listeners.yaml'), 'utf8').split(/^- /m)[1]!;
    writeFileSync(full, `- ${hcm.replace('name: http\n', 'name: second\n')}`);
    await eventually(async () => (await proxy.admin('/listeners')).body.includes('second::'), 'the listener');
    const port = await proxy.port('second');
    await eventually(async () => {
      const answer = await ask(`http://127.0.0.1:${port}/direct`).catch(() => undefined);
      return answer?.body === 'Edited.\n';
    }, 'it answers');
    rmSync(full);
    await eventually(async () => !(await proxy.admin('/listeners')).body.includes('second::'), 'it is gone');
    await eventually(async () => {
      const refused = await ask(`http://127.0.0.1:${port}/`).then(
        () => false,
        () => true,
      );
      return refused;
    }, 'its port is closed');
    assert.equal((await get('/direct')).status, 200);
  });

  test('shows in the admin what is in force', async () => {
    const dump = JSON.parse((await proxy.admin('/config_dump?include_eds')).body) as { configs: object[] };
    const text = JSON.stringify(dump);
    for (const name of ['hello-v1', 'hello-v2', 'echo', 'Edited.', '/mended/'])
      assert.ok(text.includes(name), name);
    const { body } = await proxy.admin('/clusters');
    assert.match(body, new RegExp(`^echo::127\\.0\\.0\\.1:${backends.ports.echo}::cx_total::1$`, 'm'));
    assert.match(
      body,
      new RegExp(`^hello-v2::127\\.0\\.0\\.1:${backends.ports.helloV2}::rq_total::[1-9]`, 'm'),
    );
  });
});

/** Those of the demo, and the admin's. */
const FIXED_PORTS = [10000, 10010, 15000, ...Object.values(DEMO_PORTS)];
const taken = (await Promise.all(FIXED_PORTS.map(isTaken))).some(Boolean);

test('npm start without arguments', {
  skip: taken && `a port of ${FIXED_PORTS.join(', ')} is taken`,
}, async () => {
  const proxy = await ProxyProcess.start();
  try {
    await eventually(async () => proxy.stdout.includes('Pilotfish is running the demo.'), 'the welcome');
    const commands = [...proxy.stdout.matchAll(/^ {2}curl (?:-i )?(http:\S+)/gm)].map((match) => match[1]!);
    assert.ok(commands.length >= 6);
    for (const url of commands) assert.ok([200, 301, 503].includes((await ask(url)).status), url);
    assert.match((await ask('http://127.0.0.1:10000/hello')).body, /^Hello from v[12]: GET \/hello\n$/);
  } finally {
    assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
  }
});

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(true));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)));
  });
}
