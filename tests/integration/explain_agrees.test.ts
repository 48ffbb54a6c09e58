// Explain agrees with what happens: generated route tables and requests go through a real proxy, and the route and the host that
// each request takes are those that /explain gave for it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { Schema } from '../../server/main/admin/api/endpoint.ts';
import type { Explanation } from '../../server/main/explain/explanation.ts';
import { schemaErrors } from '../fakes/json_schema.ts';
import { ANY_ADMIN_PORT, type Answer, ask, ProxyProcess } from './proxy_process.ts';
import { portOf, TYPE } from './resources.ts';

const TABLES = 24;
const REQUESTS_EACH = 18;
const SEED = 20_261_121;

const CLUSTERS = ['one', 'two', 'three'] as const;
/** Of the cluster two. */
const SECOND_WEIGHT = 3;

let backends: http.Server[];
let schemas: Readonly<Record<string, Schema>>;
let proxy: ProxyProcess;

const name = fc.constantFrom('a', 'b', 'c', 'api', 'v1', 'cart', 'Cart');
const path = fc.array(name, { maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const text = fc.constantFrom('yes', 'no', 'x', 'yes-no');
const stringMatch = fc.oneof(
  fc.record({ exact: text }),
  fc.record({ prefix: text }),
  fc.record({ suffix: text }),
  fc.record({ contains: text, ignore_case: fc.boolean() }),
  fc.constant({ safe_regex: { regex: 'y.*|n.' } }),
);
const headerMatcher = fc.oneof(
  fc.record({
    name: fc.constantFrom('x-a', 'x-b'),
    string_match: stringMatch,
    invert_match: fc.boolean(),
    treat_missing_header_as_empty: fc.boolean(),
  }),
  fc.record({ name: fc.constantFrom('x-a', 'x-b'), present_match: fc.boolean(), invert_match: fc.boolean() }),
  fc.constant({ name: 'x-number', range_match: { start: 5, end: 50 } }),
  fc.constant({ name: ':method', string_match: { exact: 'POST' } }),
);
const pathMatch = fc.oneof(
  fc.constantFrom({ prefix: '/' }, { prefix: '/a' }, { prefix: '/c' }),
  path.map((prefix) => ({ prefix })),
  path.map((exact) => ({ path: exact })),
  path.filter((each) => each.length > 1).map((path_separated_prefix) => ({ path_separated_prefix })),
  fc.constantFrom('/a/.*', '/(b|c)', '.*cart').map((regex) => ({ safe_regex: { regex } })),
);
/** What a route asks for beside its path; most ask for little. */
const conditions = fc.oneof(
  { weight: 3, arbitrary: fc.record({ case_sensitive: fc.boolean() }, { requiredKeys: [] }) },
  { weight: 2, arbitrary: fc.record({ headers: fc.array(headerMatcher, { minLength: 1, maxLength: 2 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      query_parameters: fc.tuple(fc.record({ name: fc.constantFrom('q', 'r'), string_match: stringMatch })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      cookies: fc.tuple(
        fc.record({ name: fc.constant('k'), string_match: stringMatch, invert_match: fc.boolean() }),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      runtime_fraction: fc
        .constantFrom(0, 50, 100)
        .map((numerator) => ({ default_value: { numerator, denominator: 'HUNDRED' } })),
    }),
  },
);
const match = fc.tuple(pathMatch, conditions).map(([of, more]) => ({ ...of, ...more }));
const action = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...CLUSTERS).map((cluster) => ({ route: { cluster } })) },
  {
    weight: 1,
    arbitrary: fc.constant({
      route: {
        weighted_clusters: {
          clusters: [
            { name: 'one', weight: 1 },
            { name: 'three', weight: 2 },
          ],
        },
      },
    }),
  },
  { weight: 1, arbitrary: fc.constant({ route: { cluster_header: 'x-cluster' } }) },
  {
    weight: 1,
    arbitrary: fc.constant({
      route: { cluster: 'hashed', hash_policy: [{ header: { header_name: 'x-a' } }] },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({ direct_response: { status: 418, body: { inline_string: 'teapot' } } }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({ redirect: { path_redirect: '/else/where', response_code: 'SEE_OTHER' } }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({ route: { cluster: 'missing', cluster_not_found_response_code: 'NOT_FOUND' } }),
  },
  { weight: 1, arbitrary: fc.constant({ route: { cluster: 'empty' } }) },
);
const domains = fc.uniqueArray(
  fc.constantFrom(
    'shop.example.com',
    '*.example.com',
    'shop.*',
    'a.b.c',
    '*.c',
    '*',
    'shop.example.com:8080',
  ),
  { minLength: 3, maxLength: 6 },
);
const table = fc
  .tuple(
    domains,
    fc.array(fc.array(fc.tuple(match, action), { minLength: 1, maxLength: 6 }), {
      minLength: 5,
      maxLength: 5,
    }),
    fc.boolean(),
  )
  .map(([names, lists, ignorePort]) => ({
    ignore_port_in_host_matching: ignorePort,
    virtual_hosts: names
      // With the port ignored, both would be one domain.
      .filter((each) => !ignorePort || !each.endsWith(':8080'))
      .map((domain, host) => ({
        name: `host ${host}`,
        domains: [domain],
        require_tls: host === 4 ? 'EXTERNAL_ONLY' : 'NONE',
        routes: [
          ...(lists[host] ?? []).map(([matching, acting], index) => ({
            name: `${host}/${index}`,
            match: matching,
            ...acting,
          })),
          ...(host % 2 === 0 ? [{ name: 'all', match: { prefix: '/' }, route: { cluster: 'two' } }] : []),
        ],
      })),
  }));
const request = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  authority: fc.constantFrom(
    'shop.example.com',
    'SHOP.example.com',
    'x.example.com',
    'shop.other',
    'a.b.c',
    'z.c',
    'nobody',
    'shop.example.com:8080',
  ),
  path: fc
    .tuple(path, fc.constantFrom('', '', '?q=yes', '?r=no&q=x', '?q=no', '#fragment'))
    .map((parts) => parts.join('')),
  headers: fc.record(
    {
      'x-a': text,
      'x-b': text,
      'x-number': fc.constantFrom('4', '5', '49', '50', 'five'),
      cookie: fc.constantFrom('k=yes', 'k=no; j=1', 'j=yes'),
      'x-cluster': fc.constantFrom('one', 'three', 'nowhere'),
    },
    { requiredKeys: [] },
  ),
});

function manager(routes: object, index: number): object {
  return {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: `in${index}`,
    normalize_path: index % 2 === 0,
    use_remote_address: index % 3 === 0,
    route_config: {
      name: `table ${index}`,
      validate_clusters: false,
      response_headers_to_add: [shown('x-route', '%ROUTE_NAME%'), shown('x-host', '%UPSTREAM_HOST%')],
      ...routes,
    },
    http_filters: [
      { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
  };
}

function shown(key: string, value: string): object {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

function cluster(clusterName: string, lbPolicy: string, ...ports: number[]): object {
  const lb_endpoints = ports.map((port_value, i) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
    load_balancing_weight: clusterName === 'two' ? 1 + i * (SECOND_WEIGHT - 1) : 1,
  }));
  const load_assignment = { cluster_name: clusterName, endpoints: [{ lb_endpoints }] };
  return { name: clusterName, type: 'STATIC', lb_policy: lbPolicy, connect_timeout: '5s', load_assignment };
}

before(async () => {
  backends = Array.from({ length: 4 }, () => http.createServer((_request, response) => response.end('fine')));
  for (const backend of backends) {
    backend.listen(0, '127.0.0.1');
    await once(backend, 'listening');
  }
  const ports = backends.map(portOf);
  const tables = fc.sample(table, { numRuns: TABLES, seed: SEED });
  const bootstrap = {
    ...ANY_ADMIN_PORT,
    static_resources: {
      listeners: tables.map((routes, index) => ({
        name: `table ${index}`,
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [{ filters: [{ name: 'http', typed_config: manager(routes, index) }] }],
      })),
      clusters: [
        cluster('one', 'ROUND_ROBIN', ...ports.slice(0, 2)),
        cluster('two', 'LEAST_REQUEST', ...ports.slice(1, 4)),
        cluster('three', 'RANDOM', ports[3] as number),
        cluster('hashed', 'RING_HASH', ...ports),
        cluster('empty', 'ROUND_ROBIN'),
      ],
    },
  };
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', '1');
  schemas = JSON.parse((await proxy.admin('/api/openapi.json')).body).components.schemas;
});

after(async () => {
  await proxy?.stop();
  for (const backend of backends ?? []) backend.close().closeAllConnections();
});

async function explain(question: object): Promise<Explanation> {
  const url = `http://${proxy.adminAddress}/api/explain`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(question) });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  const explanation = JSON.parse(body);
  assert.deepEqual(schemaErrors(schemas.Explanation as Schema, explanation, schemas), []);
  return explanation;
}

/** All routes that the explanation allows for: the one it names, and those that chance may choose. */
function routesOf(explanation: Explanation): (string | undefined)[] {
  const step = explanation.steps.find((each) => each.step === 'route');
  return [explanation.result.route, ...(step?.items ?? []).map((item) => item.name)];
}

function check(explanation: Explanation, { status, headers }: Answer): void {
  const route = headers['x-route'];
  const possible = routesOf(explanation);
  const byChance = possible.length > 1;
  if (status === 404 && possible.includes('no route')) return;
  if (explanation.outcome === 'no_route') assert.equal(status, 404);
  else if (route !== undefined && route !== '')
    assert.ok(possible.includes(String(route)), `${route} of ${possible}`);
  if (byChance) return;
  switch (explanation.outcome) {
    case 'forwarded': {
      assert.equal(status, 200);
      const hosts = explanation.hosts.filter(({ share }) => share > 0);
      assert.ok(
        hosts.some(({ address }) => address === headers['x-host']),
        `${headers['x-host']}`,
      );
      const sum = hosts
        .filter((host) => host.cluster === explanation.result.cluster)
        .reduce((all, { share }) => all + share, 0);
      assert.ok(Math.abs(sum - 1) < 1e-4, `shares sum up to ${sum}`);
      const chosen = hosts.find((host) => host.chosen);
      if (chosen !== undefined) assert.equal(headers['x-host'], chosen.address);
      break;
    }
    case 'redirect':
      assert.equal(headers.location, explanation.response?.location);
      assert.equal(status, explanation.response?.status);
      break;
    default:
      assert.equal(status, explanation.response?.status, explanation.outcome);
  }
}

test('for generated route tables and requests', async (t) => {
  const outcomes = new Map<string, number>();
  const requests = fc.sample(request, { numRuns: TABLES * REQUESTS_EACH, seed: SEED });
  for (const [i, asked] of requests.entries()) {
    const listener = `table ${i % TABLES}`;
    const { method, authority, path: target, headers } = asked;
    const explanation = await explain({
      request: { method, authority, path: target, headers },
      connection: { listener },
    });
    const port = await portOfListener(listener);
    const sent = { method, headers: { ...headers, host: authority }, path: target };
    const answer = await ask(`http://127.0.0.1:${port}`, sent);
    try {
      check(explanation, answer);
    } catch (error) {
      const { status, headers: got } = answer;
      const story = JSON.stringify({ listener, asked, status, got, explanation }, null, 1);
      throw new Error(`${(error as Error).message}\n${story}`);
    }
    outcomes.set(explanation.outcome, (outcomes.get(explanation.outcome) ?? 0) + 1);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(outcomes)));
  // Each kind of end is among them.
  for (const outcome of ['forwarded', 'direct_response', 'redirect', 'no_route', 'no_cluster', 'no_host'])
    assert.ok((outcomes.get(outcome) ?? 0) >= 3, outcome);
});

const portsByName = new Map<string, number>();

async function portOfListener(listener: string): Promise<number> {
  let port = portsByName.get(listener);
  if (port === undefined) portsByName.set(listener, (port = await proxy.port(listener)));
  return port;
}
