// What explainRoutes calls possible is what RouteConfig.route does, with the shares it says; and RouteConfig.explain is its twin.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { RequestHeaders } from '../http/header_map.ts';
import { ipAddress } from '../network/address.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../stream_info/stream_info.ts';
import { explainRoutes } from './explain_routes.ts';
import { type CompiledRouteConfig, compileRouteConfiguration } from './route_config.ts';
import { compileScopedRoutes } from './scoped_routes.ts';

const noPause = async (): Promise<void> => {};
const MILLION = 1_000_000;

const path = fc.constantFrom('/', '/a', '/a/b', '/A', '/b;p=1/c');
const match = fc
  .tuple(
    fc.oneof(
      path.map((prefix) => ({ prefix })),
      path.map((exact) => ({ path: exact })),
      fc.constantFrom('/a', '/b').map((path_separated_prefix) => ({ path_separated_prefix })),
      fc.constant({ safe_regex: { regex: '/a.*' } }),
      fc.constant({ connect_matcher: {} }),
    ),
    fc.oneof(
      fc.record({ case_sensitive: fc.boolean() }),
      fc.constantFrom<object>(
        { headers: [{ name: 'x', string_match: { exact: '1' } }] },
        { headers: [{ name: 'x', present_match: true, invert_match: true }] },
        { query_parameters: [{ name: 'q', present_match: true }] },
        { cookies: [{ name: 'k', string_match: { exact: 'v' } }] },
        { grpc: {} },
        { tls_context: { presented: false } },
        { runtime_fraction: { default_value: { numerator: 0 } } },
        { runtime_fraction: { default_value: { numerator: 30 } } },
        {
          runtime_fraction: { default_value: { numerator: 100 } },
          headers: [{ name: 'x', present_match: true }],
        },
      ),
    ),
  )
  .map(([of, more]) => ({ ...of, ...more }));
const action = fc.oneof(
  fc.constant({ route: { cluster: 'one' } }),
  fc.constant({
    route: {
      weighted_clusters: {
        clusters: [
          { name: 'one', weight: 1 },
          { name: 'two', weight: 3 },
          { name: 'none', weight: 0 },
        ],
      },
    },
  }),
  fc.constant({
    route: {
      weighted_clusters: {
        clusters: [
          { name: 'one', weight: 1 },
          { name: 'two', weight: 3 },
        ],
        header_name: 'x',
      },
    },
  }),
  fc.constant({ direct_response: { status: 200 } }),
);
const config = fc
  .tuple(
    fc.uniqueArray(fc.constantFrom('h', '*.h', 'h*', '*'), { minLength: 1, maxLength: 3 }),
    fc.array(fc.tuple(match, action), { maxLength: 5 }),
    fc.constantFrom('NONE', 'ALL', 'EXTERNAL_ONLY'),
    fc.boolean(),
  )
  .map(([domains, routes, require_tls, ignoreParameters]) => ({
    name: 'r',
    ignore_path_parameters_in_path_matching: ignoreParameters,
    virtual_hosts: domains.map((domain, i) => ({
      name: domain,
      domains: [domain],
      require_tls: i === 2 ? require_tls : 'NONE',
      routes: routes.map(([of, to], index) => ({ name: String(index), match: of, ...to })),
    })),
  }));
const request = fc.record({
  method: fc.constantFrom('GET', 'CONNECT'),
  host: fc.constantFrom('h', 'a.h', 'hx', 'other', undefined),
  path: fc.tuple(path, fc.constantFrom('', '?q', '#f')).map((parts) => parts.join('')),
  headers: fc
    .subarray(['x', '1', 'cookie', 'k=v', 'content-type', 'application/grpc'])
    .map((list) => pairs(list)),
});

function pairs(list: readonly string[]): string[] {
  const all = { x: '1', cookie: 'k=v', 'content-type': 'application/grpc' };
  return Object.entries(all).flatMap(([name, value]) => (list.includes(name) ? [name, value] : []));
}

