import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Ask, serveAdmin } from '../../../../tests/fakes/admin_client.ts';
import { fakeAdminContext } from '../../../../tests/fakes/admin_context.ts';
import {
  explainedConfiguration,
  type JsonResources,
} from '../../../../tests/fakes/explained_configuration.ts';
import { schemaErrors } from '../../../../tests/fakes/json_schema.ts';
import type { Explanation } from '../../explain/explanation.ts';
import type { Schema } from './endpoint.ts';

const TYPE = 'type.googleapis.com/envoy.';

const ROUTES = {
  name: 'main',
  virtual_hosts: [
    {
      name: 'shop',
      domains: ['shop.example.com', '*.shop.example.com'],
      routes: [
        { name: 'cart', match: { prefix: '/cart' }, route: { cluster: 'cart', timeout: '2s' } },
        {
          name: 'never',
          match: { path: '/cart/add', headers: [{ name: 'x', present_match: true }] },
          route: { cluster: 'cart' },
        },
        { match: { path_separated_prefix: '/static' }, redirect: { host_redirect: 'cdn.example.com' } },
        {
          match: { prefix: '/half', runtime_fraction: { default_value: { numerator: 50 } } },
          route: {
            weighted_clusters: {
              clusters: [
                { name: 'cart', weight: 3 },
                { name: 'new', weight: 1 },
              ],
            },
          },
        },
      ],
    },
  ],
};

