// One secret of every kind, in the bootstrap, from files, in what is refused and in what passes through: no answer of any
// endpoint of the admin port has one, and no line of the log.

import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { pem } from '../fakes/tls.ts';
import { type Answer, ask, eventually, ProxyProcess } from './proxy_process.ts';
import { namedBackend, portOf, TYPE } from './resources.ts';

const CANARY = 'the-canary-in-the-coal-mine';
/** Each has a mark of its own, so that a failure says which one it was. */
const marks: string[] = [];
function canary(kind: string): string {
  const mark = `${CANARY}-${kind}`;
  marks.push(mark);
  return mark;
}

/** A key in PEM; its second line is the mark. */
function key(name: string): string {
  const text = pem(name);
  marks.push(text.split('\n')[1]!);
  return text;
}

function lockedKey(passphrase: string): string {
  const locked = createPrivateKey(pem('second.key')).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase,
  });
  marks.push(String(locked).split('\n')[1]!);
  return String(locked);
}

const certificate = (name: string, private_key: object, more: object = {}): object => ({
  certificate_chain: { inline_string: pem(`${name}.pem`) },
  private_key,
  ...more,
});

/** Session ticket keys: 80 bytes. */
const ticketKey = (): string => canary('ticket').padEnd(80, '=');

function tlsContext(side: 'Downstream' | 'Upstream', common: object, more: object = {}): object {
  const type = `${TYPE}extensions.transport_sockets.tls.v3.${side}TlsContext`;
  return { name: 'tls', typed_config: { '@type': type, common_tls_context: common, ...more } };
}

const authorization = (kind: string): object => ({
  header: { key: 'authorization', value: `Basic ${canary(kind)}` },
});

function secureListener(name: string, more: object = {}): object {
  const common = {
    tls_certificates: [certificate('server', { inline_string: key('server.key') })],
  };
  const tickets = {
    session_ticket_keys: { keys: [{ inline_bytes: Buffer.from(ticketKey()).toString('base64') }] },
  };
  return {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [http()], transport_socket: tlsContext('Downstream', common, tickets) }],
    ...more,
  };
}

function http(): object {
  const route = {
    match: { prefix: '/' },
    route: { cluster: 'one' },
    request_headers_to_add: [authorization('route')],
  };
  return {
    name: 'http',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'in',
      route_config: {
        name: 'inline',
        request_headers_to_add: [authorization('table')],
        virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }],
      },
      http_filters: [
        { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
      ],
    },
  };
}

function cluster(name: string, port: number, more: object = {}): object {
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: port } } };
  return {
    name,
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    ...more,
  };
}

function resourcesFile(folder: string, name: string, type: string, resources: readonly object[]): object {
  const file = path.join(folder, name);
  const typed = resources.map((resource) => ({ '@type': `${TYPE}${type}`, ...resource }));
  writeFileSync(file, JSON.stringify({ version_info: '1', resources: typed }));
  return { path_config_source: { path: file }, resource_api_version: 'V3' };
}

/** A filter that is not there. */
function redisProxy(): object {
  return {
    '@type': `${TYPE}extensions.filters.network.redis_proxy.v3.RedisProxy`,
    stat_prefix: 'redis',
    settings: { op_timeout: '1s' },
    downstream_auth_passwords: [{ inline_string: canary('redis') }],
  };
}

