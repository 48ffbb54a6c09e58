// Compiles a DnsCacheConfig. What it says of resolvers only the main thread reads (server/main/dns/dns_cache.ts).
// Envoy: source/extensions/common/dynamic_forward_proxy/dns_cache_impl.cc; document: common.dynamic_forward_proxy.v3.DnsCacheConfig.

import type { DnsCacheConfig } from '../../../xds-protos/generated/envoy/extensions/common/dynamic_forward_proxy/v3.ts';
import { durationMs, wrapperValue } from '../../../xds-protos/well_known.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { statSchema } from '../stats/schema.ts';

const HANDLED = new Set([
  'name',
  'dns_lookup_family',
  'dns_refresh_rate',
  'dns_min_refresh_rate',
  'host_ttl',
  'max_hosts',
  'disable_dns_refresh_on_failure',
  'dns_failure_refresh_rate',
  'dns_cache_circuit_breaker',
  'use_tcp_for_dns_lookups',
  'dns_resolution_config',
  'typed_dns_resolver_config',
  'preresolve_hostnames',
  'dns_query_timeout',
]);

/** Below `dns_cache.<name>.`. */
export const DNS_CACHE_STATS = statSchema('dns_cache', {
  cache_load: 'counter',
  'circuit_breakers.rq_pending_open': 'gauge',
  'circuit_breakers.rq_pending_remaining': 'gauge',
  dns_query_attempt: 'counter',
  dns_query_failure: 'counter',
  dns_query_success: 'counter',
  dns_query_timeout: 'counter',
  dns_rq_pending_overflow: 'counter',
  host_added: 'counter',
  host_address_changed: 'counter',
  host_overflow: 'counter',
  host_removed: 'counter',
  num_hosts: 'gauge',
});

/** Times in ms. Source of the defaults: DnsCacheConfig. */
export interface DnsCacheSettings {
  readonly name: string;
  readonly refreshMs: number;
  readonly minRefreshMs: number;
  /** After so long without being asked for, a host is forgotten. */
  readonly hostTtlMs: number;
  readonly maxHosts: number;
  readonly maxPendingRequests: number;
  /** 0: as long as the resolver takes. */
  readonly queryTimeoutMs: number;
  readonly refreshesAfterFailure: boolean;
}

/** Throws ConfigError at a field that cannot be honoured. */
export function compileDnsCache(config: DnsCacheConfig, path: string): DnsCacheSettings {
  rejectOtherFields(config, HANDLED, path);
  return Object.freeze({
    name: config.name,
    refreshMs: durationMs(config.dns_refresh_rate) ?? 60_000,
    minRefreshMs: durationMs(config.dns_min_refresh_rate) ?? 5000,
    hostTtlMs: durationMs(config.host_ttl) ?? 300_000,
    maxHosts: wrapperValue(config.max_hosts) ?? 1024,
    maxPendingRequests: wrapperValue(config.dns_cache_circuit_breaker?.max_pending_requests) ?? 1024,
    queryTimeoutMs: durationMs(config.dns_query_timeout) ?? 5000,
    refreshesAfterFailure: !config.disable_dns_refresh_on_failure,
  });
}