const RESOURCES: JsonResources = {
  listeners: [
    {
      name: 'http',
      address: { socket_address: { address: '0.0.0.0', port_value: 8080 } },
      filter_chains: [
        {
          name: 'web',
          filters: [
            {
              name: 'http',
              typed_config: {
                '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                stat_prefix: 'in',
                rds: { route_config_name: 'main', config_source: { ads: {}, resource_api_version: 'V3' } },
                http_filters: [
                  {
                    name: 'router',
                    typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  ],
  routes: [ROUTES],
  clusters: [
    {
      name: 'cart',
      type: 'EDS',
      eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } },
    },
    { name: 'new' },
  ],
  endpoints: [
    {
      cluster_name: 'cart',
      endpoints: [
        {
          lb_endpoints: [1, 2, 3].map((last) => ({
            endpoint: { address: { socket_address: { address: `10.0.0.${last}`, port_value: 80 } } },
            health_status: last === 3 ? 'UNHEALTHY' : 'HEALTHY',
            load_balancing_weight: last,
          })),
        },
      ],
    },
  ],
};

function served(t: TestContext, resources = RESOURCES): Promise<Ask> {
  return serveAdmin(t, fakeAdminContext({ configuration: async () => explainedConfiguration(resources) }));
}

const header = (header_name: string): object => ({
  name: 'header',
  typed_config: {
    '@type': `type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput`,
    header_name,
  },
});
const lead = (kind: 'Route' | 'RouteList', to: object): object => ({
  action: { name: 'routes', typed_config: { '@type': `${TYPE}config.route.v3.${kind}`, ...to } },
});
const to = (name: string, prefix = '/'): object => ({ name, match: { prefix }, route: { cluster: 'cart' } });
const byDomain = {
  name: 'domain',
  typed_config: {
    '@type': 'type.googleapis.com/xds.type.matcher.v3.ServerNameMatcher',
    domain_matchers: [{ domains: ['*.example.com'], on_match: lead('Route', to('domain')) }],
  },
};

/** Routes in all kinds of trees. */
const IN_TREES = {
  name: 'main',
  virtual_hosts: [
    {
      name: 'tree',
      domains: ['*'],
      matcher: {
        matcher_list: {
          matchers: [
            {
              predicate: { single_predicate: { input: header('x-a'), value_match: { exact: '1' } } },
              on_match: lead('RouteList', {
                routes: [to('cart', '/cart'), to('never', '/cart/a'), to('rest')],
              }),
            },
            {
              predicate: { single_predicate: { input: header('x-b'), value_match: { exact: '1' } } },
              on_match: {
                matcher: {
                  matcher_tree: {
                    input: header(':path'),
                    exact_match_map: { map: { '/b': lead('Route', to('map')) } },
                  },
                },
              },
            },
          ],
        },
        on_no_match: { matcher: { matcher_tree: { input: header('x-c'), custom_match: byDomain } } },
      },
    },
  ],
};

async function schemas(ask: Ask): Promise<Readonly<Record<string, Schema>>> {
  return JSON.parse((await ask('/api/openapi.json')).body).components.schemas;
}

async function explain(ask: Ask, question: object, path = '/api/explain'): Promise<Explanation> {
  const { status, body } = await ask(path, { method: 'POST', json: JSON.stringify(question) });
  assert.equal(status, 200, body);
  const all = await schemas(ask);
  assert.deepEqual(schemaErrors(all.Explanation as Schema, JSON.parse(body), all), []);
  return JSON.parse(body);
}

describe('/api/explain', () => {
  test('a line of curl goes from the port to the hosts, with shares', async (t) => {
    const ask = await served(t);
    for (const path of ['/api/explain', '/explain']) {
      const answer = await explain(ask, { curl: "curl 'http://shop.example.com:8080/cart/1?x=2'" }, path);
      // The port of the URL is part of the host that curl sends.
      assert.equal(answer.outcome, 'no_route');
      assert.match(
        answer.nearest_miss?.hint ?? '',
        /'shop\.example\.com' would match, 'shop\.example\.com:8080' with its port does not/,
      );
    }
    const answer = await explain(ask, {
      curl: "curl -H 'Host: shop.example.com' 'http://127.0.0.1:8080/cart/1'",
    });
    assert.equal(answer.outcome, 'forwarded');
    assert.deepEqual(answer.result, {
      listener: 'http',
      filter_chain: 'web',
      route_config: 'main',
      virtual_host: 'shop',
      route: 'cart',
      route_index: 0,
      cluster: 'cart',
    });
    assert.deepEqual(
      answer.hosts.map(({ address, share, reason }) => [address, share, reason]),
      [
        ['10.0.0.1:80', 0.333333, 'healthy host of priority 0: 1 of 3 by weight'],
        ['10.0.0.2:80', 0.666667, 'healthy host of priority 0: 2 of 3 by weight'],
        ['10.0.0.3:80', 0, 'unhealthy: failed_eds_health'],
      ],
    );
    assert.match(answer.summary, /^http > web > shop > cart: it goes to cluster 'cart', one of 2 hosts$/);
  });

  test('what was rejected says its first condition that failed, and the nearest miss', async (t) => {
    const ask = await served(t);
    const answer = await explain(ask, {
      request: { authority: 'shop.example.com', path: '/cort' },
      connection: { listener: 'http' },
    });
    assert.equal(answer.outcome, 'no_route');
    assert.deepEqual(answer.response, { status: 404, flags: ['NR'], details: 'route_not_found' });
    const step = answer.steps.find((each) => each.step === 'route')!;
    assert.deepEqual(step.rejected[0]?.first_failed, {
      what: "path starts with '/cart'",
      reason: "the path is '/cort'",
    });
    assert.deepEqual([answer.nearest_miss?.name, answer.nearest_miss?.distance], ['cart', 1]);
    const wrongListener = await explain(ask, { connection: { listener: 'htp' } });
    assert.equal(wrongListener.nearest_miss?.name, 'http');
    const wrongPort = await explain(ask, { request: { url: 'http://10.0.0.9:8081/' } });
    assert.match(wrongPort.summary, /nobody listens on 10\.0\.0\.9:8081/);
  });

  test('chance is told in percent', async (t) => {
    const ask = await served(t);
    const answer = await explain(ask, {
      request: { authority: 'a.shop.example.com', path: '/half' },
      connection: { destination: '10.1.1.1:8080' },
    });
    const step = answer.steps.find((each) => each.step === 'route')!;
    assert.deepEqual(
      step.items?.map(({ note }) => note),
      ['37.5 % to cart', '12.5 % to new', '50 %: the answer is 404'],
    );
    assert.deepEqual(
      answer.clusters.map(({ name, share }) => [name, share]),
      [
        ['cart', 0.375],
        ['new', 0.125],
      ],
    );
  });

  test('a question that makes no sense is refused', async (t) => {
    const ask = await served(t);
    const refused = async (question: object): Promise<string> => {
      const { status, body } = await ask('/api/explain', { method: 'POST', json: JSON.stringify(question) });
      assert.equal(status, 400, body);
      return JSON.parse(body).error;
    };
    assert.match(await refused({ curl: 'wget http://x' }), /begins with 'curl'/);
    assert.match(await refused({ curl: "curl 'http://x" }), /a quote is not closed/);
    assert.match(await refused({}), /say where the connection goes/);
    assert.match(
      await refused({ connection: { destination: 'nowhere:80' } }),
      /'nowhere:80' is no IP address/,
    );
    assert.match(await refused({ request: { headers: { x: 1 } } }), /request\.headers\.x must be a text/);
    assert.match(await refused({ more: 1 }), /unknown field 'more'/);
    assert.equal((await ask('/api/explain', { method: 'POST', json: '{"captured":"0-1"}' })).status, 404);
  });
});

describe('/api/routes', () => {
  test('routes as rules, the shadowed one with what shadows it', async (t) => {
    const ask = await served(t);
    const list = async (query: string) => {
      const { body } = await ask(`/api/routes?${query}`);
      const all = await schemas(ask);
      for (const item of JSON.parse(body).items)
        assert.deepEqual(schemaErrors(all.RouteRow as Schema, item, all), []);
      return JSON.parse(body);
    };
    const { total, items } = await list('');
    assert.equal(total, 4);
    assert.deepEqual(
      items.map(({ match, action }: { match: string; action: string }) => [match, action]),
      [
        ['path /cart*', 'to cart, timeout 2000 ms'],
        ['path /cart/add, x is there', 'to cart'],
        ['path /static and below', 'redirect to cdn.example.com'],
        ['path /half*, 50 % of requests', 'to cart (3), new (1)'],
      ],
    );
    const shadowed = await list('shadowed=true');
    assert.deepEqual(
      shadowed.items.map(({ name, shadowed_by: by }: { name: string; shadowed_by: object }) => [name, by]),
      [
        [
          'main/shop/1',
          {
            index: 0,
            name: 'cart',
            reason:
              "route 0 comes first, takes every path that starts with '/cart', and asks for nothing else",
          },
        ],
      ],
    );
    assert.equal((await list('shadowed=false')).total, 3);
    assert.equal((await list('search=cdn')).items[0].index, 2);
    assert.equal((await list('virtual_host=other')).total, 0);
  });

  test('routes in match trees, with their places', async (t) => {
    const ask = await served(t, { ...RESOURCES, routes: [IN_TREES] });
    const { items } = JSON.parse((await ask('/api/routes')).body);
    const all = await schemas(ask);
    for (const item of items) assert.deepEqual(schemaErrors(all.RouteRow as Schema, item, all), []);
    const list = 'matcher.matcher_list.matchers[0].on_match.action';
    const map =
      'matcher.matcher_list.matchers[1].on_match.matcher.matcher_tree.exact_match_map.map["/b"].action';
    const domain =
      'matcher.on_no_match.matcher.matcher_tree.custom_match.typed_config.domain_matchers[0].on_match.action';
    assert.deepEqual(
      items.map((row: Record<string, unknown>) => [
        row.route,
        row.place,
        (row.shadowed_by as { index: number })?.index,
      ]),
      [
        ['cart', `${list}[0]`, undefined],
        ['never', `${list}[1]`, 0],
        ['rest', `${list}[2]`, undefined],
        ['map', `${map}[0]`, undefined],
        ['domain', `${domain}[0]`, undefined],
      ],
    );
    const places: unknown[] = [];
    for (const [path, headers] of [
      ['/x', ['x-a: 1']],
      ['/b', ['x-b: 1']],
      ['/', ['x-c: a.example.com']],
    ] as const) {
      const curl = `curl ${headers.map((one) => `-H '${one}'`).join(' ')} 'http://127.0.0.1:8080${path}'`;
      const { result, steps } = await explain(ask, { curl });
      places.push([result.route, result.route_place, result.route_index]);
      const [tree, route] = steps.find(({ step }) => step === 'route')!.tree!.children;
      assert.deepEqual([tree?.matched, route?.matched], [true, true]);
    }
    assert.deepEqual(places, [
      ['rest', `${list}[2]`, undefined],
      ['map', `${map}[0]`, undefined],
      ['domain', `${domain}[0]`, undefined],
    ]);
  });
});