function compiled(json: object): CompiledRouteConfig {
  const message = fromJson('envoy.config.route.v3.RouteConfiguration', json);
  return compileRouteConfiguration(message, fakeFactoryContext(), '') as CompiledRouteConfig;
}

function streamInfo(): StreamInfoRecord {
  return new StreamInfoRecord(
    new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', 2), 'l'),
    0,
    0,
  );
}

describe('routes are explained as they are chosen', () => {
  test('whatever is configured and asked', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(
        config,
        request,
        fc.array(fc.nat(MILLION - 1), { minLength: 5, maxLength: 10 }),
        async (json, asked, ids) => {
          const routes = compiled(json);
          const headers = new RequestHeaders(asked.method, asked.path, asked.host, 'http', asked.headers);
          const explanation = await explainRoutes(routes, headers, streamInfo(), noPause);
          const sum = explanation.possible.reduce((all, { share }) => all + share, 0);
          assert.ok(sum <= 1 + 1e-9, `the shares are ${sum}`);
          for (const id of ids) {
            const route = routes.route(headers, streamInfo(), id);
            const twin = routes.explain(headers, streamInfo(), id);
            assert.equal(twin.matched, route !== undefined, JSON.stringify(twin));
            if (route === undefined) assert.ok(sum < 1, 'no route was found, and one was certain');
            else {
              found++;
              assert.ok(
                explanation.possible.some((each) => each.route === route),
                `route ${route.name} is not among the possible ones`,
              );
            }
          }
        },
      ),
      { numRuns: 500 },
    );
    assert.ok(found > 500, `${found} routes were found`);
  });

  test('with the shares that random values give', async () => {
    const weighted = (one: number, two: number): object => ({
      route: {
        weighted_clusters: {
          clusters: [
            { name: 'one', weight: one },
            { name: 'two', weight: two },
          ],
        },
      },
    });
    const half = { runtime_fraction: { default_value: { numerator: 50 } } };
    const routes = compiled({
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { name: 'half', match: { prefix: '/', ...half }, direct_response: { status: 200 } },
            { name: 'rest', match: { prefix: '/' }, ...weighted(1, 3) },
          ],
        },
      ],
    });
    const headers = new RequestHeaders('GET', '/', 'h', 'http', []);
    const { possible } = await explainRoutes(routes, headers, streamInfo(), noPause);
    assert.deepEqual(
      possible.map(({ route, share }) => [route.routeEntry?.clusterName(headers, 0) ?? 'direct', share]),
      [
        ['direct', 0.5],
        ['one', 0.125],
        ['two', 0.375],
      ],
    );
  });

  test('of scoped routes', () => {
    const scope = (name: string, prefix: string): object => ({
      name,
      key: { fragments: [{ string_key: name }] },
      route_configuration: {
        name,
        virtual_hosts: [
          { name: 'v', domains: ['*'], routes: [{ match: { prefix }, direct_response: { status: 200 } }] },
        ],
      },
    });
    const message = fromJson('envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes', {
      name: 's',
      scope_key_builder: {
        fragments: [{ header_value_extractor: { name: 'x', element_separator: ',', index: 0 } }],
      },
      scoped_route_configurations_list: { scoped_route_configurations: [scope('a', '/'), scope('b', '/b')] },
    });
    const routes = compileScopedRoutes(message, fakeFactoryContext(), '').current!;
    fc.assert(
      fc.property(fc.constantFrom('', 'a', 'b', 'c', 'b,a'), fc.constantFrom('/', '/b'), (key, target) => {
        const headers = new RequestHeaders('GET', target, 'h', 'http', key === '' ? [] : ['x', key]);
        const matched = routes.route(headers, streamInfo(), 0) !== undefined;
        assert.equal(routes.explain(headers, streamInfo(), 0).matched, matched);
      }),
    );
  });
});
