// What some xDS subscriptions count beside the common stats, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cds

import { statSchema } from '../schema.ts';

/** CDS, RDS and scoped RDS, at the prefix of their subscription. */
export const CONFIG_RELOAD_STATS = statSchema('config_reload', {
  config_reload: 'counter',
  config_reload_time_ms: 'gauge',
});

/** RDS only. */
export const RDS_STATS = statSchema('rds', {
  update_empty: 'counter',
});

/** VHDS only. `update_empty` stays 0: that there is nothing is an answer. */
export const VHDS_STATS = statSchema('vhds', {
  config_reload: 'counter',
  update_empty: 'counter',
});

/** Scoped RDS only. `update_empty` stays 0: a response without scopes is one that says there are none. */
export const SCOPED_RDS_STATS = statSchema('scoped_rds', {
  all_scopes: 'gauge',
  on_demand_scopes: 'gauge',
  active_scopes: 'gauge',
  update_empty: 'counter',
});

/** SDS only. */
export const SDS_STATS = statSchema('sds', {
  key_rotation_failed: 'counter',
});

/** Below `extension_config_discovery.http_filter.<name>.`. Envoy: source/common/filter/config_discovery_impl.h. */
export const EXTENSION_CONFIG_DISCOVERY_STATS = statSchema('extension_config_discovery', {
  config_conflict: 'counter',
  config_fail: 'counter',
  config_reload: 'counter',
});
