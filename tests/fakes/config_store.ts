// A ConfigStore for tests, with the publishing side recorded and simple compilers: a listener whose stat_prefix is
// `rds:NAME` or `sds:NAME` depends on that route or secret, and a resource whose name begins with `bad` is refused.

import { ConfigError } from '../../server/api/config_error.ts';
import type { FactoryContext } from '../../server/api/registry.ts';
import { compileRandom } from '../../server/common/load_balancing/policy_settings.ts';
import { setLogLevel } from '../../server/common/log.ts';
import { ExtensionRegistry } from '../../server/common/registry.ts';
import { RuntimeSnapshot } from '../../server/common/runtime/runtime.ts';
import { ConfigStore } from '../../server/main/config_store/config_store.ts';
import type { DiscoveredResource } from '../../server/main/xds/subscription.ts';
import type { ResourceUpdate } from '../../server/messages.ts';
import type { Bootstrap } from '../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { encode } from '../../xds-protos/load.ts';
import { FakeStatStore } from './factory_context.ts';
import { FakeSubscriptions } from './fake_subscriptions.ts';

// Refusals are what many tests are about: their warnings would drown the results.
setLogLevel(undefined, 'off');

const ADS = { ads: {}, resource_api_version: 'V3' };

export interface TestStore {
  readonly store: ConfigStore;
  readonly subscriptions: FakeSubscriptions;
  readonly stats: FakeStatStore;
  /** What was published since the last call, as `cluster a`, `endpoints a [0,16]`, `remove listener l`. */
  published(): string[];
  readonly updates: ResourceUpdate[];
}

export function testStore(bootstrap: object): TestStore {
  const updates: ResourceUpdate[] = [];
  const subscriptions = new FakeSubscriptions();
  const stats = new FakeStatStore();
  const store = new ConfigStore({
    bootstrap: fromJson('envoy.config.bootstrap.v3.Bootstrap', bootstrap) as Bootstrap,
    server: {
      nodeId: 'n',
      nodeCluster: 'c',
      locality: { region: '', zone: '', subZone: '' },
      localClusterName: '',
      defaultTracing: undefined,
      nodeMetadata: {},
      localIp: '127.0.0.1',
      concurrency: 1,
      fileFlushIntervalMs: 10_000,
      fileFlushMinSizeBytes: 65_536,
    },
    registry: new ExtensionRegistry([]),
    runtime: new RuntimeSnapshot(),
    stats,
    subscriptions,
    unknownFields: 'warn',
    compilers: {
      listener: ({ name, stat_prefix }, context, path) => {
        refuseBad(name);
        for (const wanted of stat_prefix.split(' ')) depend(wanted, context, path);
      },
      cluster: ({ name, alt_stat_name }, context, path) => {
        refuseBad(name);
        depend(alt_stat_name, context, path);
        return {
          loadBalancer: compileRandom(undefined, ''),
          panicPercent: 50,
          outlierDetection: undefined,
          updateMergeWindowMs: 0,
          healthCheck: undefined,
          isSecure: false,
        };
      },
      route: ({ virtual_hosts }) => refuseBad(virtual_hosts[0]?.name ?? ''),
    },
    publish: (sent) => updates.push(...sent),
    settled: () => Promise.resolve(),
    onPiece: () => undefined,
  });
  return {
    store,
    subscriptions,
    stats,
    updates,
    published() {
      store.flush();
      return updates.splice(0).map(describe);
    },
  };
}

function refuseBad(name: string): void {
  if (name.startsWith('bad')) throw new ConfigError('name', 'this one is bad');
}

function depend(wanted: string, context: FactoryContext, path: string): void {
  const [kind, name] = wanted.split(':');
  if (kind === 'rds') context.routeConfiguration({ config_source: ADS, route_config_name: name }, path);
  if (kind === 'sds') context.secret({ name, sds_config: ADS }, 'generic_secret', path);
  if (kind === 'static') context.secret({ name }, 'generic_secret', path);
  if (kind === 'cluster') context.checkCluster(name as string, path);
}

function describe(update: ResourceUpdate): string {
  if (update.kind === 'remove') return `remove ${update.resource} ${update.name}`;
  if (update.kind === 'endpoints') return `endpoints ${update.name} [${update.hostSlots.join()}]`;
  return `${update.kind} ${update.name}`;
}

const TYPES = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  endpoints: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  route: 'envoy.config.route.v3.RouteConfiguration',
  secret: 'envoy.extensions.transport_sockets.tls.v3.Secret',
} as const;

/** A resource as it comes from a control plane. */
export function resource(
  kind: keyof typeof TYPES,
  json: { readonly [field: string]: unknown },
): DiscoveredResource {
  const typeName = TYPES[kind];
  const name = String(json['name'] ?? json['cluster_name']);
  const bytes = encode(typeName, fromJson(typeName, json));
  return { name, typeUrl: `type.googleapis.com/${typeName}`, version: '1', bytes, ttlMs: 0 };
}

/** An EDS cluster by ADS. `more` may hold `alt_stat_name: 'sds:NAME'`. */
export function edsCluster(name: string, more: object = {}): DiscoveredResource {
  return resource('cluster', { name, type: 'EDS', eds_cluster_config: { eds_config: ADS }, ...more });
}

/** Hosts 10.0.0.N:80. */
export function assignment(name: string, ...hosts: number[]): DiscoveredResource {
  return resource('endpoints', {
    cluster_name: name,
    endpoints: [
      { lb_endpoints: hosts.map((host) => ({ endpoint: { address: address(`10.0.0.${host}`, 80) } })) },
    ],
  });
}

export function listener(name: string, port: number, dependencies = ''): DiscoveredResource {
  return resource('listener', { name, address: address('0.0.0.0', port), stat_prefix: dependencies });
}

function address(ip: string, port: number): object {
  return { socket_address: { address: ip, port_value: port } };
}

/** A bootstrap with CDS and LDS by ADS. */
export const DYNAMIC = {
  node: { id: 'n', cluster: 'c' },
  dynamic_resources: { cds_config: ADS, lds_config: ADS },
};
