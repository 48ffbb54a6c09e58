// State-of-the-world ADS against a real gRPC server, rule by rule.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { setLogLevel } from '../../server/common/log.ts';
import type { DiscoveryRequest } from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { encodeAny } from '../../xds-protos/load.ts';
import { durationOf } from '../../xds-protos/well_known.ts';
import { type FakeStream, FakeXdsServer } from './fake_server.ts';
import { CDS, type Client, client, configSource, ECDS, EDS, LDS, named, RDS, xdsCluster } from './harness.ts';

setLogLevel('config', 'off');

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function start(more: object = {}): Promise<{ server: FakeXdsServer<DiscoveryRequest>; xds: Client }> {
  const server = await FakeXdsServer.sotw();
  const xds = client(xdsCluster(server.address), 'GRPC', more);
  closers.push(
    () => xds.close(),
    () => server.close(),
  );
  return { server, xds };
}

let nonces = 0;

/** Sends resources named `names`; returns the nonce. */
function push(
  stream: FakeStream<DiscoveryRequest>,
  typeUrl: string,
  version: string,
  names: readonly string[],
): string {
  const nonce = `n${++nonces}`;
  const resources = names.map((name) => named(typeUrl, name));
  stream.sendSotw({ type_url: typeUrl, version_info: version, nonce, resources });
  return nonce;
}

test('a wildcard is an empty first request with the node, and an ACK carries version and nonce but no node', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const first = await server.next();
  assert.equal(first.request.type_url, CDS);
  assert.deepEqual(first.request.resource_names, []);
  assert.equal(first.request.version_info, '');
  assert.equal(first.request.response_nonce, '');
  assert.equal(first.request.node?.id, 'sidecar~127.0.0.1~a.b~c');
  const nonce = push(first.stream, CDS, '7', ['a', 'b']);
  const update = await clusters.next();
  assert.deepEqual([update.added, update.full, update.version], [['a', 'b'], true, '7']);
  const ack = await server.next();
  assert.deepEqual([ack.request.version_info, ack.request.response_nonce], ['7', nonce]);
  assert.equal(ack.request.error_detail, undefined);
  assert.equal(ack.request.node, undefined);
  assert.equal(server.streams[0]!.method.endsWith('/StreamAggregatedResources'), true);
  assert.equal(xds.stat('control_plane.connected_state'), 1);
  assert.equal(xds.stat('test.Cluster.update_success'), 1);
});

test('without set_node_on_first_message_only every request carries the node', async () => {
  const { server, xds } = await start({ set_node_on_first_message_only: false });
  xds.subscribe(CDS);
  const first = await server.next();
  push(first.stream, CDS, '1', ['a']);
  assert.equal((await server.next()).request.node?.cluster, 'test');
});

test('the first NACK has an empty version, a later one the last good version, and both name what is wrong', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const { stream } = await server.next();
  clusters.refuse.set('bad', { name: 'bad', path: 'lb_policy', reason: 'no such policy' });
  const firstNonce = push(stream, CDS, '1', ['good', 'bad']);
  const nack = await server.next();
  assert.deepEqual([nack.request.version_info, nack.request.response_nonce], ['', firstNonce]);
  assert.equal(nack.request.error_detail?.code, 13);
  assert.equal(
    nack.request.error_detail?.message,
    'Error adding/updating cluster(s) bad: lb_policy: no such policy',
  );
  assert.equal(xds.stat('test.Cluster.update_rejected'), 1);

  push(stream, CDS, '2', ['good']);
  assert.equal((await server.next()).request.version_info, '2');
  push(stream, CDS, '3', ['good', 'bad']);
  const second = await server.next();
  assert.equal(second.request.version_info, '2');
  assert.match(second.request.error_detail!.message, /bad/);
  const [state] = xds.factory.streams[0]!.types;
  assert.equal(state!.nacks, 2);
  assert.equal(state!.acks, 1);
  assert.match(state!.lastError!, /no such policy/);
});

