// The other ways to a configuration: streams of their own, Unix sockets, TLS, REST and files; and the sources that are refused.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { ServerCredentials } from '@grpc/grpc-js';
import { ConfigError } from '../../server/api/config_error.ts';
import { setLogLevel } from '../../server/common/log.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { encode } from '../../xds-protos/load.ts';
import { FakeXdsServer } from './fake_server.ts';
import { CDS, type Client, client, configSource, EDS, named, SDS, xdsCluster } from './harness.ts';

setLogLevel('config', 'off');

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

let folder = '';
before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pilotfish-xds-'));
});
after(() => rmSync(folder, { recursive: true }));

const grpcSource = (apiType: string): ReturnType<typeof configSource> =>
  configSource({
    api_config_source: {
      api_type: apiType,
      transport_api_version: 'V3',
      grpc_services: [
        { envoy_grpc: { cluster_name: 'xds' }, initial_metadata: [{ key: 'x-token', value: 't' }] },
      ],
    },
  });

for (const apiType of ['GRPC', 'DELTA_GRPC']) {
  test(`${apiType}: a secret comes over a stream of its own, through a Unix socket, with initial metadata`, async () => {
    const address = `unix:${path.join(folder, `${apiType}.sock`)}`;
    const sotw = apiType === 'GRPC';
    const server = sotw ? await FakeXdsServer.sotw(address) : await FakeXdsServer.delta(address);
    const xds = client(xdsCluster(address), undefined);
    closers.push(
      () => xds.close(),
      () => server.close(),
    );
    const first = xds.subscribe(SDS, ['default'], grpcSource(apiType));
    const second = xds.subscribe(SDS, ['ROOTCA'], grpcSource(apiType));
    for (const name of ['default', 'ROOTCA']) {
      const { stream } = await server.next();
      assert.equal(
        stream.method,
        `/envoy.service.secret.v3.SecretDiscoveryService/${sotw ? 'Stream' : 'Delta'}Secrets`,
      );
      assert.deepEqual(stream.metadata.get('x-token'), ['t']);
      const secret = named(SDS, name);
      if (sotw) stream.sendSotw({ type_url: SDS, version_info: '1', nonce: 'n', resources: [secret] });
      else
        stream.sendDelta({
          type_url: SDS,
          nonce: 'n',
          resources: [{ name, version: '1', resource: secret }],
        });
    }
    assert.deepEqual((await first.next()).added, ['default']);
    assert.deepEqual((await second.next()).added, ['ROOTCA']);
    assert.equal(server.streams.length, 2);
    first.close();
    while (!server.streams[0]!.ended) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(server.streams[1]!.ended, false);
  });
}

