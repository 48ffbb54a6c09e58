import assert from 'node:assert/strict';
import { request } from 'node:http';
import { before, describe, type TestContext, test } from 'node:test';
import { buildDashboard } from '../../../admin-ui/build.ts';
import { fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { ipAddress } from '../../common/network/address.ts';
import { AdminServer } from './admin.ts';

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

type Fetch = (path: string, headers?: Record<string, string>, method?: string) => Promise<Reply>;

async function served(t: TestContext): Promise<Fetch> {
  const server = new AdminServer(fakeAdminContext({}));
  const { port } = await server.listen(ipAddress('127.0.0.1', 0));
  t.after(() => server.close());
  return (path, headers = {}, method = 'GET') =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port, path, headers, method, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
}

describe('the dashboard', () => {
  before(() => buildDashboard());

  test('is where browsers come to; others get the home page of Envoy, and browsers, too, when they ask for it', async (t) => {
    const get = await served(t);
    const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    const { status, headers } = await get('/', browser);
    assert.deepEqual([status, headers['location']], [302, '/ui/']);
    for (const reply of [await get('/'), await get('/', { accept: '*/*' }), await get('/?envoy', browser)]) {
      assert.match(String(reply.body), /Envoy Admin/);
    }
  });

  test('is one page for all screens, that runs nothing of others', async (t) => {
    const get = await served(t);
    for (const path of ['/ui/', '/ui/clusters', '/ui/clusters?cluster=a.b']) {
      const { status, headers, body } = await get(path);
      assert.equal(status, 200, path);
      assert.equal(headers['content-type'], 'text/html; charset=utf-8');
      assert.match(String(headers['content-security-policy']), /^default-src 'self';/);
      assert.doesNotMatch(String(headers['content-security-policy']), /unsafe/);
      assert.equal(headers['cache-control'], 'no-cache');
      assert.match(String(body), /<div id="root">/);
      assert.doesNotMatch(String(body), /<style|<script>| style=| on\w+=|https?:/);
    }
    assert.deepEqual((await get('/ui')).headers['location'], '/ui/');
  });

  test('its files are kept for ever, come compressed, and are not sent again', async (t) => {
    const get = await served(t);
    const page = String((await get('/ui/')).body);
    const script = /src="(\/ui\/assets\/[^"]+\.js)"/.exec(page)![1]!;
    const plain = await get(script);
    const gzip = await get(script, { 'accept-encoding': 'gzip' });
    assert.equal(plain.headers['content-type'], 'text/javascript; charset=utf-8');
    assert.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(gzip.headers['content-encoding'], 'gzip');
    assert.ok(gzip.body.length * 2 < plain.body.length);
    assert.equal(Number(plain.headers['content-length']), plain.body.length);
    const again = await get('/ui/', { 'if-none-match': String((await get('/ui/')).headers['etag']) });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
  });

  test('gives nothing but its own files', async (t) => {
    const get = await served(t);
    for (const path of [
      '/ui/no-such.js',
      '/ui/../package.json',
      '/ui/%2e%2e/package.json',
      '/ui/..%2fpackage.json',
      '/ui/assets/../../package.json',
      '/ui/assets/..%2f..%2fbuild.ts',
      '/ui/manifest.json',
      '/ui/inputs.sha256',
    ]) {
      const { status, body } = await get(path);
      assert.equal(status, 404, path);
      assert.equal(String(body), path.startsWith('/ui/../') ? String(body) : 'no such file\n');
    }
    assert.equal((await get('/ui/', {}, 'POST')).status, 405);
    assert.equal((await get('/ui/', {}, 'HEAD')).body.length, 0);
  });
});
