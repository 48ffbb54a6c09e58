// Compiles `sub_clusters_config` of a dynamic_forward_proxy cluster.
// Document: extensions.clusters.dynamic_forward_proxy.v3.SubClustersConfig.

import type { SubClustersConfig } from '../../../xds-protos/generated/envoy/extensions/clusters/dynamic_forward_proxy/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';

const HANDLED = new Set(['lb_policy', 'max_sub_clusters', 'sub_cluster_ttl']);

export interface SubClustersSettings {
  readonly maxSubClusters: number;
  /** ms; a cluster that no request has used for so long goes. */
  readonly ttlMs: number;
}

/** Source of the defaults: SubClustersConfig. Throws ConfigError. */
export function compileSubClusters(config: SubClustersConfig, path: string): SubClustersSettings {
  rejectOtherFields(config, HANDLED, path);
  if (config.lb_policy === 'CLUSTER_PROVIDED') {
    const reason = "unsupported lb_policy 'CLUSTER_PROVIDED' in sub_cluster_config";
    throw new ConfigError(at(path, 'lb_policy'), reason);
  }
  return Object.freeze({
    maxSubClusters: wrapperValue(config.max_sub_clusters) ?? 1024,
    ttlMs: durationMs(config.sub_cluster_ttl) ?? 300_000,
  });
}
