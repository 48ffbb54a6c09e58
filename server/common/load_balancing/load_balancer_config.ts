// Which balancing algorithm a cluster uses, and its settings: from lb_policy with its *_lb_config, or from
// load_balancing_policy, which wins. Envoy: source/common/upstream/upstream_impl.cc (LegacyLbPolicyConfigHelper).

import type {
  Cluster as ClusterMessage,
  LoadBalancingPolicy,
} from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ClusterDiscovery, ClusterType } from '../upstream/cluster_discovery.ts';
import {
  compileLeastRequest,
  compileMaglev,
  compileRandom,
  compileRingHash,
  compileRoundRobin,
} from './policy_settings.ts';
import type { SlowStartConfig } from './slow_start.ts';
import { compileSubset, type SubsetConfig } from './subset_config.ts';

/** Compiled LocalityLbConfig. Zone-aware routing is on by default, where the bootstrap names the proxy's own cluster. */
export interface LocalityConfig {
  /** Localities are chosen by their weights. */
  readonly weighted: boolean;
  readonly zoneAware: ZoneAwareConfig;
}

export interface ZoneAwareConfig {
  /** Percent of requests for which it is on. */
  readonly routingPercent: number;
  readonly minClusterSize: number;
  readonly failTrafficOnPanic: boolean;
}

export interface RoundRobinConfig {
  readonly policy: 'ROUND_ROBIN';
  readonly locality: LocalityConfig;
  readonly slowStart: SlowStartConfig | undefined;
}

export interface LeastRequestConfig {
  readonly policy: 'LEAST_REQUEST';
  readonly choiceCount: number;
  readonly fullScan: boolean;
  readonly activeRequestBias: number;
  readonly biasKey: string;
  readonly locality: LocalityConfig;
  readonly slowStart: SlowStartConfig | undefined;
}

export interface RandomConfig {
  readonly policy: 'RANDOM';
  readonly locality: LocalityConfig;
}

/** Round robin by weights that hosts' load reports come to. Times in ms. */
export interface ClientSideWeightedConfig {
  readonly policy: 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN';
  readonly locality: LocalityConfig;
  readonly slowStart: SlowStartConfig | undefined;
  /** Reports count when a host has sent them for so long, */
  readonly blackoutMs: number;
  /** and until it has sent none for so long. */
  readonly expirationMs: number;
  readonly updateMs: number;
  readonly errorPenalty: number;
  /** Metrics of a report whose highest is the utilization. */
  readonly metricNames: readonly string[];
  /** Undefined: hosts are not asked, and report in their answers alone. */
  readonly outOfBand: OrcaOobReportingConfig | undefined;
}

/** How hosts are asked for reports. Envoy: OrcaOobManagerConfig. */
export interface OrcaOobReportingConfig {
  /** How often a host should report, ms; more than 0. */
  readonly periodMs: number;
  /** 0: that of the host. */
  readonly port: number;
  /** '': the host's name, or its address. */
  readonly authority: string;
  /** Chooses among `transport_socket_matches` in place of the host's metadata. */
  readonly transportSocketMatch: Readonly<Record<string, unknown>> | undefined;
}

/** A field of dynamic metadata. */
export interface MetadataPath {
  readonly namespace: string;
  readonly path: readonly string[];
}

/** A request header, or where it is '' metadata. */
export interface OverrideHostSource {
  readonly header: string;
  readonly metadata: MetadataPath | undefined;
}

export interface OverrideHostConfig {
  readonly policy: 'OVERRIDE_HOST';
  readonly sources: readonly OverrideHostSource[];
  /** Where the chosen host's address is written. */
  readonly selectedHostKey: MetadataPath | undefined;
  readonly fallback: BalancingConfig;
}

export interface RingHashConfig {
  readonly policy: 'RING_HASH';
  readonly hashFunction: 'XX_HASH' | 'MURMUR_HASH_2';
  readonly minRingSize: number;
  readonly maxRingSize: number;
  readonly useHostname: boolean;
  /** Percent of the average load that a host may have; 0 = any. */
  readonly balanceFactor: number;
  readonly byLocality: boolean;
}

export interface MaglevConfig {
  readonly policy: 'MAGLEV';
  readonly tableSize: number;
  readonly useHostname: boolean;
  readonly balanceFactor: number;
  readonly byLocality: boolean;
}

/** Policies that pick from a list of hosts. */
export type PickingConfig = RoundRobinConfig | LeastRequestConfig | RandomConfig | ClientSideWeightedConfig;
export type HashingConfig = RingHashConfig | MaglevConfig;
/** Policies over hosts that are known. */
export type BalancingConfig = PickingConfig | HashingConfig | SubsetConfig | OverrideHostConfig;
export type LoadBalancerConfig = BalancingConfig | { readonly policy: 'CLUSTER_PROVIDED' };

/** What a load_balancing_policies extension compiles to. */
export interface LoadBalancingPolicySettings {
  readonly loadBalancer: LoadBalancerConfig;
}

