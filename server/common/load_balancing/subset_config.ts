// Compiles lb_subset_config and the subset policy: which metadata makes subsets, and what is done where there is none.
// Documents: config.cluster.v3.Cluster.LbSubsetConfig, extensions.load_balancing_policies.subset.v3.Subset.

import type { Cluster_LbSubsetConfig } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { Subset } from '../../../xds-protos/generated/envoy/extensions/load_balancing_policies/subset/v3.ts';
import { structToJson } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import type { BalancingConfig } from './load_balancer_config.ts';

export type SubsetFallback = 'NO_FALLBACK' | 'ANY_ENDPOINT' | 'DEFAULT_SUBSET';
export type SelectorFallback = SubsetFallback | 'NOT_DEFINED' | 'KEYS_SUBSET';

export interface SubsetSelector {
  /** Sorted. */
  readonly keys: readonly string[];
  readonly singleHost: boolean;
  readonly fallback: SelectorFallback;
  readonly fallbackKeys: readonly string[];
}

export interface SubsetConfig {
  readonly policy: 'SUBSET';
  readonly fallback: SubsetFallback;
  readonly defaultSubset: Readonly<Record<string, unknown>>;
  readonly selectors: readonly SubsetSelector[];
  readonly allowRedundantKeys: boolean;
  readonly localityWeightAware: boolean;
  readonly scaleLocalityWeight: boolean;
  readonly panicModeAny: boolean;
  readonly listAsAny: boolean;
  /** `fallback_list` of the route's metadata holds values to be tried one after the other. */
  readonly metadataFallbackList: boolean;
  /** The policy within each subset. */
  readonly child: BalancingConfig;
}

const FIELDS = new Set([
  'fallback_policy',
  'default_subset',
  'subset_selectors',
  'allow_redundant_keys',
  'locality_weight_aware',
  'scale_locality_weight',
  'panic_mode_any',
  'list_as_any',
  'metadata_fallback_policy',
  'subset_lb_policy',
]);
const SELECTOR_FIELDS = new Set([
  'keys',
  'single_host_per_subset',
  'fallback_policy',
  'fallback_keys_subset',
]);

/** Throws ConfigError. */
export function compileSubset(
  config: Cluster_LbSubsetConfig | Subset,
  child: BalancingConfig,
  path: string,
): SubsetConfig {
  rejectOtherFields(config, FIELDS, path);
  return Object.freeze({
    policy: 'SUBSET',
    fallback: config.fallback_policy as SubsetFallback,
    defaultSubset: config.default_subset === undefined ? {} : structToJson(config.default_subset),
    selectors: config.subset_selectors.map((selector, i) =>
      compileSelector(selector, at(at(path, 'subset_selectors'), i)),
    ),
    allowRedundantKeys: 'allow_redundant_keys' in config && config.allow_redundant_keys,
    localityWeightAware: config.locality_weight_aware,
    scaleLocalityWeight: config.scale_locality_weight,
    panicModeAny: config.panic_mode_any,
    listAsAny: config.list_as_any,
    metadataFallbackList: config.metadata_fallback_policy === 'FALLBACK_LIST',
    child,
  });
}

function compileSelector(
  selector: Cluster_LbSubsetConfig['subset_selectors'][number],
  path: string,
): SubsetSelector {
  rejectOtherFields(selector, SELECTOR_FIELDS, path);
  const keys = [...new Set(selector.keys)].sort();
  const fallbackKeys = [...new Set(selector.fallback_keys_subset)].sort();
  if (selector.fallback_policy === 'KEYS_SUBSET') {
    const where = at(path, 'fallback_keys_subset');
    if (fallbackKeys.length === 0) throw new ConfigError(where, 'fallback_keys_subset cannot be empty');
    if (!fallbackKeys.every((key) => keys.includes(key)))
      throw new ConfigError(where, 'fallback_keys_subset must be a subset of selector keys');
    if (fallbackKeys.length === keys.length)
      throw new ConfigError(where, 'fallback_keys_subset cannot be equal to keys');
  }
  return Object.freeze({
    keys,
    singleHost: selector.single_host_per_subset,
    fallback: selector.fallback_policy as SelectorFallback,
    fallbackKeys,
  });
}
