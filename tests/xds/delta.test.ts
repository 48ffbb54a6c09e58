// Incremental ADS against a real gRPC server, rule by rule.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { setLogLevel } from '../../server/common/log.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Init } from '../../xds-protos/load.ts';
import { durationOf } from '../../xds-protos/well_known.ts';
import { type FakeStream, FakeXdsServer } from './fake_server.ts';
import { CDS, type Client, client, EDS, LDS, named, RDS, xdsCluster } from './harness.ts';

setLogLevel('config', 'off');

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function start(): Promise<{ server: FakeXdsServer<DeltaDiscoveryRequest>; xds: Client }> {
  const server = await FakeXdsServer.delta();
  const xds = client(xdsCluster(server.address), 'DELTA_GRPC');
  closers.push(
    () => xds.close(),
    () => server.close(),
  );
  return { server, xds };
}

let nonces = 0;

/** Sends resources as `name: version`; returns the nonce. */
function push(
  stream: FakeStream<DeltaDiscoveryRequest>,
  typeUrl: string,
  resources: Readonly<Record<string, string>>,
  more: Init<DeltaDiscoveryResponse> = {},
): string {
  const nonce = `n${++nonces}`;
  stream.sendDelta({
    type_url: typeUrl,
    nonce,
    resources: Object.entries(resources).map(([name, version]) => ({
      name,
      version,
      resource: named(typeUrl, name),
    })),
    ...more,
  });
  return nonce;
}

test('a wildcard subscribes to nothing by name; an ACK is a nonce alone', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const { request, stream } = await server.next();
  assert.deepEqual([request.type_url, request.resource_names_subscribe], [CDS, []]);
  assert.deepEqual({ ...request.initial_resource_versions }, {});
  assert.equal(request.node?.cluster, 'test');
  const nonce = push(stream, CDS, { a: '1', b: '2' }, { system_version_info: 'S' });
  const update = await clusters.next();
  assert.deepEqual([update.added, update.full, update.version], [['a', 'b'], false, 'S']);
  assert.equal(update.resources[1]!.version, '2');
  const ack = (await server.next()).request;
  assert.equal(ack.response_nonce, nonce);
  assert.deepEqual([ack.resource_names_subscribe, ack.resource_names_unsubscribe], [[], []]);
  assert.equal(ack.error_detail, undefined);
  assert.equal(ack.node, undefined);
  assert.match(server.streams[0]!.method, /DeltaAggregatedResources$/);
});

test('removed resources are told to who wants them', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const endpoints = xds.subscribe(EDS, ['a']);
  const { stream } = await server.next();
  await server.next();
  push(stream, CDS, { a: '1' });
  push(stream, EDS, { a: '1', stranger: '1' });
  push(stream, CDS, {}, { removed_resources: ['a', 'never-seen'] });
  push(stream, EDS, {}, { removed_resources: ['a', 'stranger'] });
  await clusters.next();
  assert.deepEqual((await clusters.next()).removed, ['a', 'never-seen']);
  assert.deepEqual((await endpoints.next()).added, ['a']);
  assert.deepEqual((await endpoints.next()).removed, ['a']);
});

test('a change of interest goes out on its own, without a nonce', async () => {
  const { server, xds } = await start();
  const routes = xds.subscribe(RDS, ['r1', 'r2']);
  const { request, stream } = await server.next();
  assert.deepEqual(request.resource_names_subscribe, ['r1', 'r2']);
  push(stream, RDS, { r1: '1', r2: '1' });
  await server.next();
  routes.interest(['r2', 'r3']);
  const change = (await server.next()).request;
  assert.equal(change.response_nonce, '');
  assert.deepEqual(change.resource_names_subscribe, ['r3']);
  assert.deepEqual(change.resource_names_unsubscribe, ['r1']);
  routes.close();
  assert.deepEqual((await server.next()).request.resource_names_unsubscribe, ['r2', 'r3']);
});

test('the endpoints of all clusters of one response are asked for in one request, after its ACK', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  clusters.onUpdate = ({ added }) => {
    for (const name of added) xds.subscribe(EDS, [name]);
  };
  const { stream } = await server.next();
  const nonce = push(stream, CDS, { a: '', b: '', c: '' });
  assert.equal((await server.next()).request.response_nonce, nonce);
  assert.deepEqual((await server.next()).request.resource_names_subscribe, ['a', 'b', 'c']);
  push(stream, CDS, { d: '' });
  await server.next();
  assert.deepEqual((await server.next()).request.resource_names_subscribe, ['d']);
  await server.expectSilence();
});

test('good resources beside a bad one are in force, and the NACK names the bad one', async () => {
  const { server, xds } = await start();
  const listeners = xds.subscribe(LDS);
  const { stream } = await server.next();
  listeners.refuse.set('bad', { name: 'bad', path: 'filter_chains[1]', reason: 'no such filter' });
  push(stream, LDS, { good: '1', bad: '1' });
  const { request } = await server.next();
  assert.equal(
    request.error_detail?.message,
    'Error adding/updating listener(s) bad: filter_chains[1]: no such filter',
  );
  stream.end({ code: 14, details: 'cut' });
  assert.deepEqual({ ...(await server.next()).request.initial_resource_versions }, { good: '1' });
});

