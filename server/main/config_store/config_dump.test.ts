// The sections of /config_dump as Envoy shapes them, printed to JSON.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assignment,
  DYNAMIC,
  edsCluster,
  listener,
  resource,
  testStore,
} from '../../../tests/fakes/config_store.ts';
import { toJson } from '../../../xds-protos/json.ts';
import { create } from '../../../xds-protos/load.ts';
import { configDumpSources } from './config_dump.ts';
import type { ConfigStore } from './config_store.ts';

const STARTED_AT = Date.UTC(2026, 10, 21);
const NODE = create('envoy.config.core.v3.Node', { id: 'n', cluster: 'c', user_agent_name: 'envoy' });
const TYPES = {
  bootstrap: 'BootstrapConfigDump',
  clusters: 'ClustersConfigDump',
  endpoint: 'EndpointsConfigDump',
  listeners: 'ListenersConfigDump',
  routes: 'RoutesConfigDump',
  secrets: 'SecretsConfigDump',
} as const;

/** JSON of a section, without times. */
function dump(store: ConfigStore, section: keyof typeof TYPES, matches = (_name: string) => true): unknown {
  const sections = configDumpSources(store, NODE, STARTED_AT);
  const message = Object.fromEntries(
    Object.entries(sections.get(section)!(matches)).map(([field, value]) => [field, withoutSteps(value)]),
  );
  const type: string = `envoy.admin.v3.${TYPES[section]}`;
  const json = toJson(type, create(type, message), { preserveProtoFieldNames: true });
  return JSON.parse(JSON.stringify(json, (key, value) => (/^last_/.test(key) ? undefined : value)));
}

/** A list as a message has it. */
function withoutSteps(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) return value;
  return [...(value as Iterable<unknown>)].filter((element) => element !== '');
}

function filled() {
  const { store, subscriptions } = testStore({ ...DYNAMIC, static_resources: { clusters: [{ name: 's' }] } });
  store.loadStatic();
  store.start(() => undefined);
  subscriptions.answer('Cluster/*', [edsCluster('b'), edsCluster('a')], { version: 'v1' });
  for (const name of ['a', 'b']) subscriptions.answer(`ClusterLoadAssignment/${name}`, [assignment(name, 1)]);
  subscriptions.answer('Listener/*', [listener('l', 80, 'rds:r')], { version: 'v1' });
  subscriptions.answer('RouteConfiguration/r', [resource('route', { name: 'r' })]);
  return { store, subscriptions };
}

const any = (type: string, name: string) => ({ '@type': `type.googleapis.com/envoy.config.${type}`, name });

test('clusters by state, sorted by name, with the last refusal', () => {
  const { store, subscriptions } = filled();
  subscriptions.answer('Cluster/*', [
    edsCluster('a', { alt_stat_name: 'sds:x' }),
    resource('cluster', { name: 'bad' }),
  ]);
  const eds = { type: 'EDS', eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } } };
  const cluster = (name: string, more: object = eds) => ({ ...any('cluster.v3.Cluster', name), ...more });
  assert.deepEqual(dump(store, 'clusters'), {
    // Of the response that was taken in part.
    version_info: '1',
    static_clusters: [{ cluster: cluster('s', {}) }],
    dynamic_active_clusters: [
      { version_info: '1', cluster: cluster('a') },
      { version_info: '1', cluster: cluster('b') },
    ],
    dynamic_warming_clusters: [
      { version_info: '1', cluster: cluster('a', { ...eds, alt_stat_name: 'sds:x' }) },
      {
        version_info: '1',
        error_state: { failed_configuration: cluster('bad', {}), details: 'name: this one is bad' },
      },
    ],
  });
  store.close();
});

test('listeners with their states', () => {
  const { store, subscriptions } = filled();
  subscriptions.answer('Listener/*', [listener('l', 80, 'rds:q'), listener('bad', 81)]);
  const state = (wanted: string) => ({
    version_info: '1',
    listener: {
      ...any('listener.v3.Listener', 'l'),
      address: { socket_address: { address: '0.0.0.0', port_value: 80 } },
      stat_prefix: wanted,
    },
  });
  const [l, bad] = (dump(store, 'listeners') as { dynamic_listeners: { error_state?: object }[] })
    .dynamic_listeners;
  assert.deepEqual(l, { name: 'l', active_state: state('rds:r'), warming_state: state('rds:q') });
  assert.ok(bad?.error_state);
  store.close();
});

test('endpoints with their health, routes, and names that do not match left out', () => {
  const { store } = filled();
  assert.deepEqual(
    dump(store, 'endpoint', (name) => name === 'a'),
    {
      dynamic_endpoint_configs: [
        {
          endpoint_config: {
            '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
            cluster_name: 'a',
            endpoints: [
              {
                locality: {},
                lb_endpoints: [
                  {
                    endpoint: {
                      address: { socket_address: { address: '10.0.0.1', port_value: 80 } },
                      health_check_config: {},
                    },
                    health_status: 'HEALTHY',
                    load_balancing_weight: 1,
                  },
                ],
                load_balancing_weight: 0,
              },
            ],
            policy: { overprovisioning_factor: 140 },
          },
        },
      ],
    },
  );
  assert.deepEqual(dump(store, 'routes'), {
    dynamic_route_configs: [{ version_info: '1', route_config: any('route.v3.RouteConfiguration', 'r') }],
  });
  assert.deepEqual(
    dump(store, 'routes', () => false),
    {},
  );
  store.close();
});

test('secrets that serve and those that are awaited', () => {
  const { store, subscriptions } = filled();
  subscriptions.answer('Listener/*', [listener('m', 81, 'sds:x sds:y')]);
  const secret = { name: 'x', generic_secret: { secret: { inline_string: 'v' } } };
  subscriptions.answer('Secret/x', [resource('secret', secret)]);
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
  assert.deepEqual(dump(store, 'secrets'), {
    dynamic_active_secrets: [
      {
        name: 'x',
        version_info: '1',
        secret: { '@type': type, name: 'x', generic_secret: { secret: { inline_bytes: 'dg==' } } },
      },
    ],
    dynamic_warming_secrets: [
      { name: 'y', version_info: 'uninitialized', secret: { '@type': type, name: 'y' } },
    ],
  });
  store.close();
});
