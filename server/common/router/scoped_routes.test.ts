import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fakeStreamInfo, requestHeaders } from '../../../tests/fakes/log_context.ts';
import type { ScopedRoutes } from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { RouteConfig } from '../../api/router.ts';
import { compileScopedRoutes } from './scoped_routes.ts';

const TYPE = 'envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes';

function scope(name: string, ...fragments: readonly string[]): object {
  const routes = [{ match: { prefix: '/' }, direct_response: { status: 200 }, name }];
  return {
    name,
    key: { fragments: fragments.map((string_key) => ({ string_key })) },
    route_configuration: { name, virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
  };
}

function compile(builders: readonly object[], scopes: readonly object[]): RouteConfig {
  const json = {
    name: 'scopes',
    scope_key_builder: {
      fragments: builders.map((header_value_extractor) => ({ header_value_extractor })),
    },
    scoped_route_configurations_list: { scoped_route_configurations: scopes },
  };
  const config = fromJson(TYPE, json as never) as unknown as ScopedRoutes;
  return compileScopedRoutes(config, fakeFactoryContext(), 'scoped_routes').current!;
}

describe('scoped routes', () => {
  const tenant = { name: 'x-tenant', element_separator: ';', element: { separator: '=', key: 'id' } };
  const region = { name: 'x-region', index: 0 };
  const config = compile([tenant, region], [scope('one', 'a', 'eu'), scope('two', 'a', 'us')]);
  const routed = (headers: Record<string, string>): string | undefined =>
    config.route(requestHeaders({ ':path': '/', ...headers }), fakeStreamInfo(), 0)?.name;

  test('all fragments of the key must be those of the scope', () => {
    assert.equal(routed({ 'x-tenant': 'k=1;id=a', 'x-region': 'eu' }), 'one');
    assert.equal(routed({ 'x-tenant': 'id=a', 'x-region': 'us' }), 'two');
    assert.equal(routed({ 'x-tenant': 'id=b', 'x-region': 'us' }), undefined);
    assert.equal(routed({ 'x-tenant': 'id=a' }), undefined);
    assert.equal(routed({}), undefined);
  });

  test('the explanation agrees', () => {
    const info = fakeStreamInfo();
    const asked = requestHeaders({ ':path': '/', 'x-tenant': 'id=a', 'x-region': 'eu' });
    const found = config.explain(asked, info, 0);
    assert.equal(found.matched, true);
    assert.match(found.children[0].what, /scope 'one'/);
    const none = config.explain(requestHeaders({ ':path': '/' }), info, 0);
    assert.deepEqual([none.matched, none.reason], [false, 'the request has no key']);
  });

  for (const [name, builder, reason] of [
    ['an index without a separator', { name: 'x', index: 1 }, /Index > 0/],
    ['nothing to extract', { name: 'x', element_separator: ',' }, /extract_type not set/],
  ] as const) {
    test(`${name} is refused`, () => assert.throws(() => compile([builder], [scope('s', 'a')]), reason));
  }

  test('inline scopes have their routes with them', () => {
    const named = { ...scope('s', 'a'), route_configuration: undefined, route_configuration_name: 'r' };
    assert.throws(() => compile([region], [named]), /not supported with inline scoped routes/);
  });
});
