// Compiles the settings of the single policies, which the fields of Cluster and the extensions have in common.
// Documents: config.cluster.v3.Cluster.*LbConfig, extensions.load_balancing_policies.*.

import type {
  Cluster_CommonLbConfig,
  Cluster_LeastRequestLbConfig,
  Cluster_MaglevLbConfig,
  Cluster_RingHashLbConfig,
  Cluster_RoundRobinLbConfig,
  Cluster_SlowStartConfig,
} from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  ConsistentHashingLbConfig,
  LocalityLbConfig,
} from '../../../xds-protos/generated/envoy/extensions/load_balancing_policies/common/v3.ts';
import type { LeastRequest } from '../../../xds-protos/generated/envoy/extensions/load_balancing_policies/least_request/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import type {
  LeastRequestConfig,
  LocalityConfig,
  MaglevConfig,
  RandomConfig,
  RingHashConfig,
  RoundRobinConfig,
} from './load_balancer_config.ts';
import type { SlowStartConfig } from './slow_start.ts';

/** Source: LeastRequest.choice_count. */
const DEFAULT_CHOICE_COUNT = 2;
/** Sources: ZoneAwareLbConfig. */
const DEFAULT_ROUTING_PERCENT = 100;
const DEFAULT_MIN_CLUSTER_SIZE = 6;
/** Source: SlowStartConfig.min_weight_percent. */
const DEFAULT_MIN_WEIGHT_PERCENT = 10;
/** Sources: RingHash.minimum_ring_size, maximum_ring_size. */
const DEFAULT_MIN_RING_SIZE = 1024;
const DEFAULT_MAX_RING_SIZE = 8_388_608;
/** Source: Maglev.table_size. */
const DEFAULT_TABLE_SIZE = 65_537;

// `enable_full_scan` is deprecated: Envoy reads `selection_method` alone.
const LEAST_REQUEST_FIELDS = new Set([
  'choice_count',
  'active_request_bias',
  'selection_method',
  'slow_start_config',
  'locality_lb_config',
]);
const ROUND_ROBIN_FIELDS = new Set(['slow_start_config', 'locality_lb_config']);
const SLOW_START_FIELDS = new Set(['slow_start_window', 'aggression', 'min_weight_percent']);
const ZONE_AWARE_FIELDS = new Set(['routing_enabled', 'min_cluster_size', 'fail_traffic_on_panic']);
const LOCALITY_FIELDS = new Set(['zone_aware_lb_config', 'locality_weighted_lb_config']);
const RING_FIELDS = new Set([
  'minimum_ring_size',
  'maximum_ring_size',
  'hash_function',
  'use_hostname_for_hashing',
  'hash_balance_factor',
  'consistent_hashing_lb_config',
  'locality_weighted_lb_config',
]);
const MAGLEV_FIELDS = new Set(['table_size', 'consistent_hashing_lb_config', 'locality_weighted_lb_config']);
const HASHING_FIELDS = new Set(['use_hostname_for_hashing', 'hash_balance_factor']);

type Localities = Pick<Cluster_CommonLbConfig, 'zone_aware_lb_config' | 'locality_weighted_lb_config'>;

export function compileRoundRobin(
  config: Cluster_RoundRobinLbConfig | undefined,
  localities: Localities | LocalityLbConfig | undefined,
  path: string,
): RoundRobinConfig {
  if (config !== undefined) rejectOtherFields(config, ROUND_ROBIN_FIELDS, path);
  return {
    policy: 'ROUND_ROBIN',
    locality: compileLocality(localities, path),
    slowStart: compileSlowStart(config?.slow_start_config, at(path, 'slow_start_config')),
  };
}

export function compileLeastRequest(
  config: Cluster_LeastRequestLbConfig | LeastRequest | undefined,
  localities: Localities | LocalityLbConfig | undefined,
  path: string,
): LeastRequestConfig {
  if (config !== undefined) rejectOtherFields(config, LEAST_REQUEST_FIELDS, path);
  return {
    policy: 'LEAST_REQUEST',
    choiceCount: wrapperValue(config?.choice_count) ?? DEFAULT_CHOICE_COUNT,
    fullScan: config !== undefined && 'selection_method' in config && config.selection_method === 'FULL_SCAN',
    activeRequestBias: config?.active_request_bias?.default_value ?? 1,
    biasKey: config?.active_request_bias?.runtime_key ?? '',
    locality: compileLocality(localities, path),
    slowStart: compileSlowStart(config?.slow_start_config, at(path, 'slow_start_config')),
  };
}

