import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { encode } from '../../../xds-protos/load.ts';
import { allRouteHits, forgetRouteHits, openRouteHits, routeIdentities } from './route_hits.ts';

const TYPE = 'envoy.config.route.v3.RouteConfiguration';

/** Prefixes by virtual host. */
function bytesOf(hosts: Readonly<Record<string, readonly string[]>>, more: object = {}): Uint8Array {
  const virtual_hosts = Object.entries(hosts).map(([name, prefixes]) => ({
    name,
    domains: [name],
    routes: prefixes.map((prefix) => ({ match: { prefix }, route: { cluster: 'c' } })),
  }));
  const message = fromJson(TYPE, { name: 'r', virtual_hosts, ...more } as never) as RouteConfiguration;
  return encode(TYPE, message as never);
}

describe('identities of routes', () => {
  test('are those of a virtual host and a route, wherever they stand', () => {
    const before = routeIdentities(bytesOf({ a: ['/1', '/2'], b: ['/1'] }));
    assert.equal(new Set(before).size, 3);
    const max_direct_response_body_size_bytes = 5;
    const after = routeIdentities(
      bytesOf({ b: ['/1'], a: ['/0', '/1', '/2'] }, { max_direct_response_body_size_bytes }),
    );
    assert.deepEqual([after[0], after[2], after[3]], [before[2], before[0], before[1]]);
    assert.ok(before.every((identity) => Number.isSafeInteger(identity)));
  });

  test('differ for each of many', () => {
    const prefixes = Array.from({ length: 20_000 }, (_, i) => `/${i}`);
    assert.equal(new Set(routeIdentities(bytesOf({ a: prefixes }))).size, prefixes.length);
  });
});

describe('hits', () => {
  test('go with the routes that do not change', () => {
    const first = openRouteHits('route x', 'r', bytesOf({ a: ['/1', '/2', '/2'] }));
    first.counts.set([1, 2, 0]);
    assert.equal(openRouteHits('route x', 'r', bytesOf({ a: ['/1', '/2', '/2'] })), first);
    const second = openRouteHits('route x', 'r', bytesOf({ a: ['/2', '/3', '/2'], b: ['/1'] }));
    assert.deepEqual([...second.counts], [2, 0, 0, 0]);
    const [all] = allRouteHits().filter(({ owner }) => owner === 'route x');
    assert.deepEqual(all, { owner: 'route x', name: 'r', counts: second.counts });
  });

  test('of other resources, and of one that went, are others', () => {
    const bytes = bytesOf({ a: ['/1'] });
    const first = openRouteHits('route y', 'r', bytes);
    first.counts[0] = 1;
    assert.equal(openRouteHits('route z', 'r', bytes).counts[0], 0);
    assert.equal(openRouteHits('route y', 's', bytes).counts[0], 0);
    forgetRouteHits('route y');
    assert.equal(openRouteHits('route y', 'r', bytes).counts[0], 0);
  });
});
