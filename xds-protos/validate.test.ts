// The expected texts are what Envoy 1.40 printed for the same configuration.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromJson } from './json.ts';
import type { TypeMap } from './load.ts';
import { assertValid, validate } from './validate.ts';

function first(type: keyof TypeMap, json: unknown): [path: string, text: string] | undefined {
  const violation = validate(type, fromJson<object>(type, json), { limit: 1 })[0];
  return violation && [violation.path, violation.text];
}

describe('validate', () => {
  test('names the chain of messages as Envoy does, and the field path', () => {
    assert.deepEqual(
      first('envoy.config.bootstrap.v3.Bootstrap', {
        static_resources: { clusters: [{ name: '', type: 'STATIC' }] },
      }),
      [
        'static_resources.clusters[0].name',
        'BootstrapValidationError.StaticResources: embedded message failed validation | caused by StaticResourcesValidationError.Clusters[0]: embedded message failed validation | caused by ClusterValidationError.Name: value length must be at least 1 characters',
      ],
    );
    const cluster = fromJson('envoy.config.cluster.v3.Cluster', {});
    assert.throws(() => assertValid('envoy.config.cluster.v3.Cluster', cluster, 'resources[2]'), {
      name: 'ConfigError',
      path: 'resources[2].name',
      reason:
        'Proto constraint validation failed (ClusterValidationError.Name: value length must be at least 1 characters)',
    });
  });

  const cases: [type: keyof TypeMap, json: unknown, path: string, text: string][] = [
    [
      'envoy.config.cluster.v3.Cluster',
      { name: 'a', connect_timeout: '0s' },
      'connect_timeout',
      'ClusterValidationError.ConnectTimeout: value must be greater than 0s',
    ],
    [
      'envoy.config.endpoint.v3.LocalityLbEndpoints',
      { priority: 200 },
      'priority',
      'LocalityLbEndpointsValidationError.Priority: value must be less than or equal to 128',
    ],
    [
      'envoy.config.endpoint.v3.LbEndpoint',
      { load_balancing_weight: 0 },
      'load_balancing_weight',
      'LbEndpointValidationError.LoadBalancingWeight: value must be greater than or equal to 1',
    ],
    [
      'envoy.type.v3.Percent',
      { value: 101 },
      'value',
      'PercentValidationError.Value: value must be inside range [0, 100]',
    ],
    [
      'envoy.config.core.v3.HealthCheck',
      {},
      'timeout',
      'HealthCheckValidationError.Timeout: value is required',
    ],
    [
      'envoy.config.cluster.v3.Cluster',
      { name: 'a', lb_policy: 77 },
      'lb_policy',
      'ClusterValidationError.LbPolicy: value must be one of the defined enum values',
    ],
    [
      'envoy.config.core.v3.HealthCheck.HttpHealthCheck',
      { path: '/', method: 'CONNECT' },
      'method',
      'HttpHealthCheckValidationError.Method: value must not be in list [CONNECT]',
    ],
    [
      'envoy.config.core.v3.HealthCheck.HttpHealthCheck',
      { path: 'a\nb' },
      'path',
      'HttpHealthCheckValidationError.Path: value does not match regex pattern "^[^\\x00-\\b\\n-\\x1f\\x7f]*$"',
    ],
    [
      'envoy.config.route.v3.VirtualHost',
      { name: 'v', domains: [] },
      'domains',
      'VirtualHostValidationError.Domains: value must contain at least 1 item(s)',
    ],
    [
      'envoy.config.route.v3.VirtualHost',
      { name: 'v', domains: ['*'], request_headers_to_remove: ['a\nb'] },
      'request_headers_to_remove[0]',
      'VirtualHostValidationError.RequestHeadersToRemove[0]: value does not match regex pattern "^[^\\x00\\n\\r]*$"',
    ],
    [
      'envoy.config.route.v3.DirectResponseAction',
      { status: 99 },
      'status',
      'DirectResponseActionValidationError.Status: value must be inside range [200, 600)',
    ],
    [
      'envoy.config.route.v3.Route',
      { match: { prefix: '/' } },
      'action',
      'field: "action", reason: is required',
    ],
    [
      'envoy.config.route.v3.Route',
      { match: {}, direct_response: { status: 200 } },
      'match.path_specifier',
      'RouteValidationError.Match: embedded message failed validation | caused by field: "path_specifier", reason: is required',
    ],
    [
      'envoy.config.bootstrap.v3.Bootstrap',
      { stats_flush_interval: '400s' },
      'stats_flush_interval',
      'BootstrapValidationError.StatsFlushInterval: value must be inside range [1ms, 5m0s)',
    ],
    [
      'envoy.config.accesslog.v3.AndFilter',
      { filters: [{}] },
      'filters',
      'AndFilterValidationError.Filters: value must contain at least 2 item(s)',
    ],
  ];
  for (const [type, json, path, text] of cases) {
    test(`${type} ${JSON.stringify(json)}`, () => assert.deepEqual(first(type, json), [path, text]));
  }

  test('allows what is allowed', () => {
    assert.equal(
      first('envoy.config.route.v3.Route', { match: { prefix: '/' }, route: { cluster: 'c' } }),
      undefined,
    );
    assert.equal(first('envoy.config.route.v3.RateLimit.HitsAddend', {}), undefined, 'ignore_empty');
    assert.equal(first('envoy.config.core.v3.HeaderValue', { key: 'a b' }), undefined, 'not strict');
  });

  test('finds every violation when no limit is given', () => {
    const cluster = fromJson('envoy.config.cluster.v3.Cluster', {
      connect_timeout: '0s',
      transport_socket: {},
    });
    const paths = validate('envoy.config.cluster.v3.Cluster', cluster).map(({ path }) => path);
    assert.deepEqual(paths.sort(), ['connect_timeout', 'name', 'transport_socket.name']);
  });

  test('ten thousand clusters in well under a second', () => {
    const cluster = fromJson('envoy.config.cluster.v3.Cluster', {
      name: 'a',
      connect_timeout: '1s',
      load_assignment: {
        cluster_name: 'a',
        endpoints: [
          {
            lb_endpoints: [{ endpoint: { address: { socket_address: { address: '::1', port_value: 1 } } } }],
          },
        ],
      },
    });
    const start = performance.now();
    for (let count = 0; count < 10_000; count++) assertValid('envoy.config.cluster.v3.Cluster', cluster);
    assert.ok(performance.now() - start < 1000);
  });
});
