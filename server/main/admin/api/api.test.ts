import assert from 'node:assert/strict';
import { get } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { type Ask, serveAdmin } from '../../../../tests/fakes/admin_client.ts';
import { fakeAdminContext, fakeWorkers } from '../../../../tests/fakes/admin_context.ts';
import { capturedRequest } from '../../../../tests/fakes/captured_request.ts';
import { DYNAMIC, resource, testStore } from '../../../../tests/fakes/config_store.ts';
import { schemaErrors } from '../../../../tests/fakes/json_schema.ts';
import { ipAddress } from '../../../common/network/address.ts';
import { StatAggregator } from '../../../common/stats/aggregator.ts';
import { statSchema } from '../../../common/stats/schema.ts';
import { RequestCaptures } from '../../capture/request_captures.ts';
import { clusterNumbers } from '../../status/cluster_numbers.ts';
import { resourceView } from '../../status/resource_status.ts';
import type { StreamSnapshot } from '../../xds/stream_state.ts';
import { AdminServer } from '../admin.ts';
import { API_ENDPOINTS } from './api.ts';
import type { Schema } from './endpoint.ts';

const CANARY = 'the-canary-in-the-coal-mine';
const CANARY_BASE64 = Buffer.from(CANARY).toString('base64');

const STREAM: StreamSnapshot = {
  target: 'xds-grpc',
  method: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
  dialect: 'delta',
  connected: true,
  connectedAt: 1,
  streams: 2,
  lastDisconnect: 'UNAVAILABLE',
  controlPlane: 'istiod-1',
  requestsSent: 3,
  types: [
    {
      typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
      wildcard: true,
      names: [],
      version: 'v2',
      nonce: 'n2',
      responses: 2,
      acks: 1,
      nacks: 1,
      lastAckAt: 1,
      lastNackAt: 2,
      lastError: 'bad: name: this one is bad',
    },
  ],
};

/** A store to which came: clusters a (in two versions, then a refused one) and bad; a secret in two versions; b and c. */
function filledStore() {
  const { store, subscriptions } = testStore({
    ...DYNAMIC,
    static_resources: {
      clusters: [{ name: 'static/one' }],
      listeners: [
        {
          name: 'in',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{}],
        },
      ],
    },
  });
  store.loadStatic();
  store.start(() => undefined);
  const answer = (...clusters: object[]): unknown =>
    subscriptions.answer(
      'Cluster/*',
      clusters.map((json) => resource('cluster', json as { [field: string]: unknown })),
      { version: 'v' },
    );
  answer({ name: 'a', connect_timeout: '1s' });
  answer({ name: 'a', connect_timeout: '2s' }, { name: 'bad' });
  answer({ name: 'a', connect_timeout: '2s' }, { name: 'b' }, { name: 'c', alt_stat_name: 'sds:x' });
  for (const value of [`${CANARY}-1`, `${CANARY}-2`]) {
    const secret = { name: 'x', generic_secret: { secret: { inline_string: value } } };
    subscriptions.answer('Secret/x', [resource('secret', secret)]);
  }
  return { store, subscriptions };
}

async function served(t: TestContext): Promise<Ask> {
  const { store } = filledStore();
  t.after(() => store.close());
  const context = fakeAdminContext({
    resources: resourceView(store),
    history: store.history,
    clusterNumbers: () => clusterNumbers(store, new StatAggregator()),
    xdsStreams: () => [STREAM],
    requests: async () => new RequestCaptures(fakeWorkers([JSON.stringify(capturedRequest())])),
  });
  return serveAdmin(t, context);
}

/** What the answers hold, as far as it is looked at. */
interface Answer {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, { readonly get?: Operation; readonly post?: Operation }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly total: number;
  readonly offset: number;
  readonly items: readonly { readonly id: number; readonly name: string; readonly path: string }[];
  readonly state: string;
  readonly rejection: { readonly path: string; readonly reason: string };
  readonly resource: object;
  readonly rejected_resource: object;
  readonly rejected_changes: readonly object[];
  readonly changes: readonly { readonly path: string }[];
}

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >;
}

