import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { create } from '../../../xds-protos/load.ts';
import { compileStringMatcher } from '../../common/matcher/string_matcher.ts';
import { ipAddress } from '../../common/network/address.ts';
import { type AccessRules, AdminAccess } from './access.ts';
import { AdminServer } from './admin.ts';
import { API_ENDPOINTS } from './api/api.ts';
import { type AdminOptions, loadCredentials } from './credentials.ts';
import { HANDLERS } from './handlers.ts';

const ADMIN_TOKEN = 'an-admin-token-of-length';
const VIEWER_TOKEN = 'a-viewer-token-of-length';
const CERTS = path.join(import.meta.dirname, '../../../tests/fixtures/certs');

const NO_OPTIONS: AdminOptions = {
  tokenFile: '',
  viewerTokenFile: '',
  certFile: '',
  keyFile: '',
  clientCaFile: '',
  clientSans: [],
  hosts: [],
  trustLoopback: false,
  allowRemoteWrites: false,
};

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}
interface Question {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  /** Where it comes from: any address of 127.0.0.0/8 is this machine's. */
  readonly localAddress?: string;
  readonly cert?: string;
}

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'pilotfish-access-'));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

function tokenFiles(t: TestContext): { tokenFile: string; viewerTokenFile: string } {
  const files = { tokenFile: path.join(folder(t), 'admin'), viewerTokenFile: path.join(folder(t), 'viewer') };
  writeFileSync(files.tokenFile, `${ADMIN_TOKEN}\n`);
  writeFileSync(files.viewerTokenFile, `${VIEWER_TOKEN}\n`);
  return files;
}

/** An admin server under these rules on `host`, which a machine without it cannot have. */
async function serve(
  t: TestContext,
  options: Partial<AdminOptions>,
  rules: Partial<AccessRules> = {},
  host = '127.0.0.1',
) {
  const all = { ...NO_OPTIONS, ...options };
  const { trustLoopback, allowRemoteWrites, hosts } = all;
  const credentials = loadCredentials(all);
  const context = fakeAdminContext({
    access: { credentials, trustLoopback, allowRemoteWrites, hosts, allowPaths: [], ...rules },
  });
  const server = new AdminServer(context);
  const { port } = await server.listen(ipAddress(host, 0));
  t.after(() => server.close());
  const ask = (target: string, question: Question = {}): Promise<Answer> => {
    const { method = 'GET', headers = {}, body, localAddress, cert } = question;
    return new Promise((resolve, reject) => {
      const read = (file: string): Buffer => readFileSync(path.join(CERTS, file));
      const shared = { host, port, path: target, method, headers, localAddress, agent: false } as const;
      const tls = { ca: read('ca.pem'), servername: 'localhost', rejectUnauthorized: false };
      const own = cert === undefined ? {} : { cert: read(`${cert}.pem`), key: read(`${cert}.key`) };
      const outgoing =
        options.certFile === undefined ? httpRequest(shared) : httpsRequest({ ...shared, ...tls, ...own });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode!, body: text, headers: response.headers }),
        );
      });
      outgoing.end(body);
    });
  };
  return { ask, context, port };
}

const bearer = (token: string): { readonly headers: OutgoingHttpHeaders } => ({
  headers: { authorization: `Bearer ${token}` },
});
const json = { 'content-type': 'application/json' };

/** Every question that changes something. */
const WRITES = [
  ...HANDLERS.filter(({ mutates }) => mutates).map(({ path: target }) => target),
  ...API_ENDPOINTS.filter(({ mutates }) => mutates).map(({ path: target }) =>
    target.replaceAll(/\{\w+\}/g, '1'),
  ),
];

describe('without credentials', () => {
  test('loopback may do everything', async (t) => {
    const { ask, context } = await serve(t, {});
    assert.equal((await ask('/quitquitquit', { method: 'POST' })).status, 200);
    assert.deepEqual(context.done, ['quit']);
    assert.deepEqual(JSON.parse((await ask('/api/session')).body), {
      role: 'admin',
      by: 'loopback',
      can_write: true,
      credentials_needed: false,
      login: false,
    });
  });

  test('GET changes nothing, whatever is asked', async (t) => {
    const { ask, context } = await serve(t, {});
    const readable = new Set(
      API_ENDPOINTS.filter(({ method }) => method === undefined).map((each) => each.path),
    );
    for (const target of WRITES.filter((each) => !readable.has(each)))
      assert.equal((await ask(target)).status, 405, target);
    assert.deepEqual(context.done, []);
    for (const { mutates, method } of API_ENDPOINTS) assert.ok(!mutates || method === 'POST');
  });
});

