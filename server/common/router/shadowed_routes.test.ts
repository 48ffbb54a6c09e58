import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { finish } from '../event/steps.ts';
import { RequestHeaders } from '../http/header_map.ts';
import { ipAddress } from '../network/address.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../stream_info/stream_info.ts';
import { compileRouteConfiguration } from './route_config.ts';
import { shadowedRoutes } from './shadowed_routes.ts';

const ROUTES = 'envoy.config.route.v3.RouteConfiguration';

function configuration(matches: readonly object[]) {
  const routes = matches.map((match, i) => ({ name: String(i), match, direct_response: { status: 200 } }));
  return fromJson(ROUTES, { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes }] });
}

function shadows(...matches: object[]): Record<number, number> {
  const found = finish(shadowedRoutes(configuration(matches).virtual_hosts[0]!.routes));
  return Object.fromEntries([...found].map(([index, by]) => [index, by.index]));
}

describe('shadowed routes', () => {
  test('a path that an earlier one takes', () => {
    assert.deepEqual(
      shadows({ prefix: '/' }, { prefix: '/a' }, { path: '/b' }, { safe_regex: { regex: '/c.*' } }),
      { 1: 0, 2: 0, 3: 0 },
    );
    assert.deepEqual(
      shadows(
        { prefix: '/a' },
        { prefix: '/ab' },
        { path: '/a' },
        { prefix: '/' },
        { path_separated_prefix: '/a' },
      ),
      { 1: 0, 2: 0, 4: 0 },
    );
    assert.deepEqual(shadows({ path: '/a' }, { path: '/a' }, { prefix: '/a' }), { 1: 0 });
    assert.deepEqual(
      shadows(
        { path_separated_prefix: '/a' },
        { path: '/a/b' },
        { prefix: '/a/' },
        { prefix: '/a' },
        { path: '/ab' },
      ),
      { 1: 0, 2: 0, 4: 3 },
    );
    assert.deepEqual(
      shadows(
        { safe_regex: { regex: '/a.*' } },
        { path: '/abc' },
        { path: '/b' },
        { safe_regex: { regex: '/a.*' } },
      ),
      { 1: 0, 3: 0 },
    );
    assert.deepEqual(shadows({ prefix: '/' }, { connect_matcher: {} }, { connect_matcher: {} }), { 2: 1 });
  });

  test('letters in whatever case', () => {
    assert.deepEqual(shadows({ prefix: '/A', case_sensitive: false }, { prefix: '/ab' }), { 1: 0 });
    assert.deepEqual(shadows({ prefix: '/a' }, { prefix: '/a', case_sensitive: false }), {});
    assert.deepEqual(shadows({ prefix: '/1' }, { prefix: '/1', case_sensitive: false }), { 1: 0 });
  });

  test('conditions: the earlier one must ask for less', () => {
    const header = { headers: [{ name: 'x', string_match: { exact: 'y' } }] };
    assert.deepEqual(shadows({ prefix: '/' }, { prefix: '/', ...header }), { 1: 0 });
    assert.deepEqual(shadows({ prefix: '/', ...header }, { prefix: '/' }, { prefix: '/a', ...header }), {
      2: 0,
    });
    assert.deepEqual(shadows({ prefix: '/', grpc: {} }, { prefix: '/a' }), {});
    const half = { runtime_fraction: { default_value: { numerator: 50 } } };
    assert.deepEqual(shadows({ prefix: '/', ...half }, { prefix: '/a' }), {});
    assert.deepEqual(shadows({ prefix: '/' }, { prefix: '/a', ...half }), { 1: 0 });
  });

  test('it says which and why', () => {
    const { routes } = configuration([{ prefix: '/a' }, { path: '/a/b' }]).virtual_hosts[0]!;
    const found = finish(shadowedRoutes(routes));
    assert.equal(
      found.get(1)?.reason,
      "route 0 comes first, takes every path that starts with '/a', and asks for nothing else",
    );
  });

  test('no request ever reaches one, whatever is generated', () => {
    const text = fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/B', '/b', '/a/b/c');
    const path = fc.oneof(
      text.map((prefix) => ({ prefix })),
      text.map((exact) => ({ path: exact })),
      fc.constantFrom('/a', '/a/b', '/B').map((path_separated_prefix) => ({ path_separated_prefix })),
      fc.constantFrom('/a.*', '/(a|b)', '.*').map((regex) => ({ safe_regex: { regex } })),
    );
    const more = fc.record(
      {
        case_sensitive: fc.boolean(),
        headers: fc.subarray([
          { name: 'x', string_match: { exact: '1' } },
          { name: 'y', present_match: true },
        ]),
        query_parameters: fc.subarray([{ name: 'q', present_match: true }]),
      },
      { requiredKeys: [] },
    );
    const match = fc.tuple(path, more).map(([of, rest]) => ({ ...of, ...rest }));
    const request = fc.record({
      path: fc
        .tuple(text, fc.constantFrom('', 'x', '/x', 'B'), fc.constantFrom('', '?q=1'))
        .map((parts) => parts.join('')),
      headers: fc.subarray(['x', 'y']),
    });
    const connection = new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', 2), 'l');
    let shadowed = 0;
    fc.assert(
      fc.property(
        fc.array(match, { minLength: 2, maxLength: 8 }),
        fc.array(request, { minLength: 20, maxLength: 40 }),
        (matches, requests) => {
          const message = configuration(matches);
          const compiled = compileRouteConfiguration(message, fakeFactoryContext(), '');
          const found = finish(shadowedRoutes(message.virtual_hosts[0]!.routes));
          shadowed += found.size;
          for (const { path: target, headers } of requests) {
            const map = new RequestHeaders(
              'GET',
              target,
              'h',
              'http',
              headers.flatMap((name) => [name, '1']),
            );
            const route = compiled.route(map, new StreamInfoRecord(connection, 0, 0), 0);
            if (route !== undefined)
              assert.ok(!found.has(Number(route.name)), `${target} reaches route ${route.name}`);
          }
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(shadowed > 100, `${shadowed} were shadowed`);
  });
});