test('several bad resources are all named in one NACK', async () => {
  const { server, xds } = await start();
  const listeners = xds.subscribe(LDS);
  const { stream } = await server.next();
  for (const name of ['x', 'y'])
    listeners.refuse.set(name, { name, path: `filter_chains[0].${name}`, reason: 'no' });
  push(stream, LDS, '1', ['x', 'ok', 'y']);
  const { request } = await server.next();
  assert.equal(
    request.error_detail?.message,
    'Error adding/updating listener(s) x: filter_chains[0].x: no, y: filter_chains[0].y: no',
  );
});

test('the endpoints of all clusters of one response are asked for in one request, after its ACK', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  clusters.onUpdate = ({ added }) => {
    for (const name of added) xds.subscribe(EDS, [name]);
  };
  const { stream } = await server.next();
  push(stream, CDS, '1', ['a', 'b', 'c']);
  assert.equal((await server.next()).request.type_url, CDS);
  const endpoints = await server.next();
  assert.equal(endpoints.request.type_url, EDS);
  assert.deepEqual(endpoints.request.resource_names, ['a', 'b', 'c']);
  await server.expectSilence();
});

test('every response gets an answer, also those that arrive together', async () => {
  const { server, xds } = await start();
  xds.subscribe(CDS);
  const { stream } = await server.next();
  const nonces = ['1', '2', '3'].map((version) => push(stream, CDS, version, ['a']));
  for (const nonce of nonces) assert.equal((await server.next()).request.response_nonce, nonce);
});

test('unrequested resources are ignored, and absence in EDS is not deletion', async () => {
  const { server, xds } = await start();
  const a = xds.subscribe(EDS, ['a']);
  const b = xds.subscribe(EDS, ['b']);
  const { stream, request } = await server.next();
  assert.deepEqual(request.resource_names, ['a', 'b']);
  push(stream, EDS, '1', ['a', 'stranger']);
  const update = await a.next();
  assert.deepEqual([update.added, update.removed, update.full], [['a'], [], false]);
  await server.next();
  assert.equal(b.updates.length, 0);
});

test('a second subscription to a known name is answered from what is known, without a request', async () => {
  const { server, xds } = await start();
  const first = xds.subscribe(EDS, ['a']);
  const { stream } = await server.next();
  push(stream, EDS, '1', ['a']);
  await first.next();
  await server.next();
  const second = xds.subscribe(EDS, ['a']);
  assert.equal(second.updates.length, 0, 'not from inside subscribe()');
  assert.deepEqual((await second.next()).added, ['a']);
  // One replaces the other in one go: nothing to tell the server, and the endpoints are still there.
  first.close();
  second.close();
  const third = xds.subscribe(EDS, ['a']);
  assert.deepEqual((await third.next()).added, ['a']);
  await server.expectSilence();
});

test('dropping a name says so, dropping the last one sends the empty list', async () => {
  const { server, xds } = await start();
  const routes = xds.subscribe(RDS, ['r1', 'r2']);
  const { stream } = await server.next();
  const nonce = push(stream, RDS, '1', ['r1', 'r2']);
  await server.next();
  routes.interest(['r2']);
  const fewer = await server.next();
  assert.deepEqual(fewer.request.resource_names, ['r2']);
  assert.deepEqual([fewer.request.version_info, fewer.request.response_nonce], ['1', nonce]);
  routes.close();
  assert.deepEqual((await server.next()).request.resource_names, []);
});

