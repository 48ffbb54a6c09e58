// Compiles what a cluster says about name resolution. Envoy: source/extensions/clusters/dns/, source/common/network/
// dns_resolver/dns_factory_util.cc; document: config.cluster.v3.Cluster (dns_*), network.dns_resolver.cares.v3.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  Address,
  DnsResolverOptions,
  TypedExtensionConfig,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { CaresDnsResolverConfig } from '../../../xds-protos/generated/envoy/extensions/network/dns_resolver/cares/v3.ts';
import { decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { rejectOtherFields } from '../../common/config/handled_fields.ts';
import { formatAddress } from '../../common/network/address.ts';
import type { LookupFamily, ResolverSettings } from './dns_resolver.ts';

/** Source: Cluster.dns_refresh_rate, 5 s. */
const DEFAULT_REFRESH_MS = 5000;
/** Source: CaresDnsResolverConfig.query_timeout_seconds 5, query_tries 4. */
const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_TRIES = 4;
const DNS_PORT = 53;

const CARES = 'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig';
const GETADDRINFO = 'envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig';
// Sockets and buffers of the resolver are node's own: what only tunes c-ares' use of them changes no answer.
const CARES_FIELDS = new Set([
  'resolvers',
  'use_resolvers_as_fallback',
  'dns_resolver_options',
  'query_timeout_seconds',
  'query_tries',
  'udp_max_queries',
  'edns0_max_payload_size',
  'max_udp_channel_duration',
  'reinit_channel_on_timeout',
]);

export interface DnsConfig {
  readonly refreshMs: number;
  /** First and largest pause after a failure, ms. */
  readonly failureBaseMs: number;
  readonly failureMaxMs: number;
  /** Up to so many ms are added to each pause. */
  readonly jitterMs: number;
  readonly respectTtl: boolean;
  readonly waitForWarm: boolean;
  readonly resolver: ResolverSettings;
}

/** Throws ConfigError. */
export function compileDnsConfig(cluster: Cluster, path: string): DnsConfig {
  const refreshMs = durationMs(cluster.dns_refresh_rate) ?? DEFAULT_REFRESH_MS;
  const failure = cluster.dns_failure_refresh_rate;
  const failureBaseMs = durationMs(failure?.base_interval) ?? refreshMs;
  // Source: RefreshRate.max_interval, 10 × base_interval. Without a failure rate the pause is always the refresh rate.
  const failureMaxMs =
    durationMs(failure?.max_interval) ?? (failure === undefined ? refreshMs : 10 * failureBaseMs);
  if (failureMaxMs < failureBaseMs) {
    const where = at(path, 'dns_failure_refresh_rate');
    throw new ConfigError(where, 'dns_failure_refresh_rate must have max_interval >= base_interval');
  }
  return Object.freeze({
    refreshMs,
    failureBaseMs,
    failureMaxMs,
    jitterMs: durationMs(cluster.dns_jitter) ?? 0,
    respectTtl: cluster.respect_dns_ttl,
    waitForWarm: cluster.wait_for_warm_on_init?.value ?? true,
    resolver: resolverSettings(cluster, path),
  });
}

function resolverSettings(cluster: Cluster, path: string): ResolverSettings {
  const family = lookupFamily(cluster, path);
  if (cluster.use_tcp_for_dns_lookups) throw tcp(at(path, 'use_tcp_for_dns_lookups'));
  const base = { family, ttl: cluster.respect_dns_ttl, timeoutMs: DEFAULT_TIMEOUT_MS, tries: DEFAULT_TRIES };
  if (cluster.typed_dns_resolver_config !== undefined) {
    return typedSettings(cluster.typed_dns_resolver_config, base, at(path, 'typed_dns_resolver_config'));
  }
  if (cluster.dns_resolution_config !== undefined) {
    const where = at(path, 'dns_resolution_config');
    const { resolvers, dns_resolver_options: options } = cluster.dns_resolution_config;
    checkOptions(options, at(where, 'dns_resolver_options'));
    return { ...base, servers: servers(resolvers, at(where, 'resolvers')), fallback: false };
  }
  return { ...base, servers: servers(cluster.dns_resolvers, at(path, 'dns_resolvers')), fallback: false };
}

function typedSettings(
  config: TypedExtensionConfig,
  base: Omit<ResolverSettings, 'servers' | 'fallback'>,
  path: string,
): ResolverSettings {
  const type = typeNameOf(config.typed_config?.type_url ?? '');
  // getaddrinfo knows no TTL: Envoy's extension reports the refresh rate as one.
  if (type === GETADDRINFO) return { ...base, ttl: false, servers: [], fallback: false };
  if (type !== CARES) {
    const reason = `Didn't find a registered implementation for '${config.name}' with type URL: '${type}'`;
    throw new ConfigError(path, reason);
  }
  const where = at(path, 'typed_config');
  const cares = decodeAny(config.typed_config!, where).message as unknown as CaresDnsResolverConfig;
  rejectOtherFields(cares, CARES_FIELDS, where);
  checkOptions(cares.dns_resolver_options, at(where, 'dns_resolver_options'));
  return {
    ...base,
    servers: servers(cares.resolvers, at(where, 'resolvers')),
    fallback: cares.use_resolvers_as_fallback,
    timeoutMs: Number(cares.query_timeout_seconds?.value ?? DEFAULT_TIMEOUT_MS / 1000) * 1000,
    tries: cares.query_tries?.value ?? DEFAULT_TRIES,
  };
}

function checkOptions(options: DnsResolverOptions | undefined, path: string): void {
  if (options?.use_tcp_for_dns_lookups) throw tcp(at(path, 'use_tcp_for_dns_lookups'));
}

function tcp(path: string): ConfigError {
  return new ConfigError(path, 'DNS lookups over TCP are not supported');
}

function lookupFamily(cluster: Cluster, path: string): LookupFamily {
  if (typeof cluster.dns_lookup_family === 'number') {
    throw new ConfigError(at(path, 'dns_lookup_family'), `unknown family ${cluster.dns_lookup_family}`);
  }
  return cluster.dns_lookup_family;
}

function servers(addresses: readonly Address[], path: string): string[] {
  return addresses.map(({ socket_address: address }, index) => {
    if (address === undefined) throw new ConfigError(at(path, index), 'a resolver must be a socket address');
    return formatAddress(address.address, address.port_value || DNS_PORT);
  });
}