describe('peers elsewhere', () => {
  const from = (remoteAddress: string | undefined): IncomingMessage =>
    ({ headers: {}, method: 'POST', socket: { remoteAddress } }) as unknown as IncomingMessage;
  const rules: AccessRules = {
    credentials: { tokens: [], tls: undefined },
    trustLoopback: false,
    allowRemoteWrites: false,
    hosts: [],
    allowPaths: [],
  };

  test('read, and write where the flag says so', () => {
    const strict = new AdminAccess(rules);
    const open = new AdminAccess({ ...rules, allowRemoteWrites: true });
    for (const remote of ['10.0.0.1', '::ffff:10.0.0.1', '1127.0.0.1', 'fe80::1', '::2', '0.0.0.0']) {
      const caller = strict.callerOf(from(remote));
      assert.deepEqual(caller, { role: 'viewer', by: 'nothing' }, remote);
      assert.equal(strict.refusalOf(caller, '/config_dump'), undefined);
      assert.equal(strict.writeRefusal(caller)?.status, 403);
      assert.equal(open.writeRefusal(open.callerOf(from(remote))), undefined);
    }
    for (const local of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1', undefined])
      assert.equal(strict.callerOf(from(local)).role, 'admin', String(local));
  });

  test('are not taken for loopback where that is trusted', (t) => {
    const credentials = loadCredentials({ ...NO_OPTIONS, ...tokenFiles(t) });
    const access = new AdminAccess({ ...rules, credentials, trustLoopback: true });
    assert.equal(access.callerOf(from('10.0.0.1')).role, 'none');
    assert.equal(access.callerOf(from('127.0.0.1')).role, 'admin');
  });
});

describe('with tokens', () => {
  test('nobody sees anything without one, but for what is public', async (t) => {
    const { ask, context } = await serve(t, tokenFiles(t));
    const targets = [
      ...HANDLERS.map(({ path: target }) => target),
      ...API_ENDPOINTS.map(({ path: target }) => target.replaceAll(/\{\w+\}/g, '1')),
      '/nowhere',
      '/uix',
      '/READY',
    ];
    const open = new Set(['/', '/ready', '/api/session', '/api/login', '/api/logout']);
    for (const target of targets.filter((each) => !open.has(each))) {
      for (const method of ['GET', 'POST', 'HEAD']) {
        for (const wrong of [{}, bearer(`${ADMIN_TOKEN}x`), bearer('')]) {
          const { status, headers } = await ask(target, { method, ...wrong });
          assert.deepEqual([status, headers['www-authenticate']], [401, 'Bearer'], `${method} ${target}`);
        }
      }
    }
    assert.deepEqual(context.done, []);
    assert.equal((await ask('/ready')).status, 200);
    assert.equal(JSON.parse((await ask('/api/session')).body).role, 'none');
    // Without data: who may not see any must find where to log in.
    assert.equal((await ask('/ui/no-such.js')).status, 404);
  });

  test('a viewer reads, an admin writes', async (t) => {
    const { ask, context } = await serve(t, tokenFiles(t));
    assert.equal((await ask('/config_dump', bearer(VIEWER_TOKEN))).status, 200);
    assert.equal((await ask('/api/history', bearer(VIEWER_TOKEN))).status, 200);
    for (const target of WRITES) {
      const { status } = await ask(target, { method: 'POST', ...bearer(VIEWER_TOKEN) });
      assert.equal(status, 403, target);
    }
    assert.deepEqual(context.done, []);
    assert.equal((await ask('/reopen_logs', { method: 'POST', ...bearer(ADMIN_TOKEN) })).status, 200);
    assert.deepEqual(context.done, ['reopen logs']);
    const session = JSON.parse((await ask('/api/session', bearer(VIEWER_TOKEN))).body);
    assert.deepEqual([session.role, session.by, session.can_write], ['viewer', 'token', false]);
  });

  test('a token that was replaced is worth nothing, and one that is empty lets nobody in', async (t) => {
    const files = tokenFiles(t);
    const { ask } = await serve(t, files);
    writeFileSync(files.tokenFile, 'another-token-of-length');
    assert.equal((await ask('/stats', bearer(ADMIN_TOKEN))).status, 401);
    assert.equal((await ask('/stats', bearer('another-token-of-length'))).status, 200);
    writeFileSync(files.tokenFile, '');
    for (const question of [bearer(''), bearer('another-token-of-length'), {}])
      assert.equal((await ask('/stats', question)).status, 401);
  });

  test('a login sets a cookie that holds for its server and its token', async (t) => {
    const files = tokenFiles(t);
    const { ask } = await serve(t, files);
    const login = (token: unknown): Promise<Answer> =>
      ask('/api/login', { method: 'POST', headers: json, body: JSON.stringify({ token }) });
    assert.equal((await login('wrong')).status, 401);
    assert.equal((await login(7)).status, 400);
    assert.equal((await ask('/api/login', { method: 'POST', headers: json, body: '{' })).status, 400);
    const { status, headers, body } = await login(VIEWER_TOKEN);
    assert.deepEqual([status, JSON.parse(body).role], [200, 'viewer']);
    const [header = ''] = headers['set-cookie'] as string[];
    assert.match(
      header,
      /^pilotfish_session_\d+=viewer\.\d+\.[-\w]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    const cookie = header.split(';', 1)[0]!;
    assert.equal((await ask('/stats', { headers: { cookie } })).status, 200);
    assert.equal((await ask('/stats', { headers: { cookie: `other=1; ${cookie}` } })).status, 200);
    assert.equal((await ask('/reopen_logs', { method: 'POST', headers: { cookie } })).status, 403);
    for (const forged of [
      cookie.replace('viewer', 'admin'),
      cookie.replace(/\.\d+\./, '.99999999999.'),
      cookie.slice(0, -1),
    ])
      assert.equal((await ask('/stats', { headers: { cookie: forged } })).status, 401, forged);
    const other = await serve(t, files);
    const renamed = cookie.replace(/_\d+=/, `_${other.port}=`);
    assert.equal((await other.ask('/stats', { headers: { cookie: renamed } })).status, 401);
    writeFileSync(files.viewerTokenFile, 'another-viewer-token');
    assert.equal((await ask('/stats', { headers: { cookie } })).status, 401);
    const left = await ask('/api/logout', { method: 'POST' });
    assert.match(String(left.headers['set-cookie']), /^pilotfish_session_\d+=; Path=\/; Max-Age=0;/);
  });

  test('loopback needs none where the flag says so', async (t) => {
    const { ask } = await serve(t, { ...tokenFiles(t), trustLoopback: true });
    assert.equal((await ask('/reopen_logs', { method: 'POST' })).status, 200);
    // What is shown counts, also when it is wrong.
    assert.equal((await ask('/stats', bearer('wrong'))).status, 401);
  });

  test('a file that holds no token is an error at the start', (t) => {
    const file = path.join(folder(t), 'token');
    for (const text of ['', 'short', 'two words that are long enough']) {
      writeFileSync(file, text);
      assert.throws(() => loadCredentials({ ...NO_OPTIONS, tokenFile: file }), /one word of at least 16/);
    }
    assert.throws(() => loadCredentials({ ...NO_OPTIONS, tokenFile: `${file}x` }), /ENOENT/);
  });
});

describe('with certificates', () => {
  const options = {
    certFile: path.join(CERTS, 'server.pem'),
    keyFile: path.join(CERTS, 'server.key'),
    clientCaFile: path.join(CERTS, 'ca.pem'),
  };

  test('one of the roots is a viewer, one with the name an admin, a stranger nobody', async (t) => {
    const { ask } = await serve(t, options);
    assert.equal((await ask('/ready')).status, 200);
    assert.equal((await ask('/stats')).status, 401);
    assert.equal((await ask('/stats', { cert: 'stranger' })).status, 401);
    assert.equal((await ask('/stats', { cert: 'expired' })).status, 401);
    const session = JSON.parse((await ask('/api/session', { cert: 'client' })).body);
    assert.deepEqual([session.role, session.by], ['viewer', 'certificate']);
    assert.equal((await ask('/reopen_logs', { cert: 'client', method: 'POST' })).status, 403);
    const names = await serve(t, { ...options, clientSans: ['spiffe://cluster.local/ns/default/sa/client'] });
    const named = await names.ask('/reopen_logs', { cert: 'client', method: 'POST' });
    assert.equal(named.status, 200, named.body);
  });

  test('cookies are for TLS only', async (t) => {
    const { ask } = await serve(t, { ...options, ...tokenFiles(t) });
    const body = JSON.stringify({ token: ADMIN_TOKEN });
    const { headers } = await ask('/api/login', { method: 'POST', headers: json, body });
    assert.match(String(headers['set-cookie']), /; SameSite=Strict; Secure$/);
  });
});

describe('browsers', () => {
  test('a name that leads here by accident or on purpose is refused', async (t) => {
    const { ask } = await serve(t, { hosts: ['proxy.example'] });
    for (const host of [
      'evil.test',
      'evil.test:80',
      'localhost.evil.test',
      '127.0.0.1.evil.test',
      'a@localhost',
    ])
      assert.equal((await ask('/config_dump', { headers: { host } })).status, 403, host);
    for (const host of [
      'localhost',
      'LOCALHOST:1',
      'a.localhost:15000',
      '10.0.0.1:15000',
      '[::1]:80',
      'proxy.example:1',
    ])
      assert.equal((await ask('/config_dump', { headers: { host } })).status, 200, host);
  });

  test('Prometheus and readiness may ask by any name, but for nothing else', async (t) => {
    const { ask } = await serve(t, {});
    const asked = async (path: string) => (await ask(path, { headers: { host: 'reviews.default' } })).status;
    for (const path of ['/stats/prometheus', '/stats/prometheus?usedonly', '/ready'])
      assert.equal(await asked(path), 200, path);
    for (const path of ['/stats', '/stats/prometheus/', '/ready/..', '/api/stats'])
      assert.equal(await asked(path), 403, path);
  });

  test('what changes something comes from the same origin, or from no browser', async (t) => {
    const { ask, context, port } = await serve(t, {});
    const post = (headers: OutgoingHttpHeaders): Promise<Answer> =>
      ask('/quitquitquit', { method: 'POST', headers: { host: `localhost:${port}`, ...headers } });
    for (const origin of ['http://evil.test', 'null', `https://localhost:${port}`, 'http://localhost:1', ''])
      assert.equal((await post({ origin })).status, 403, origin);
    for (const site of ['cross-site', 'same-site', 'anything'])
      assert.equal((await post({ 'sec-fetch-site': site })).status, 403, site);
    assert.deepEqual(context.done, []);
    assert.equal(
      (await post({ origin: `http://localhost:${port}`, 'sec-fetch-site': 'same-origin' })).status,
      200,
    );
    assert.equal((await post({})).status, 200);
  });
});

test('allow_paths holds for everything, in the words of Envoy', async (t) => {
  const paths = [{ exact: '/ready' }, { prefix: '/stats' }].map((each) =>
    compileStringMatcher(create('envoy.type.matcher.v3.StringMatcher', each), 'admin.allow_paths'),
  );
  const { ask, context } = await serve(t, {}, { allowPaths: paths });
  for (const allowed of ['/ready', '/stats?filter=x', '/stats/prometheus'])
    assert.equal((await ask(allowed)).status, 200);
  assert.equal((await ask('/stats2')).status, 404);
  for (const target of ['/ready?x=1', '/help', '/', '/quitquitquit']) {
    const { status, body } = await ask(target, { method: 'POST' });
    assert.deepEqual([status, body], [403, `request to path ${target} not allowed`]);
  }
  assert.equal(
    JSON.parse((await ask('/api/session')).body).error,
    'request to path /api/session not allowed',
  );
  assert.deepEqual(context.done, []);
});

describe('limits', () => {
  test('heads and bodies', async (t) => {
    const { ask } = await serve(t, {});
    assert.equal((await ask('/ready', { headers: { 'x-long': 'a'.repeat(61 * 1024) } })).status, 431);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const long = await ask('/logging', {
      method: 'POST',
      headers: form,
      body: `level=${'a'.repeat(70_000)}`,
    });
    assert.equal(long.status, 413);
    const body = JSON.stringify({ token: 'a'.repeat(5_000_000) });
    const refused = await ask('/api/login', { method: 'POST', headers: json, body }).catch((error) => error);
    assert.ok(refused instanceof Error || refused.status === 413);
    assert.equal((await ask('/ready')).status, 200);
  });

  test('idle connections do not keep others out', async (t) => {
    const { ask, port } = await serve(t, {});
    const sockets = Array.from({ length: 520 }, () =>
      connect(port, '127.0.0.1').on('error', () => undefined),
    );
    t.after(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (const socket of sockets) socket.write('GET /ready HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await sleep(500);
    let status = 0;
    for (let i = 0; i < 5 && status !== 200; i++)
      ({ status } = await ask('/ready').catch(() => ({ status: 0 })));
    assert.equal(status, 200);
  });
});