test('a cut stream comes back with all subscriptions in order, versions kept, nonces dropped, and tells nobody to change', async () => {
  const { server, xds } = await start();
  const routes = xds.subscribe(RDS, ['r']);
  const extensions = xds.subscribe(ECDS, ['x']);
  const clusters = xds.subscribe(CDS);
  const listeners = xds.subscribe(LDS);
  const endpoints = xds.subscribe(EDS, ['a']);
  const order = [CDS, EDS, LDS, RDS, ECDS];
  const seen = [];
  for (const _ of order) seen.push(await server.next());
  assert.deepEqual(
    seen.map(({ request }) => request.type_url),
    order,
  );
  for (const typeUrl of order) push(seen[0]!.stream, typeUrl, `v-${typeUrl.length}`, ['r', 'x', 'a']);
  for (const _ of order) await server.next();
  seen[0]!.stream.end({ code: 14, details: 'going away' });
  const again = [];
  for (const _ of order) again.push((await server.next()).request);
  assert.deepEqual(
    again.map((request) => request.type_url),
    order,
  );
  for (const request of again) {
    assert.equal(request.response_nonce, '');
    assert.equal(request.version_info, `v-${request.type_url.length}`);
  }
  assert.deepEqual(again[3]!.resource_names, ['r']);
  assert.notEqual(again[0]!.node, undefined);
  assert.equal(again[1]!.node, undefined);
  for (const recorder of [routes, extensions, clusters, listeners, endpoints]) {
    assert.equal(recorder.updates.length, 1);
    assert.match(recorder.failures[0]!, /^connection: 14, going away/);
  }
});

test('GOAWAY and a crash are survived, on a new connection', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const first = await server.next();
  push(first.stream, CDS, '1', ['a']);
  await server.next();
  server.goAway(10);
  const second = await server.next();
  assert.notEqual(second.stream, first.stream);
  assert.equal(second.request.version_info, '1');
  server.crash();
  await clusters.until(() => clusters.failures.length >= 2);
  await server.restart();
  const third = await server.next();
  push(third.stream, CDS, '2', ['a']);
  assert.equal((await server.next()).request.version_info, '2');
  assert.equal(clusters.updates.length, 2);
});

test('the next endpoint is tried when one cannot be reached', async () => {
  const gone = await FakeXdsServer.sotw();
  gone.close();
  const server = await FakeXdsServer.sotw();
  const xds = client(xdsCluster(gone.address, server.address), 'GRPC');
  closers.push(
    () => xds.close(),
    () => server.close(),
  );
  xds.subscribe(CDS);
  await server.next();
});

test('a response that is no protobuf begins the stream anew', async () => {
  const { server, xds } = await start();
  xds.subscribe(CDS);
  const first = await server.next();
  first.stream.sendBytes(Buffer.from('not protobuf at all'));
  const second = await server.next();
  assert.notEqual(second.stream, first.stream);
});

test('a resource of another type refuses the whole response', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const { stream } = await server.next();
  stream.sendSotw({ type_url: CDS, version_info: '1', nonce: 'n', resources: [named(EDS, 'a')] });
  const { request } = await server.next();
  assert.match(request.error_detail!.message, /does not match the message-wide type URL/);
  assert.equal(clusters.updates.length, 0);
  assert.match(clusters.failures[0]!, /^rejected: /);
});

test('a name that comes twice is a NACK that says so; the first one applies', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const { stream } = await server.next();
  push(stream, CDS, '1', ['a', 'b', 'a']);
  const { request } = await server.next();
  assert.equal(
    request.error_detail?.message,
    'Error adding/updating cluster(s) a: duplicate cluster a found',
  );
  assert.deepEqual((await clusters.next()).added, ['a', 'b']);
});

test('a resource without a readable name refuses the response and says which', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const { stream } = await server.next();
  const broken = { type_url: CDS, value: Buffer.from([0x0a, 0x7f, 0x41]) };
  stream.sendSotw({ type_url: CDS, version_info: '1', nonce: 'n', resources: [named(CDS, 'a'), broken] });
  const { request } = await server.next();
  assert.equal(request.error_detail?.message, 'resources[1]: truncated message');
  assert.equal(clusters.updates.length, 0);
});