async function json(ask: Ask, path: string): Promise<Answer> {
  const { status, body } = await ask(path);
  assert.equal(status, 200, `${path}: ${body}`);
  return JSON.parse(body);
}

describe('/api/', () => {
  test('every endpoint is in the document and answers as it says', async (t) => {
    const ask = await served(t);
    const document = await json(ask, '/api/openapi.json');
    assert.equal(document.openapi, '3.1.0');
    assert.deepEqual(new Set(Object.keys(document.paths)), new Set(API_ENDPOINTS.map(({ path }) => path)));
    const { schemas } = document.components;
    const examples: Readonly<Record<string, readonly string[]>> = {
      '/api/resources/{kind}/{name}': [
        '/api/resources/cluster/a',
        '/api/resources/cluster/bad',
        '/api/resources/secret/x',
        '/api/resources/cluster/static%2Fone',
      ],
      '/api/requests/{id}': ['/api/requests/0-1'],
      '/api/clusters/{name}': ['/api/clusters/static%2Fone'],
      '/api/listeners/{name}': ['/api/listeners/in'],
      '/api/history/{id}': ['/api/history/1', '/api/history/2', '/api/history/3'],
    };
    let checked = 0;
    for (const [path, { get: operation }] of Object.entries(document.paths)) {
      const schema = operation?.responses[200]?.content['application/json']?.schema;
      if (schema === undefined) continue;
      for (const example of examples[path] ?? [path]) {
        assert.deepEqual(schemaErrors(schema, await json(ask, example), schemas), [], example);
        checked++;
      }
    }
    const readable = API_ENDPOINTS.filter(
      ({ method, response }) => method === undefined && response !== undefined,
    );
    assert.ok(checked >= readable.length, `${checked} answers`);
    const failed = JSON.parse((await ask('/api/resources?limit=0')).body);
    const errorSchema =
      document.paths['/api/resources']!.get!.responses[400]!.content['application/json']!.schema!;
    assert.deepEqual(schemaErrors(errorSchema, failed, schemas), []);
  });

  test('resources are found, sorted and paged', async (t) => {
    const ask = await served(t);
    const names = async (query: string): Promise<string[]> =>
      (await json(ask, `/api/resources?${query}`)).items.map(({ name }) => name);
    assert.deepEqual(await names('kind=cluster'), ['a', 'b', 'bad', 'c', 'static/one']);
    assert.deepEqual(await names('kind=cluster&sort=-name&limit=2'), ['static/one', 'c']);
    assert.deepEqual(await names('kind=cluster&sort=name&offset=1&limit=2'), ['b', 'bad']);
    assert.deepEqual(await names('kind=cluster&search=A'), ['a', 'bad', 'static/one']);
    assert.deepEqual(await names('state=rejected'), ['bad']);
    assert.deepEqual((await names('sort=-size_bytes')).slice(0, 1), ['x']);
    const { total, offset } = await json(ask, '/api/resources?kind=cluster&offset=4');
    assert.deepEqual([total, offset], [5, 4]);
  });

  test('a refused resource says which field', async (t) => {
    const ask = await served(t);
    const bad = await json(ask, '/api/resources/cluster/bad');
    assert.equal(bad.state, 'rejected');
    assert.deepEqual([bad.rejection.path, bad.rejection.reason], ['name', 'this one is bad']);
    assert.deepEqual(bad.rejected_resource, { name: 'bad' });
  });

  test('what a refused update would have changed is told', async (t) => {
    const { store, subscriptions } = filledStore();
    t.after(() => store.close());
    const refused = { name: 'a', connect_timeout: '-1s' };
    assert.equal(subscriptions.answer('Cluster/*', [resource('cluster', refused)]).length, 1);
    const ask = await serveAdmin(
      t,
      fakeAdminContext({ resources: resourceView(store), history: store.history }),
    );
    const { state, rejected_changes } = await json(ask, '/api/resources/cluster/a');
    assert.equal(state, 'active');
    assert.deepEqual(rejected_changes, [{ path: 'connect_timeout', before: '2s', after: '-1s' }]);
    const secret = await json(ask, '/api/history?kind=secret');
    assert.equal((await ask(`/api/history/1?against=${secret.items[0]!.id}`)).status, 400);
  });

  test('the history tells what changed', async (t) => {
    const ask = await served(t);
    const { items } = await json(ask, '/api/history?kind=cluster&name=a');
    assert.equal(items.length, 2);
    assert.ok(items[0]!.id > items[1]!.id);
    const { changes, resource } = await json(ask, `/api/history/${items[0]!.id}`);
    assert.deepEqual(changes, [{ path: 'connect_timeout', before: '1s', after: '2s' }]);
    assert.deepEqual(resource, { name: 'a', connect_timeout: '2s' });
    const [young, old] = items.map(({ id }) => id);
    const back = await json(ask, `/api/history/${old}?against=${young}`);
    assert.deepEqual(back.changes, [{ path: 'connect_timeout', before: '2s', after: '1s' }]);
    assert.deepEqual((await json(ask, `/api/history/${young}?against=${young}`)).changes, []);
    const rejected = await json(ask, '/api/history?verdict=rejected');
    assert.deepEqual([rejected.total, rejected.items[0]!.path], [1, 'name']);
  });

  test('a changed secret is seen to change, and never seen', async (t) => {
    const ask = await served(t);
    const { items } = await json(ask, '/api/history?kind=secret');
    assert.equal(items.length, 2);
    const { changes } = await json(ask, `/api/history/${items[0]!.id}`);
    assert.equal(changes.length, 1);
    assert.match(changes[0]!.path, /^generic_secret\.secret\.inline_/);
    const against = `/api/history/${items[0]!.id}?against=${items[1]!.id}`;
    assert.deepEqual((await json(ask, against)).changes, changes);
    const paths = ['/api/resources?kind=secret', '/api/resources/secret/x', '/api/history'];
    for (const path of [...paths, against, ...items.map(({ id }) => `/api/history/${id}`)]) {
      const { body } = await ask(path);
      assert.ok(!body.includes(CANARY) && !body.includes(CANARY_BASE64.slice(0, 20)), path);
    }
  });

  test('the largest groups of stats are named, with the tag that makes them large', async (t) => {
    const context = fakeAdminContext();
    const schema = statSchema('traffic', { a: 'counter', b: 'gauge', c: 'counter:unlisted' });
    for (let i = 0; i < 30; i++) context.store.block(schema, `cluster.c${i}.`);
    for (const code of ['200', '404', '503']) {
      for (const app of ['a', 'b']) {
        const tags = [
          { name: 'response_code', value: code },
          { name: 'app', value: app },
        ];
        context.store.counter('istiocustom.istio_requests_total', tags).add(1);
      }
    }
    context.store.flush();
    const ask = await serveAdmin(t, context);
    const answer = JSON.parse((await ask('/stats/cardinality?limit=2')).body);
    assert.deepEqual(answer, {
      stats: 66,
      prefixes: 36,
      groups: [
        {
          name: 'cluster.',
          family: 'traffic',
          prefixes: 30,
          stats: 60,
          tags: { 'envoy.cluster_name': 30 },
          largest: ['c0', 'c1', 'c10'].map((value) => ({ tag: 'envoy.cluster_name', value, stats: 2 })),
          example: 'cluster.c0.',
        },
        {
          name: 'istiocustom.istio_requests_total',
          family: 'counter',
          prefixes: 6,
          stats: 6,
          tags: { response_code: 3, app: 2 },
          largest: [
            { tag: 'app', value: 'a', stats: 3 },
            { tag: 'app', value: 'b', stats: 3 },
            { tag: 'response_code', value: '200', stats: 2 },
          ],
          example: 'istiocustom.istio_requests_total.response_code.200.app.a',
        },
      ],
    });
  });

  test('what is wrong with a request is said', async (t) => {
    const ask = await served(t);
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ['/api/resources?kind=clusters', 400, /parameter 'kind' must be one of cluster, /],
      ['/api/resources?limit=1001', 400, /'limit' must be a whole number from 1 to 1000/],
      ['/api/resources?limit=x', 400, /whole number/],
      ['/api/resources?page=1', 400, /unknown parameter 'page'/],
      ['/api/resources?sort=name&sort=name', 400, /more than once/],
      ['/api/resources?name=a', 400, /unknown parameter 'name'/],
      ['/api/resources/cluster/nobody', 404, /no cluster 'nobody'/],
      ['/api/resources/nothing/a', 400, /'kind' must be/],
      ['/api/history/0', 400, /from 1 to/],
      ['/api/history/99', 404, /no entry 99/],
      ['/api/history/1?against=99', 404, /no entry 99/],
      ['/api/history/1?against=x', 400, /'against' must be a whole number/],
      ['/api/', 404, /openapi\.json/],
      ['/api/nope', 404, /openapi\.json/],
    ];
    for (const [path, status, error] of cases) {
      const reply = await ask(path);
      assert.equal(reply.status, status, path);
      assert.equal(reply.headers['content-type'], 'application/json');
      assert.match(JSON.parse(reply.body).error, error, path);
    }
    assert.equal((await ask('/api/resources', { method: 'POST' })).status, 405);
  });

  test('events come as they happen', async (t) => {
    const { store, subscriptions } = filledStore();
    t.after(() => store.close());
    const server = new AdminServer(fakeAdminContext({ history: store.history }));
    const { port } = await server.listen(ipAddress('127.0.0.1', 0));
    t.after(() => server.close());
    const events = await new Promise<string>((resolve, reject) => {
      let text = '';
      const request = get({ host: '127.0.0.1', port, path: '/api/events' }, (response) => {
        assert.equal(response.headers['content-type'], 'text/event-stream');
        response.setEncoding('utf8').on('data', (chunk: string) => {
          if (text === '')
            subscriptions.answer('Cluster/*', [resource('cluster', { name: 'bad' })], { version: 'v9' });
          text += chunk;
          if (!text.includes('"bad"')) return;
          request.destroy();
          resolve(text);
        });
      });
      request.on('error', reject);
    });
    assert.match(events, /^: connected\n\n/);
    const data = JSON.parse(/^event: config\nid: \d+\ndata: (.*"bad".*)$/m.exec(events)![1]!);
    assert.deepEqual([data.kind, data.version, data.verdict], ['cluster', '1', 'rejected']);
  });

  test('events that were missed come first', async (t) => {
    const { store } = filledStore();
    t.after(() => store.close());
    const server = new AdminServer(fakeAdminContext({ history: store.history }));
    const { port } = await server.listen(ipAddress('127.0.0.1', 0));
    t.after(() => server.close());
    const ids = [...store.history.all()].map(({ id }) => id).sort((a, b) => a - b);
    const headers = { 'last-event-id': String(ids.at(-3)) };
    const text = await new Promise<string>((resolve, reject) => {
      let text = '';
      const request = get({ host: '127.0.0.1', port, path: '/api/events', headers }, (response) => {
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          if (!text.includes(`id: ${ids.at(-1)}\n`)) return;
          request.destroy();
          resolve(text);
        });
      });
      request.on('error', reject);
    });
    assert.deepEqual(
      [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)),
      ids.slice(-2),
    );
  });

  test('clusters and listeners are listed with what they are', async (t) => {
    const ask = await served(t);
    const clusters = await json(ask, '/api/clusters?sort=-name&limit=2');
    assert.equal(clusters.total, 4);
    assert.deepEqual(
      clusters.items.map(({ name }) => name),
      ['static/one', 'c'],
    );
    assert.deepEqual(
      (await json(ask, '/api/clusters?search=IC/O')).items.map(({ name }) => name),
      ['static/one'],
    );
    assert.equal((await ask('/api/clusters/nobody')).status, 404);
    assert.deepEqual(
      (await json(ask, '/api/listeners')).items.map(({ name }) => name),
      ['in'],
    );
    assert.equal((await ask('/api/listeners/nobody')).status, 404);
  });
});