function bootstrap(folder: string, port: number): object {
  const secretType = 'extensions.transport_sockets.tls.v3.Secret';
  const sds = resourcesFile(folder, 'sds.json', secretType, [
    { name: 'by_sds', tls_certificate: certificate('second', { inline_string: key('second.key') }) },
  ]);
  const locked = canary('password');
  const health = {
    timeout: '1s',
    interval: '60s',
    unhealthy_threshold: 1,
    healthy_threshold: 1,
    http_health_check: { path: '/', request_headers_to_add: [authorization('health')] },
  };
  const upstream = { tls_certificate_sds_secret_configs: [{ name: 'by_sds', sds_config: sds }] };
  const own = certificate(
    'second',
    { inline_string: lockedKey(locked) },
    { password: { inline_string: locked } },
  );
  const bad = {
    google_grpc: {
      target_uri: 'nowhere',
      stat_prefix: 'x',
      call_credentials: [{ access_token: canary('access-token') }],
    },
  };
  return {
    node: { id: 'n', cluster: 'c' },
    static_resources: {
      listeners: [
        {
          name: 'plain',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ filters: [http()] }],
        },
        secureListener('static'),
      ],
      clusters: [
        cluster('one', port, { health_checks: [health] }),
        cluster('two', port, { transport_socket: tlsContext('Upstream', upstream) }),
        cluster('three', port, { transport_socket: tlsContext('Upstream', { tls_certificates: [own] }) }),
      ],
      secrets: [
        { name: 'generic', generic_secret: { secret: { inline_string: canary('generic') } } },
        { name: 'tickets', session_ticket_keys: { keys: [{ inline_string: ticketKey() }] } },
      ],
    },
    dynamic_resources: {
      lds_config: resourcesFile(folder, 'lds.json', 'config.listener.v3.Listener', [
        secureListener('dynamic'),
        secureListener('refused', {
          filter_chains: [
            {
              filters: [{ name: 'envoy.filters.network.redis_proxy', typed_config: redisProxy() }],
              transport_socket: tlsContext('Downstream', {
                tls_certificates: [certificate('server', { inline_string: key('server_rsa.key') })],
              }),
            },
          ],
        }),
        secureListener('refused_service', {
          access_log: [
            {
              name: 'als',
              typed_config: {
                '@type': `${TYPE}extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
                common_config: { log_name: 'x', grpc_service: bad, transport_api_version: 'V3' },
              },
            },
          ],
        }),
      ]),
    },
  };
}

/** A canary as it may stand in an answer: as it is, escaped, in base64. */
function finds(text: string): string | undefined {
  const forms = (mark: string): string[] => {
    const bytes = Buffer.from(mark);
    // Where base64 begins depends on what stands before; what it has in common begins two characters later.
    const encoded = [0, 1, 2].map((shift) =>
      Buffer.concat([Buffer.alloc(shift), bytes])
        .toString('base64')
        .slice(4, -4),
    );
    return [mark, encodeURIComponent(mark), bytes.toString('hex'), ...encoded];
  };
  return marks.find((mark) => forms(mark).some((form) => text.includes(form)));
}

async function start(t: TestContext): Promise<ProxyProcess> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-canary-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const backend = await namedBackend('b');
  t.after(() => backend.close());
  const config = path.join(folder, 'bootstrap.json');
  writeFileSync(config, JSON.stringify(bootstrap(folder, portOf(backend))));
  const tokens = ['admin', 'viewer'].map((role) => {
    const file = path.join(folder, `${role}.token`);
    writeFileSync(file, canary(`token-${role}`));
    return file;
  });
  const yaml = {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    static_resources: {
      secrets: [{ name: 'of_yaml', generic_secret: { secret: { inline_string: canary('yaml') } } }],
    },
  };
  const proxy = await ProxyProcess.start(
    ...['-c', config, '--config-yaml', JSON.stringify(yaml), '--log-level', 'trace', '--concurrency', '1'],
    ...['--admin-token-file', tokens[0]!, '--admin-viewer-token-file', tokens[1]!, '--admin-trust-loopback'],
  );
  t.after(() => proxy.stop());
  return proxy;
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content: object }>>;
}

/** Server-sent events never end; what they tell is asked for otherwise, too. */
function isJson(operation: Operation | undefined): boolean {
  return operation !== undefined && 'application/json' in operation.responses['200']!.content;
}

/** Every path that can be read, with what names and ids there are put in, and with Envoy's parameters. */
async function targets(proxy: ProxyProcess): Promise<string[]> {
  const help = (await proxy.admin('/help')).body;
  const read = [...help.matchAll(/^ {2}(\/\S*): /gm)].map(([, target]) => target!);
  const { paths } = JSON.parse((await proxy.admin('/api/openapi.json')).body) as {
    paths: Record<string, { get?: Operation }>;
  };
  const own = Object.keys(paths).filter((each) => isJson(paths[each]!.get));
  const items = async (list: string): Promise<{ kind: string; name: string; id: number }[]> =>
    JSON.parse((await proxy.admin(list)).body).items;
  const resources = await items('/api/resources?limit=1000');
  assert.ok(resources.some(({ name }) => name === 'refused'));
  return [
    ...read,
    ...own.filter((each) => !each.includes('{')),
    ...resources.map(({ kind, name }) => `/api/resources/${kind}/${encodeURIComponent(name)}`),
    ...(await items('/api/requests?limit=100')).map(({ id }) => `/api/requests/${id}`),
    ...(await items('/api/history?limit=1000')).map(({ id }) => `/api/history/${id}`),
    '/config_dump?include_eds',
    '/config_dump?resource=static_secrets',
    '/config_dump?resource=dynamic_active_secrets',
    '/config_dump?resource=dynamic_listeners',
    '/config_dump?mask=bootstrap',
    '/config_dump?mask=bootstrap.static_resources',
    '/config_dump?name_regex=.*',
    ...['/clusters', '/listeners', '/stats'].map((each) => `${each}?format=json`),
    '/stats?format=html',
    '/nowhere',
  ];
}

test('no answer and no line of the log has a secret', { timeout: 60_000 }, async (t) => {
  const proxy = await start(t);
  const url = `http://127.0.0.1:${await proxy.port('plain')}/?token=1`;
  const watched = await proxy.admin('/api/capture', 'POST', '{"seconds": 60}');
  assert.equal(watched.status, 200);
  const headers = { authorization: `Bearer ${canary('request')}`, cookie: `session=${canary('cookie')}` };
  assert.equal((await ask(url, { headers })).status, 200);
  await eventually(
    async () => (await proxy.admin('/api/resources?state=rejected')).body.includes('refused_service'),
    'refused',
  );
  const answers: [string, Answer][] = [];
  for (const target of await targets(proxy)) {
    for (const method of ['GET', 'POST'])
      answers.push([`${method} ${target}`, await proxy.admin(target, method)]);
  }
  answers.push(['POST /logging', await proxy.admin('/logging?level=trace', 'POST')]);
  assert.ok(answers.length > 100, `${answers.length} answers`);
  const dump = answers.find(([target]) => target === 'GET /config_dump')![1].body;
  assert.ok(dump.split('[redacted]').length > 8, 'the secrets are there, hidden');
  for (const [target, { body }] of answers) assert.equal(finds(body), undefined, target);
  const { stdout, stderr } = proxy;
  assert.ok(stderr.includes('[trace]') || stderr.includes('[debug]'), 'it logs in detail');
  assert.equal(finds(stdout + stderr), undefined, 'the log');
});

test('the search finds what it looks for', () => {
  const mark = canary('found');
  for (const text of [
    `x ${mark}`,
    Buffer.from(`ab${mark}`).toString('base64'),
    Buffer.from(`a${mark}b`).toString('base64'),
  ])
    assert.equal(finds(text), mark);
});