test('a consumer that throws is a NACK, not the end of the stream', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  clusters.onUpdate = () => {
    throw new Error('a bug');
  };
  const { stream } = await server.next();
  push(stream, CDS, '1', ['a']);
  assert.match((await server.next()).request.error_detail!.message, /a: Error: a bug/);
});

test('Resource wrappers are opened; a heartbeat keeps a resource alive, silence removes it', async () => {
  const { server, xds } = await start();
  const extension = xds.subscribe(ECDS, ['x']);
  const { stream } = await server.next();
  const wrap = (resource: object): object =>
    encodeAny('envoy.service.discovery.v3.Resource', { name: 'x', ttl: durationOf(600), ...resource });
  const send = (nonce: string, resource: object): void =>
    stream.sendSotw({ type_url: ECDS, version_info: '1', nonce, resources: [wrap(resource) as never] });
  send('n1', { resource: named(ECDS, 'x') });
  const update = await extension.next();
  assert.deepEqual([update.added, update.resources[0]!.ttlMs], [['x'], 600]);
  await server.next();
  const beginning = performance.now();
  for (let beat = 0; beat < 3; beat++) {
    await new Promise((resolve) => setTimeout(resolve, 320));
    send(`h${beat}`, {});
    assert.equal((await server.next()).request.response_nonce, `h${beat}`);
  }
  assert.equal(extension.updates.length, 1, 'heartbeats are no updates');
  const expired = await extension.next();
  assert.deepEqual([expired.added, expired.removed], [[], ['x']]);
  assert.ok(performance.now() - beginning > 3 * 320 + 560);
});

test('initial_fetch_timeout tells once; an answer or 0 stops it', async () => {
  const { server, xds } = await start();
  const soon = configSource({ ads: {}, initial_fetch_timeout: '0.5s' });
  const waiting = xds.subscribe(RDS, ['r'], soon);
  const answered = xds.subscribe(CDS, undefined, soon);
  const patient = xds.subscribe(LDS, undefined, configSource({ ads: {}, initial_fetch_timeout: '0s' }));
  push((await server.next()).stream, CDS, '1', []);
  await waiting.until(() => waiting.failures.length === 1);
  assert.deepEqual(waiting.failures, ['fetch_timeout: initial fetch timed out']);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual([answered.failures, patient.failures, waiting.failures.length], [[], [], 1]);
  assert.equal(xds.stat('test.RouteConfiguration.init_fetch_timeout'), 1);
  assert.equal(xds.stat('test.Cluster.init_fetch_timeout'), 0);
});

test('rate_limit_settings hold requests back, and every one of them goes out', async () => {
  const { server, xds } = await start({ rate_limit_settings: { max_tokens: 2, fill_rate: 20 } });
  xds.subscribe(CDS);
  const { stream } = await server.next();
  const start_ = performance.now();
  for (let version = 1; version <= 5; version++) push(stream, CDS, String(version), ['a']);
  for (let version = 1; version <= 5; version++)
    assert.equal((await server.next()).request.version_info, String(version));
  assert.ok(performance.now() - start_ > 150, 'four of the five waited for a token');
  assert.ok(xds.stat('control_plane.rate_limit_enforced') > 0);
});

test('a response of a type nobody asked for is ignored', async () => {
  const { server, xds } = await start();
  xds.subscribe(CDS);
  const { stream } = await server.next();
  push(stream, RDS, '1', ['r']);
  await server.expectSilence();
  push(stream, CDS, '1', ['a']);
  assert.equal((await server.next()).request.version_info, '1');
});

test('a message of 40 MB arrives', async () => {
  const { server, xds } = await start();
  const clusters = xds.subscribe(CDS);
  const { stream } = await server.next();
  const alt_stat_name = 'x'.repeat(4 * 1024 * 1024);
  const resources = Array.from({ length: 10 }, (_, index) => named(CDS, `c${index}`, { alt_stat_name }));
  stream.sendSotw({ type_url: CDS, version_info: '1', nonce: 'big', resources });
  assert.equal((await clusters.next()).added.length, 10);
});
