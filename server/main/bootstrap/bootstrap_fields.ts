// Which fields of the bootstrap are honoured, which change nothing here and why, and so which are refused: all others.
// Document: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/bootstrap/v3/bootstrap.proto

import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';

const HONOURED = 'honoured';
type Verdict = typeof HONOURED | { readonly noEffect: string };

const BOOTSTRAP: Readonly<Record<string, Verdict>> = {
  node: HONOURED,
  static_resources: HONOURED,
  dynamic_resources: HONOURED,
  cluster_manager: HONOURED,
  admin: HONOURED,
  stats_config: HONOURED,
  layered_runtime: HONOURED,
  overload_manager: HONOURED,
  tracing: HONOURED,
  hds_config: HONOURED,
  bootstrap_extensions: HONOURED,
  application_log_config: HONOURED,
  stats_flush_interval: HONOURED,
  stats_flush_on_admin: HONOURED,
  stats_eviction_interval: HONOURED,
  flags_path: { noEffect: 'Envoy reads no flags from there any more either' },
  watchdog: { noEffect: 'a worker that hangs or dies is replaced by the main thread' },
  watchdogs: { noEffect: 'a worker that hangs or dies is replaced by the main thread' },
  inline_headers: { noEffect: 'it only speeds Envoy up' },
  node_context_params: { noEffect: 'they are part of xdstp names, which are not asked for' },
  deferred_stat_options: { noEffect: 'stats that nobody reads cost next to nothing' },
  memory_allocator_manager: { noEffect: 'memory is given back by the garbage collector' },
  grpc_async_client_manager_config: { noEffect: 'idle gRPC channels close by themselves' },
  default_socket_interface: { noEffect: 'there is one socket interface' },
};

const PARTS: Readonly<Record<string, Readonly<Record<string, Verdict>>>> = {
  admin: {
    address: HONOURED,
    allow_paths: HONOURED,
    access_log: { noEffect: 'requests to the admin port are not logged' },
    access_log_path: { noEffect: 'requests to the admin port are not logged' },
    profile_path: HONOURED,
    ignore_global_conn_limit: { noEffect: 'the admin port is never limited' },
  },
  cluster_manager: {
    local_cluster_name: HONOURED,
    outlier_detection: HONOURED,
    enable_deferred_cluster_creation: { noEffect: 'it only speeds Envoy up' },
  },
  dynamic_resources: { lds_config: HONOURED, cds_config: HONOURED, ads_config: HONOURED },
  overload_manager: { refresh_interval: { noEffect: 'nothing is measured at intervals' }, resource_monitors: HONOURED },
  tracing: { http: HONOURED },
  static_resources: { listeners: HONOURED, clusters: HONOURED, secrets: HONOURED },
}; // biome-ignore format: a table

/** A field that is there and changes nothing. */
export interface InertField {
  readonly path: string;
  readonly reason: string;
}

/** Throws ConfigError at the first field that cannot be honoured; the result are those without effect. */
export function checkBootstrapFields(bootstrap: Bootstrap): InertField[] {
  const found: InertField[] = [];
  check(bootstrap, BOOTSTRAP, '', found);
  for (const [part, table] of Object.entries(PARTS)) {
    const message = bootstrap[part as keyof Bootstrap];
    if (typeof message === 'object') check(message, table, part, found);
  }
  return found;
}

function check(
  message: object,
  table: Readonly<Record<string, Verdict>>,
  path: string,
  found: InertField[],
): void {
  for (const [field, value] of Object.entries(message)) {
    if (isDefault(value)) continue;
    const verdict = table[field];
    const where = at(path, field);
    if (verdict === undefined) throw new ConfigError(where, 'this field is not supported');
    if (verdict !== HONOURED) found.push({ path: where, reason: verdict.noEffect });
  }
}

function isDefault(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === undefined || value === false || value === '' || value === 0 || value === 0n;
}