test('a cut stream comes back with subscriptions and the versions in force, which removals leave', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  xds.subscribe(EDS, ['a', 'b']);
  const { stream } = await server.next();
  await server.next();
  push(stream, CDS, { a: '1', b: '1', c: '1' });
  push(stream, CDS, { a: '2' }, { removed_resources: ['c'] });
  push(stream, EDS, { a: '9' });
  for (let i = 0; i < 3; i++) await server.next();
  stream.end();
  const first = (await server.next()).request;
  assert.deepEqual([first.type_url, first.resource_names_subscribe], [CDS, []]);
  assert.deepEqual({ ...first.initial_resource_versions }, { a: '2', b: '1' });
  assert.equal(first.response_nonce, '');
  assert.equal(first.node?.cluster, 'test');
  const second = (await server.next()).request;
  assert.deepEqual([second.type_url, second.resource_names_subscribe], [EDS, ['a', 'b']]);
  assert.deepEqual({ ...second.initial_resource_versions }, { a: '9' });
  assert.equal(clusters.updates.length, 2);
});

test('a name that was dropped is not in the versions of the next stream', async () => {
  const { server, xds } = await start();
  const routes = xds.subscribe(RDS, ['r1', 'r2']);
  const { stream } = await server.next();
  push(stream, RDS, { r1: '1', r2: '1' });
  await server.next();
  routes.interest(['r2']);
  await server.next();
  stream.end();
  assert.deepEqual({ ...(await server.next()).request.initial_resource_versions }, { r2: '1' });
});

test('duplicate names refuse the response, among the added and between added and removed', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const { stream } = await server.next();
  const twice = [1, 2].map((version) => ({ name: 'a', version: String(version), resource: named(CDS, 'a') }));
  push(stream, CDS, {}, { resources: twice });
  assert.equal(
    (await server.next()).request.error_detail?.message,
    'duplicate name a found among added/updated resources',
  );
  push(stream, CDS, { a: '1' }, { removed_resources: ['a'] });
  assert.equal(
    (await server.next()).request.error_detail?.message,
    'duplicate name a found in the union of added+removed resources',
  );
  assert.equal(clusters.updates.length, 0);
  assert.equal(clusters.failures.length, 2);
});

test('a wildcard and names together are told as `*` and the names', async () => {
  const { server, xds } = await start();
  xds.subscribe(CDS);
  const { request } = await server.next();
  assert.deepEqual(request.resource_names_subscribe, []);
  const one = xds.subscribe(CDS, ['on-demand']);
  assert.deepEqual((await server.next()).request.resource_names_subscribe, ['on-demand']);
  one.close();
  assert.deepEqual((await server.next()).request.resource_names_unsubscribe, ['on-demand']);
});

test('a heartbeat of the same version renews, one of another version is refused, silence removes', async () => {
  const { server, xds } = await start();
  const routes = xds.subscribe(RDS, ['r']);
  const { stream } = await server.next();
  const ttl = durationOf(1000);
  push(stream, RDS, {}, { resources: [{ name: 'r', version: '1', ttl, resource: named(RDS, 'r') }] });
  assert.deepEqual((await routes.next()).added, ['r']);
  await server.next();
  await new Promise((resolve) => setTimeout(resolve, 600));
  push(stream, RDS, {}, { resources: [{ name: 'r', version: '1', ttl }] });
  assert.equal((await server.next()).request.error_detail, undefined);
  push(stream, RDS, {}, { resources: [{ name: 'r', version: '2', ttl }] });
  assert.match((await server.next()).request.error_detail!.message, /r: resource: missing/);
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(routes.updates.length, 1, 'the heartbeat kept it alive');
  assert.deepEqual((await routes.next()).removed, ['r']);
});

test('what people see of the stream', async () => {
  const { server, xds } = await start();
  xds.subscribe(CDS);
  const { stream } = await server.next();
  const nonce = push(
    stream,
    CDS,
    { a: '1' },
    { control_plane: { identifier: 'istiod-1' }, system_version_info: 'S1' },
  );
  await server.next();
  const [state] = xds.factory.streams;
  assert.deepEqual(
    [state!.target, state!.dialect, state!.connected, state!.controlPlane, state!.requestsSent],
    ['xds', 'delta', true, 'istiod-1', 2],
  );
  const [type] = state!.types;
  assert.deepEqual(
    [type!.typeUrl, type!.wildcard, type!.version, type!.nonce, type!.acks, type!.nacks],
    [CDS, true, 'S1', nonce, 1, 0],
  );
  stream.end();
  await server.next();
  assert.match(xds.factory.streams[0]!.lastDisconnect!, /^0/);
  assert.equal(xds.factory.streams[0]!.streams, 2);
});
