import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  generateRequest,
  generateRouteConfiguration,
  Random,
} from '../../../tests/differential/route_cases.ts';
import { fakeRuntime } from '../../../tests/fakes/factory_context.ts';
import { compileJson, request, routeContext, streamInfo, withRoutes } from '../../../tests/fakes/routes.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { RouteConfig } from '../../api/router.ts';
import { RetryOn } from '../../api/router.ts';
import { ResponseHeaders } from '../http/header_map.ts';
import { compileRouteConfiguration } from './route_config.ts';

const to = (cluster: string, match: object = { prefix: '/' }): object => ({
  name: cluster,
  match,
  route: { cluster },
});
const routed = (config: RouteConfig, ...args: Parameters<typeof request>): string | undefined =>
  config.route(request(...args), streamInfo(), 0)?.name;

describe('virtual hosts', () => {
  const hosts: Record<string, string[]> = {
    exact: ['www.foo.com'],
    suffix: ['*.foo.com'],
    longSuffix: ['*-bar.foo.com'],
    prefix: ['foo.*'],
    longPrefix: ['foo.com*'],
    any: ['*'],
  };
  const config = compileJson({
    virtual_hosts: Object.entries(hosts).map(([name, domains]) => ({ name, domains, routes: [to(name)] })),
  });
  const cases: [string, string][] = [
    ['www.foo.com', 'exact'],
    ['WWW.Foo.COM', 'exact'],
    ['a.foo.com', 'suffix'],
    ['a-bar.foo.com', 'longSuffix'],
    ['-bar.foo.com', 'suffix'],
    ['.foo.com', 'any'],
    ['foo.org', 'prefix'],
    ['foo.com.au', 'longPrefix'],
    ['foo.', 'any'],
    ['bar', 'any'],
  ];
  for (const [host, expected] of cases) {
    test(`${host} is served by ${expected}`, () => assert.equal(routed(config, '/', [], host), expected));
  }

  test('ports count unless they are ignored', () => {
    const json = { virtual_hosts: [{ name: 'v', domains: ['a'], routes: [to('x')] }] };
    assert.equal(routed(compileJson(json), '/', [], 'a:80'), undefined);
    assert.equal(routed(compileJson({ ...json, ignore_port_in_host_matching: true }), '/', [], 'a:80'), 'x');
  });

  test('virtual hosts that are not there are asked for by their host', () => {
    const asked: string[] = [];
    const context = routeContext({
      routeDiscovery: (of, owner) => ({
        request(name) {
          asked.push(`${of} ${owner} ${name}`);
          return () => asked.push(`no more ${name}`);
        },
      }),
    });
    const json = { name: 'r', virtual_hosts: [{ name: 'v', domains: ['a'], routes: [to('x')] }] };
    const config = compileRouteConfiguration(
      fromJson('envoy.config.route.v3.RouteConfiguration', { ...json, vhds: {} }),
      context,
      '',
      {
        validateClusters: false,
        key: 'the key',
      },
    );
    const waiter = { onRoutesDiscovered: () => undefined };
    config.discover!(request('/', [], 'B:80'), waiter)!();
    assert.deepEqual(asked, ['virtual_host the key b:80', 'no more b:80']);
    const { children } = config.explain(request('/', [], 'B:80'), streamInfo(), 0);
    assert.match(children.at(-1)!.reason, /the on_demand filter asks the control plane for 'r\/b:80'/);
    const plain = compileJson(json);
    assert.equal(plain.discover!(request('/', [], 'b'), waiter), undefined);
  });

  test('require_tls redirects', () => {
    const config = compileJson(withRoutes([to('x')], { require_tls: 'ALL' }));
    const headers = request('/a?b');
    const direct = config.route(headers, streamInfo(), 0)?.directResponseEntry;
    assert.equal(direct?.responseCode, 301);
    assert.equal(direct?.newUri(headers), 'https://example.com/a?b');
    headers.set('x-forwarded-proto', 'https');
    assert.equal(config.route(headers, streamInfo(), 0)?.name, 'x');
  });

  test('a match tree chooses the routes', () => {
    const action = (name: string): object => ({
      action: {
        name,
        typed_config: { '@type': 'type.googleapis.com/envoy.config.route.v3.Route', ...to(name) },
      },
    });
    const input = {
      name: 'header',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
        header_name: 'x',
      },
    };
    const config = compileJson({
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          matcher: {
            matcher_tree: { input, prefix_match_map: { map: { a: action('a'), ab: action('ab') } } },
            on_no_match: action('none'),
          },
        },
      ],
    });
    assert.equal(routed(config, '/', ['x', 'abc']), 'ab');
    assert.equal(routed(config, '/', ['x', 'ac']), 'a');
    assert.equal(routed(config, '/'), 'none');
    assert.equal(config.explain(request('/', ['x', 'abc']), streamInfo(), 0).matched, true);
  });
});

