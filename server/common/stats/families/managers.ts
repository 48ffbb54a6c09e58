// Stats of the listener manager and the cluster manager, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats

import { statSchema } from '../schema.ts';

/** Below `listener_manager.`. */
export const LISTENER_MANAGER_STATS = statSchema('listener_manager', {
  listener_added: 'counter',
  listener_create_failure: 'counter',
  listener_create_success: 'counter',
  listener_in_place_updated: 'counter',
  listener_modified: 'counter',
  listener_removed: 'counter',
  listener_stopped: 'counter',
  total_filter_chains_draining: 'gauge',
  total_listeners_active: 'gauge',
  total_listeners_draining: 'gauge',
  total_listeners_warming: 'gauge',
  workers_pinned: 'gauge',
  workers_started: 'gauge',
});

/** Below `cluster_manager.`. */
export const CLUSTER_MANAGER_STATS = statSchema('cluster_manager', {
  active_clusters: 'gauge',
  cluster_added: 'counter',
  cluster_modified: 'counter',
  cluster_removed: 'counter',
  cluster_updated: 'counter',
  cluster_updated_via_merge: 'counter',
  update_merge_cancelled: 'counter',
  update_out_of_merge_window: 'counter',
  warming_clusters: 'gauge',
});

/** Below `thread_local_cluster_manager.<main_thread or worker_n>.`. */
export const THREAD_LOCAL_CLUSTER_MANAGER_STATS = statSchema('thread_local_cluster_manager', {
  clusters_inflated: 'gauge',
});