export function compileRandom(
  localities: Localities | LocalityLbConfig | undefined,
  path: string,
): RandomConfig {
  return { policy: 'RANDOM', locality: compileLocality(localities, path) };
}

/** A LocalityLbConfig, of which only one of its fields may be set. */
export function checkLocalityFields(config: LocalityLbConfig | undefined, path: string): void {
  if (config !== undefined) rejectOtherFields(config, LOCALITY_FIELDS, path);
}

function compileLocality(config: Localities | LocalityLbConfig | undefined, path: string): LocalityConfig {
  const zones = config?.zone_aware_lb_config;
  if (zones !== undefined) rejectOtherFields(zones, ZONE_AWARE_FIELDS, at(path, 'zone_aware_lb_config'));
  return {
    weighted: config?.locality_weighted_lb_config !== undefined,
    zoneAware: {
      routingPercent: Math.trunc(zones?.routing_enabled?.value ?? DEFAULT_ROUTING_PERCENT),
      minClusterSize: Number(wrapperValue(zones?.min_cluster_size) ?? DEFAULT_MIN_CLUSTER_SIZE),
      failTrafficOnPanic: zones?.fail_traffic_on_panic === true,
    },
  };
}

function compileSlowStart(
  config: Cluster_SlowStartConfig | undefined,
  path: string,
): SlowStartConfig | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, SLOW_START_FIELDS, path);
  const windowMs = Math.trunc(durationMs(config.slow_start_window) ?? 0);
  if (windowMs === 0) return undefined;
  return {
    windowMs,
    aggression: config.aggression?.default_value ?? 1,
    aggressionKey: config.aggression?.runtime_key ?? '',
    minWeight: (config.min_weight_percent?.value ?? DEFAULT_MIN_WEIGHT_PERCENT) / 100,
  };
}

/** `hash_function` as both messages name it; DEFAULT_HASH is XX_HASH. */
type RingHashMessage = Pick<Cluster_RingHashLbConfig, 'minimum_ring_size' | 'maximum_ring_size'> & {
  readonly hash_function: string | number;
};

export function compileRingHash(
  config: RingHashMessage | undefined,
  hashing: ConsistentHashingLbConfig | undefined,
  byLocality: boolean,
  path: string,
): RingHashConfig {
  if (config !== undefined) rejectOtherFields(config, RING_FIELDS, path);
  const minRingSize = Number(wrapperValue(config?.minimum_ring_size) ?? DEFAULT_MIN_RING_SIZE);
  const maxRingSize = Number(wrapperValue(config?.maximum_ring_size) ?? DEFAULT_MAX_RING_SIZE);
  if (minRingSize > maxRingSize) {
    const reason = `ring hash: minimum_ring_size (${minRingSize}) > maximum_ring_size (${maxRingSize})`;
    throw new ConfigError(at(path, 'minimum_ring_size'), reason);
  }
  return {
    policy: 'RING_HASH',
    hashFunction: config?.hash_function === 'MURMUR_HASH_2' ? 'MURMUR_HASH_2' : 'XX_HASH',
    minRingSize,
    maxRingSize,
    byLocality,
    ...compileHashing(hashing, path),
  };
}

export function compileMaglev(
  config: Cluster_MaglevLbConfig | undefined,
  hashing: ConsistentHashingLbConfig | undefined,
  byLocality: boolean,
  path: string,
): MaglevConfig {
  if (config !== undefined) rejectOtherFields(config, MAGLEV_FIELDS, path);
  const tableSize = Number(wrapperValue(config?.table_size) ?? DEFAULT_TABLE_SIZE);
  if (!isPrime(tableSize))
    throw new ConfigError(at(path, 'table_size'), 'The table size of maglev must be prime number');
  return { policy: 'MAGLEV', tableSize, byLocality, ...compileHashing(hashing, path) };
}

function compileHashing(
  hashing: ConsistentHashingLbConfig | undefined,
  path: string,
): { readonly useHostname: boolean; readonly balanceFactor: number } {
  if (hashing !== undefined)
    rejectOtherFields(hashing, HASHING_FIELDS, at(path, 'consistent_hashing_lb_config'));
  return {
    useHostname: hashing?.use_hostname_for_hashing === true,
    balanceFactor: wrapperValue(hashing?.hash_balance_factor) ?? 0,
  };
}

function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
}