describe('routes', () => {
  test('all routes of a vanilla istiod compile', () => {
    const file = path.join(import.meta.dirname, '../../../tests/fixtures/istiod/vanilla_routes.json');
    const configs = JSON.parse(readFileSync(file, 'utf8')) as object[];
    assert.equal(configs.length > 5, true);
    for (const config of configs) assert.notEqual(compileJson(config).clusterNames.length, 0);
  });

  test('a field that is not honoured is an error that names it', () => {
    const cases: [object, string][] = [
      [
        withRoutes([{ ...to('a'), tracing: { operation: 'x' } }]),
        'virtual_hosts[0].routes[0].tracing.operation',
      ],
      [
        withRoutes([to('a')], { hedge_policy: { initial_requests: 2 } }),
        'virtual_hosts[0].hedge_policy.initial_requests',
      ],
    ];
    for (const [json, where] of cases) {
      assert.throws(
        () => compileJson(json),
        (error: unknown) => error instanceof ConfigError && error.path === where,
      );
    }
  });

  test('a long list finds exact paths by index and keeps its order', () => {
    const routes = [
      to('regex', { safe_regex: { regex: '/7.*' }, headers: [{ name: 'x' }] }),
      ...Array.from({ length: 30 }, (_, i) => to(`exact${i}`, { path: `/${i}` })),
      to('again', { path: '/7' }),
      to('rest'),
    ];
    const config = compileJson(withRoutes(routes));
    assert.equal(routed(config, '/7?x'), 'exact7');
    assert.equal(routed(config, '/7', ['x', '']), 'regex');
    assert.equal(routed(config, '/31'), 'rest');
  });

  test('runtime fractions go by the stream id', () => {
    const fraction = { default_value: { numerator: 30 }, runtime_key: 'key' };
    const json = withRoutes([to('some', { prefix: '/', runtime_fraction: fraction }), to('rest')]);
    const config = compileJson(json);
    const share = (c: RouteConfig): number =>
      Array.from({ length: 100 }, (_, i) => c.route(request('/'), streamInfo(), i)?.name).filter(
        (n) => n === 'some',
      ).length;
    assert.equal(share(config), 30);
    assert.equal(share(compileJson(json, routeContext({ runtime: fakeRuntime({ key: 70 }) }))), 70);
  });

  test('timeouts, retries and what else the router reads', () => {
    const retry_policy = {
      retry_on: '5xx,unavailable, connect-failure',
      num_retries: 3,
      retry_back_off: { base_interval: '0.1s' },
      retry_host_predicate: [
        {
          name: 'envoy.retry_host_predicates.previous_hosts',
          typed_config: {
            '@type':
              'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
          },
        },
      ],
      retriable_headers: [{ name: 'x-retry' }],
    };
    const config = compileJson(
      withRoutes(
        [{ match: { prefix: '/' }, route: { cluster: 'a', max_grpc_timeout: '0s', priority: 'HIGH' } }],
        {
          retry_policy,
          include_request_attempt_count: true,
        },
      ),
    );
    const entry = config.route(request('/'), streamInfo(), 0)!.routeEntry!;
    assert.equal(entry.timeoutMs, 15_000);
    assert.equal(entry.idleTimeoutMs, undefined);
    assert.equal(entry.maxGrpcTimeoutMs, 0);
    assert.equal(entry.priority, 1);
    assert.equal(entry.includeAttemptCountInRequest, true);
    const retry = entry.retryPolicy!;
    assert.equal(retry.retryOn, RetryOn['5xx'] | RetryOn.unavailable | RetryOn['connect-failure']);
    assert.deepEqual([retry.numRetries, retry.baseIntervalMs, retry.maxIntervalMs], [3, 100, 1000]);
    assert.equal(retry.rejectPreviousHosts, true);
    assert.equal(retry.retriableHeaders(new ResponseHeaders(200, ['x-retry', ''])), true);
    assert.equal(retry.retriableHeaders(new ResponseHeaders(200)), false);
    assert.equal(retry.retriableRequestHeaders(request('/')), true);
  });

  test('weights are kept, and metadata of a weighted cluster is merged', () => {
    const clusters = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 2, metadata_match: { filter_metadata: { 'envoy.lb': { v: '2' } } } },
      ...Array.from({ length: 9 }, (_, i) => ({ name: `c${i}`, weight: 3 })),
    ];
    const metadata_match = { filter_metadata: { 'envoy.lb': { v: '1', w: true } } };
    const config = compileJson(
      withRoutes([{ match: { prefix: '/' }, route: { weighted_clusters: { clusters }, metadata_match } }]),
    );
    const counts = new Map<string, number>();
    for (let id = 0; id < 30; id++) {
      const entry = config.route(request('/'), streamInfo(), id)!.routeEntry!;
      const name = entry.clusterName(request('/'), id);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      assert.deepEqual(entry.metadataMatch, { v: name === 'b' ? '2' : '1', w: true });
    }
    assert.deepEqual(
      clusters.map(({ name }) => counts.get(name)),
      clusters.map(({ weight }) => weight),
    );
  });

  test('hash policies add up, terminal ones end', () => {
    const policies = (terminal: boolean): object[] => [
      { header: { header_name: 'x' }, terminal },
      { connection_properties: { source_ip: true } },
    ];
    const key = (hash_policy: object[], list: string[], setCookies?: string[]): bigint | undefined => {
      const config = compileJson(
        withRoutes([{ match: { prefix: '/' }, route: { cluster: 'a', hash_policy } }]),
      );
      return config
        .route(request('/'), streamInfo(), 0)!
        .routeEntry!.hashKey(request('/', list), streamInfo(), setCookies);
    };
    assert.equal(key(policies(true), ['x', 'abc']), 0x44bc2cf5ad770999n);
    assert.notEqual(key(policies(false), ['x', 'abc']), 0x44bc2cf5ad770999n);
    assert.equal(key([policies(false)[0]], []), undefined);
    assert.equal(key(policies(false), ['x', 'a', 'x', 'b']), key(policies(false), ['x', 'b', 'x', 'a']));
    const cookies: string[] = [];
    const cookie = { cookie: { name: 'c', ttl: '10s', path: '/p' } };
    assert.notEqual(key([cookie], [], cookies), undefined);
    assert.match(cookies[0], /^c="[0-9a-f]{16}"; Max-Age=10; Path=\/p; HttpOnly$/);
    assert.equal(key([cookie], ['cookie', 'b=1; c="abc"'], cookies), 0x44bc2cf5ad770999n);
    assert.equal(cookies.length, 1);
  });
});

test('route() and explain() agree on random configurations and requests', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const config = compileJson(generateRouteConfiguration(random, 'r'));
      for (let i = 0; i < 20; i++) {
        const { path, host, method, headers } = generateRequest(random);
        const lower = headers.map((text, n) => (n % 2 === 0 ? text.toLowerCase() : text));
        const asked = request(path, lower, host, method);
        const route = config.route(asked, streamInfo(), i);
        const explained = config.explain(asked, streamInfo(), i);
        assert.equal(explained.matched, route !== undefined);
        if (route?.name) assert.match(explained.reason, new RegExp(`'${route.name}'$`));
      }
    }),
    { numRuns: 40 },
  );
});