/** A self-signed certificate `<name>.pem` with its key; false without openssl. */
function makeCertificate(name: string): boolean {
  const sans = 'URI:spiffe://cluster.local/ns/istio-system/sa/istiod,DNS:istiod.istio-system.svc';
  const options = `-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ${name}.key -out ${name}.pem`;
  const all = `req -x509 -subj /CN=${name} ${options} -addext`.split(' ').concat(`subjectAltName=${sans}`);
  try {
    execFileSync('openssl', all, { cwd: folder, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('TLS: the chain and the names of the server are checked as configured', async (t) => {
  if (!makeCertificate('istiod') || !makeCertificate('stranger')) {
    t.skip('openssl is not installed');
    return;
  }
  const cert_chain = readFileSync(path.join(folder, 'istiod.pem'));
  const private_key = readFileSync(path.join(folder, 'istiod.key'));
  const credentials = ServerCredentials.createSsl(null, [{ cert_chain, private_key }]);
  const server = await FakeXdsServer.sotw(undefined, credentials);
  closers.push(() => server.close());
  const subscribe = (ca: string, san: object, sni = ''): Client => {
    const cluster = Object.assign(xdsCluster(server.address), {
      transport_socket: fromJson('envoy.config.core.v3.TransportSocket', {
        name: 'tls',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
          sni,
          common_tls_context: {
            validation_context: {
              trusted_ca: { filename: path.join(folder, ca) },
              match_typed_subject_alt_names: [san],
            },
          },
        },
      }),
    });
    const xds = client(cluster, 'GRPC');
    closers.push(() => xds.close());
    xds.subscribe(CDS);
    return xds;
  };
  const dns = { san_type: 'DNS', matcher: { exact: 'istiod.istio-system.svc' } };
  subscribe('istiod.pem', { san_type: 'URI', matcher: { prefix: 'spiffe://cluster.local/' } });
  await server.next();
  subscribe('istiod.pem', dns, 'istiod.istio-system.svc');
  await server.next();
  const otherName = subscribe('istiod.pem', { san_type: 'DNS', matcher: { exact: 'other' } });
  const otherRoot = subscribe('stranger.pem', dns);
  await server.expectSilence(200);
  assert.match(otherName.factory.streams[0]!.lastDisconnect!, /SAN matcher/);
  assert.match(otherRoot.factory.streams[0]!.lastDisconnect!, /self-signed certificate/);
});

interface Rest {
  readonly server: Server;
  readonly bodies: { url: string; body: Record<string, unknown> }[];
  answer: { status: number; body: unknown };
}

async function restServer(): Promise<Rest> {
  const rest: Rest = { server: createServer(), bodies: [], answer: { status: 200, body: {} } };
  rest.server.on('request', async (request: IncomingMessage, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    rest.bodies.push({ url: `${request.method} ${request.url}`, body: JSON.parse(text) });
    response.writeHead(rest.answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(rest.answer.body));
  });
  await new Promise<void>((resolve) => rest.server.listen(0, '127.0.0.1', resolve));
  closers.push(() => rest.server.close());
  return rest;
}

test('REST: canonical JSON is posted again and again, with the version in force', async () => {
  const rest = await restServer();
  const { port } = rest.server.address() as AddressInfo;
  const xds = client(xdsCluster(`127.0.0.1:${port}`), undefined);
  closers.push(() => xds.close());
  rest.answer.body = { version_info: '1', resources: [{ '@type': CDS, name: 'a' }] };
  const clusters = xds.subscribe(
    CDS,
    undefined,
    configSource({
      api_config_source: {
        api_type: 'REST',
        transport_api_version: 'V3',
        cluster_names: ['xds'],
        refresh_delay: '0.02s',
      },
    }),
  );
  assert.deepEqual((await clusters.next()).added, ['a']);
  rest.answer.body = { version_info: '2', resources: [{ '@type': CDS, no_such_field: 1, lb_policy: [] }] };
  await clusters.until(() => clusters.failures.length > 0);
  assert.match(clusters.failures[0]!, /^rejected: .*lb_policy/);
  rest.answer.status = 503;
  await clusters.until(() =>
    clusters.failures.some((failure) => failure.startsWith('connection: status 503')),
  );
  rest.answer = { status: 200, body: { version_info: '3', resources: [{ '@type': CDS, name: 'b' }] } };
  await clusters.until(() => clusters.updates.at(-1)!.version === '3');
  assert.equal(rest.bodies[0]!.url, 'POST /v3/discovery:clusters');
  assert.equal(rest.bodies[0]!.body['typeUrl'], CDS);
  assert.equal((rest.bodies[0]!.body['node'] as { id: string }).id, 'sidecar~127.0.0.1~a.b~c');
  assert.equal(rest.bodies[0]!.body['versionInfo'], undefined);
  assert.equal(rest.bodies[1]!.body['versionInfo'], '1');
});

const DISCOVERY = (version: string, ...names: string[]): object => ({
  version_info: version,
  resources: names.map((name) => ({ '@type': EDS, cluster_name: name })),
});

/** What a careful writer does: a new file beside, then a move over the old one. */
function replace(file: string, content: string | Uint8Array): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

for (const [extension, print] of [
  ['json', JSON.stringify],
  ['yaml', JSON.stringify],
  [
    'pb',
    (json: object) =>
      encode(
        'envoy.service.discovery.v3.DiscoveryResponse',
        fromJson('envoy.service.discovery.v3.DiscoveryResponse', json),
      ),
  ],
] as const) {
  test(`a .${extension} file is read, a move replaces it, a broken one keeps the last good state`, async () => {
    const file = path.join(folder, `eds.${extension}`);
    replace(file, print(DISCOVERY('1', 'a', 'b')));
    const xds = client(xdsCluster('127.0.0.1:1'), undefined);
    closers.push(() => xds.close());
    const endpoints = xds.subscribe(EDS, ['a'], configSource({ path_config_source: { path: file } }));
    const first = await endpoints.next();
    assert.deepEqual([first.added, first.version, first.full], [['a'], '1', true]);
    replace(file, extension === 'pb' ? Buffer.from([0x0a, 0x7f]) : '{"resources": [');
    await endpoints.until(() => endpoints.failures.length === 1);
    assert.match(endpoints.failures[0]!, /^rejected: /);
    assert.equal(endpoints.updates.length, 1);
    replace(file, print(DISCOVERY('2', 'a')));
    assert.equal((await endpoints.next()).version, '2');
    assert.equal(xds.stat('test.ClusterLoadAssignment.update_success'), 2);
    assert.equal(xds.stat('test.ClusterLoadAssignment.update_rejected'), 1);
  });
}

test('watched_directory: a moved symbolic link, as Kubernetes does it, replaces the file', async () => {
  const mount = mkdtempSync(path.join(folder, 'mount-'));
  const version = (number: string): void => {
    const data = mkdtempSync(path.join(folder, 'data-'));
    writeFileSync(path.join(data, 'eds.json'), JSON.stringify(DISCOVERY(number, 'a')));
    symlinkSync(data, path.join(mount, '..data_tmp'));
    renameSync(path.join(mount, '..data_tmp'), path.join(mount, '..data'));
  };
  version('1');
  symlinkSync('..data/eds.json', path.join(mount, 'eds.json'));
  const xds = client(xdsCluster('127.0.0.1:1'), undefined);
  closers.push(() => xds.close());
  const source = { path: path.join(mount, 'eds.json'), watched_directory: { path: mount } };
  const endpoints = xds.subscribe(EDS, ['a'], configSource({ path_config_source: source }));
  assert.equal((await endpoints.next()).version, '1');
  version('2');
  assert.equal((await endpoints.next()).version, '2');
});

test('a file of other resources is refused with their names', async () => {
  const file = path.join(folder, 'others.json');
  replace(file, JSON.stringify(DISCOVERY('1', 'x', 'y')));
  const xds = client(xdsCluster('127.0.0.1:1'), undefined);
  closers.push(() => xds.close());
  const endpoints = xds.subscribe(EDS, ['a'], configSource({ path_config_source: { path: file } }));
  await endpoints.until(() => endpoints.failures.length === 1);
  assert.deepEqual(endpoints.failures, ['rejected: Unexpected endpoint (expecting a): x, y']);
});

test('sources that cannot be honoured are refused with their path', () => {
  const xds = client(xdsCluster('127.0.0.1:1'), undefined);
  closers.push(() => xds.close());
  const service = { envoy_grpc: { cluster_name: 'xds' } };
  const api = (more: object): object => ({ api_config_source: { transport_api_version: 'V3', ...more } });
  const refused: [object, string, RegExp][] = [
    [{}, 'source', /Missing config source specifier/],
    [
      { path_config_source: { path: '/no/such.yaml' } },
      'source.path_config_source',
      /'\/no\/such.yaml' does not exist/,
    ],
    [api({ api_type: 'GRPC' }), 'source.api_config_source', /either a gRPC service or a cluster name/],
    [
      api({ api_type: 'GRPC', grpc_services: [service, service] }),
      'source.api_config_source',
      /no more than 1 gRPC/,
    ],
    [
      api({ api_type: 'GRPC', cluster_names: ['xds'] }),
      'source.api_config_source',
      /must not have a cluster name/,
    ],
    [
      api({ api_type: 'AGGREGATED_GRPC', grpc_services: [service] }),
      'source.api_config_source',
      /Unsupported config source/,
    ],
    [
      api({ api_type: 'REST', cluster_names: ['xds'] }),
      'source.api_config_source',
      /refresh_delay is required/,
    ],
    [
      api({ api_type: 'REST', grpc_services: [service] }),
      'source.api_config_source',
      /must not have a gRPC service/,
    ],
    [
      api({ api_type: 'REST', cluster_names: ['a', 'b'] }),
      'source.api_config_source',
      /singleton cluster name/,
    ],
    [
      api({ api_type: 'GRPC', grpc_services: [{ envoy_grpc: { cluster_name: 'nope' } }] }),
      'source.api_config_source.grpc_services[0].envoy_grpc.cluster_name',
      /Unknown gRPC client cluster 'nope'/,
    ],
    [
      api({
        api_type: 'GRPC',
        grpc_services: [
          { google_grpc: { target_uri: 'x', stat_prefix: 'x', credentials_factory_name: 'y' } },
        ],
      }),
      'source.api_config_source.grpc_services[0].google_grpc.credentials_factory_name',
      /not supported/,
    ],
  ];
  for (const [json, where, reason] of refused) {
    assert.throws(
      () => xds.subscribe(CDS, undefined, configSource(json)),
      (error) => error instanceof ConfigError && error.path === where && reason.test(error.reason),
      JSON.stringify(json),
    );
  }
  assert.throws(() => client(xdsCluster('127.0.0.1:1'), 'REST'), /type must be of non-aggregated gRPC/);
});

test('google_grpc goes to its target, whatever proxy the environment has', async (t) => {
  t.after(() => delete process.env['http_proxy']);
  process.env['http_proxy'] = 'http://127.0.0.1:1';
  const server = await FakeXdsServer.sotw();
  const xds = client(xdsCluster('127.0.0.1:1'), undefined);
  closers.push(
    () => xds.close(),
    () => server.close(),
  );
  const grpc_services = [{ google_grpc: { target_uri: server.address, stat_prefix: 'x' } }];
  xds.subscribe(
    CDS,
    undefined,
    configSource({ api_config_source: { api_type: 'GRPC', transport_api_version: 'V3', grpc_services } }),
  );
  assert.match((await server.next()).stream.method, /StreamClusters$/);
});
