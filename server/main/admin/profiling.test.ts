import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { serveAdmin } from '../../../tests/fakes/admin_client.ts';
import { fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { ipAddress } from '../../common/network/address.ts';
import { statSchema } from '../../common/stats/schema.ts';
import { AdminServer } from './admin.ts';
import type { HeapFigures, Profiler } from './context.ts';

const post = { method: 'POST' };

describe('profilers', () => {
  test('start and stop, and answer with the profiles of all threads', async (t) => {
    const calls: string[] = [];
    const profiler: Profiler = {
      start: async (kind) => calls.push(`start ${kind}`) > 0 && kind !== 'heap',
      stop: async (kind) => {
        calls.push(`stop ${kind}`);
        return kind === 'cpu' ? new Map([['main_thread', '{"nodes":[]}'], ['worker_0', '{}']]) : undefined; // biome-ignore format: short
      },
      heaps: async () => new Map(),
    };
    const ask = await serveAdmin(t, fakeAdminContext({ profiler }));
    for (const query of ['', '?enable=z', '?enable=', '?enable=y&enable=y', '?enabled=y']) {
      const { status, body } = await ask(`/cpuprofiler${query}`, post);
      assert.deepEqual([status, body], [400, '?enable=<y|n>\n'], query);
    }
    assert.equal((await ask('/cpuprofiler?enable=y', post)).body, 'OK\n');
    const { headers, body } = await ask('/cpuprofiler?enable=n', post);
    assert.equal(headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(body), { main_thread: { nodes: [] }, worker_0: {} });
    const failed = await ask('/heapprofiler?enable=y', post);
    assert.deepEqual([failed.status, failed.body], [500, 'failure to start the profiler']);
    assert.equal((await ask('/allocprofiler?enable=n', post)).body, 'OK\n');
    assert.deepEqual(calls, ['start cpu', 'stop cpu', 'start heap', 'stop allocation']);
  });

  test('what V8 does not have says so', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext());
    for (const path of ['/heap_dump', '/peak_heap_dump']) {
      const { status, body } = await ask(path);
      assert.equal(status, 501);
      assert.match(body, /\/heapprofiler/);
    }
  });

  test('/memory/tcmalloc lists the heap of each thread', async (t) => {
    const heap: HeapFigures = {
      used: 3 << 20,
      committed: 4 << 20,
      physical: 5,
      limit: 6,
      external: 7,
      malloced: 8,
    };
    const profiler: Profiler = {
      start: async () => true,
      stop: async () => undefined,
      heaps: async () => new Map([['worker_0', heap]]),
    };
    const ask = await serveAdmin(t, fakeAdminContext({ profiler }));
    const { headers, body } = await ask('/memory/tcmalloc');
    assert.equal(headers['content-type'], 'text/plain');
    assert.match(body, /^worker_0: +3145728 \( +3\.0 MiB\) Bytes in use by objects$/m);
    assert.match(body, /^worker_0: +1048576 \( +1\.0 MiB\) Bytes in the heap that are free$/m);
  });
});

test('/stats/recentlookups counts what was looked up while it is enabled', async (t) => {
  const context = fakeAdminContext();
  const ask = await serveAdmin(t, context);
  const schema = statSchema('test', { a: 'counter' });
  const look = (prefix: string): void => {
    context.store.release(context.store.block(schema, prefix));
    context.store.flush();
  };
  look('early.');
  const disabled = 'Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n\ntotal: 1\n';
  assert.equal((await ask('/stats/recentlookups')).body, disabled);
  await ask('/stats/recentlookups/enable', post);
  for (const prefix of ['a.', 'b.', 'a.']) look(prefix);
  const listed = '   Count Lookup\n       2 a.\n       1 b.\n\ntotal: 4\n';
  assert.equal((await ask('/stats/recentlookups')).body, listed);
  await ask('/stats/recentlookups/clear', post);
  assert.equal((await ask('/stats/recentlookups')).body, '   Count Lookup\n\ntotal: 0\n');
});

test('a long answer is compressed for who asks for it, a short one never', async (t) => {
  const server = new AdminServer(fakeAdminContext());
  const { port } = await server.listen(ipAddress('127.0.0.1', 0));
  t.after(() => server.close());
  const get = (path: string, encoding: string): Promise<{ encoding: string | undefined; body: Buffer }> =>
    new Promise((resolve, reject) => {
      const headers = { 'accept-encoding': encoding };
      const outgoing = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }),
        );
      });
      outgoing.on('error', reject).end();
    });
  const plain = await get('/help', 'gzip;q=0');
  assert.equal(plain.encoding, undefined);
  const compressed = await get('/help', 'gzip, deflate');
  assert.equal(compressed.encoding, 'gzip');
  assert.ok(compressed.body.length < plain.body.length / 2);
  assert.equal(gunzipSync(compressed.body).toString(), plain.body.toString());
  assert.equal((await get('/ready', 'gzip')).encoding, undefined);
});