/** Throws ConfigError. */
export function compileLoadBalancer(
  cluster: ClusterMessage,
  { type, providesLoadBalancer }: ClusterDiscovery,
  context: FactoryContext,
  path: string,
): LoadBalancerConfig {
  if (cluster.load_balancing_policy !== undefined) {
    checkNotCombined(cluster, path);
    const where = at(path, 'load_balancing_policy');
    return checkProvided(
      compilePolicies(cluster.load_balancing_policy, context, where),
      providesLoadBalancer,
      cluster,
      where,
    );
  }
  checkHostnames(cluster, type, path);
  const config = compileLegacy(cluster, type, path);
  const subset = cluster.lb_subset_config;
  if (subset === undefined || subset.subset_selectors.length === 0) return config;
  const where = at(path, 'lb_subset_config');
  if (config.policy === 'CLUSTER_PROVIDED') {
    const reason = 'cluster: LB policy CLUSTER_PROVIDED cannot be combined with lb_subset_config';
    throw new ConfigError(where, reason);
  }
  return compileSubset(subset, config, where);
}

/** Throws where hosts have no names of their own. Source: ClusterFactoryImplBase::create. */
function checkHostnames({ common_lb_config: common }: ClusterMessage, type: ClusterType, path: string): void {
  if (common?.consistent_hashing_lb_config?.use_hostname_for_hashing !== true || type === 'STRICT_DNS')
    return;
  throw new ConfigError(
    at(path, 'common_lb_config.consistent_hashing_lb_config'),
    `Cannot use hostname for consistent hashing loadbalancing for cluster of type: 'envoy.cluster.${type.toLowerCase()}'`,
  );
}

function compileLegacy(cluster: ClusterMessage, type: ClusterType, path: string): LoadBalancerConfig {
  const common = cluster.common_lb_config;
  switch (cluster.lb_policy) {
    case 'ROUND_ROBIN':
      return compileRoundRobin(cluster.round_robin_lb_config, common, at(path, 'round_robin_lb_config'));
    case 'LEAST_REQUEST':
      return compileLeastRequest(
        cluster.least_request_lb_config,
        common,
        at(path, 'least_request_lb_config'),
      );
    case 'RANDOM':
      return compileRandom(common, at(path, 'common_lb_config'));
    case 'RING_HASH':
      return compileRingHash(
        cluster.ring_hash_lb_config,
        common?.consistent_hashing_lb_config,
        common?.locality_weighted_lb_config !== undefined,
        at(path, 'ring_hash_lb_config'),
      );
    case 'MAGLEV':
      return compileMaglev(
        cluster.maglev_lb_config,
        common?.consistent_hashing_lb_config,
        common?.locality_weighted_lb_config !== undefined,
        at(path, 'maglev_lb_config'),
      );
    case 'CLUSTER_PROVIDED':
      return { policy: 'CLUSTER_PROVIDED' };
    default:
      throw new ConfigError(
        at(path, 'lb_policy'),
        `load balancing policy ${cluster.lb_policy} is not supported (${type} cluster)`,
      );
  }
}

function checkNotCombined(cluster: ClusterMessage, path: string): void {
  const common = cluster.common_lb_config;
  if (cluster.lb_subset_config !== undefined) {
    const reason = 'cluster: load_balancing_policy cannot be combined with lb_subset_config';
    throw new ConfigError(at(path, 'lb_subset_config'), reason);
  }
  if (
    common?.zone_aware_lb_config !== undefined ||
    common?.locality_weighted_lb_config !== undefined ||
    common?.consistent_hashing_lb_config !== undefined
  ) {
    const fields = 'zone_aware_lb_config, locality_weighted_lb_config, consistent_hashing_lb_config';
    const reason = `cluster: load_balancing_policy cannot be combined with partial fields (${fields}) of common_lb_config`;
    throw new ConfigError(at(path, 'common_lb_config'), reason);
  }
}

function checkProvided(
  config: LoadBalancerConfig,
  provided: boolean,
  { name }: ClusterMessage,
  path: string,
): LoadBalancerConfig {
  if ((config.policy === 'CLUSTER_PROVIDED') === provided) return config;
  const [said, did] = provided ? ['not specified', 'provided'] : ['specified', 'did not provide'];
  const reason = `cluster manager: cluster provided LB ${said} but cluster '${name}' ${did} one. Check cluster documentation.`;
  throw new ConfigError(path, reason);
}

/** The first policy of the list that is known. Throws ConfigError when none is. */
export function compilePolicies(
  { policies }: LoadBalancingPolicy,
  context: FactoryContext,
  path: string,
): LoadBalancerConfig {
  const where = at(path, 'policies');
  let first: unknown;
  for (let i = 0; i < policies.length; i++) {
    const config = policies[i].typed_extension_config;
    if (config === undefined) continue;
    const { name, typed_config: typed } = config;
    let resolved: ReturnType<typeof context.registry.resolve<'envoy.load_balancing_policies'>>;
    try {
      resolved = context.registry.resolve('envoy.load_balancing_policies', name, typed, at(where, i));
    } catch (error) {
      first ??= error;
      continue;
    }
    return (resolved.factory.compile(resolved.config, context, at(where, i)) as LoadBalancingPolicySettings)
      .loadBalancer;
  }
  throw first ?? new ConfigError(where, 'no load balancing policy is given');
}

/** Undefined unless the policy goes by load reports. */
export function clientSideWeighting(config: LoadBalancerConfig): ClientSideWeightedConfig | undefined {
  switch (config.policy) {
    case 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN':
      return config;
    case 'SUBSET':
      return clientSideWeighting(config.child);
    case 'OVERRIDE_HOST':
      return clientSideWeighting(config.fallback);
    default:
      return undefined;
  }
}
