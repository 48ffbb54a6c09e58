// Compiles what a cluster says about name resolution. Envoy: source/extensions/clusters/dns/, source/common/network/
// dns_resolver/dns_factory_util.cc; document: config.cluster.v3.Cluster (dns_*), network.dns_resolver.cares.v3.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  Address,
  DnsResolutionConfig,
  TypedExtensionConfig,
} from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { DnsLookupFamily } from '../../../xds-protos/generated/envoy/extensions/clusters/common/dns/v3.ts';
import type { CaresDnsResolverConfig } from '../../../xds-protos/generated/envoy/extensions/network/dns_resolver/cares/v3.ts';
import type { Duration } from '../../../xds-protos/generated/google/protobuf.ts';
import { decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { rejectOtherFields } from '../../common/config/handled_fields.ts';
import { formatAddress } from '../../common/network/address.ts';
import type { ClusterDiscovery } from '../../common/upstream/cluster_discovery.ts';
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
  'rotate_nameservers',
  'filter_unroutable_families',
  'query_timeout_seconds',
  'query_tries',
  'udp_max_queries',
  'edns0_max_payload_size',
  'max_udp_channel_duration',
  'reinit_channel_on_timeout',
]);

/** How many threads call getaddrinfo is node's business. */
const GETADDRINFO_FIELDS = new Set(['num_resolver_threads']);

export interface DnsConfig {
  readonly refreshMs: number;
  /** First and largest pause after a failure, ms. */
  readonly failureBaseMs: number;
  readonly failureMaxMs: number;
  /** Up to so many ms are added to each pause. */
  readonly jitterMs: number;
  readonly respectTtl: boolean;
  /** ms that pause at least, whatever the TTL. */
  readonly minRefreshMs: number;
  /** Of several addresses the first is the host (LOGICAL_DNS). */
  readonly firstOnly: boolean;
  readonly waitForWarm: boolean;
  readonly resolver: ResolverSettings;
}

/** Throws ConfigError. */
export function compileDnsConfig(cluster: Cluster, discovery: ClusterDiscovery, path: string): DnsConfig {
  const { dnsPath } = discovery;
  const dns = discovery.dns!;
  const refreshMs = durationMs(dns.dns_refresh_rate) ?? DEFAULT_REFRESH_MS;
  return Object.freeze({
    refreshMs,
    minRefreshMs: durationMs(dns.dns_min_refresh_rate) ?? 0,
    ...failureRates(dns.dns_failure_refresh_rate, refreshMs, at(dnsPath, 'dns_failure_refresh_rate')),
    jitterMs: durationMs(dns.dns_jitter) ?? 0,
    respectTtl: dns.respect_dns_ttl,
    firstOnly: discovery.type === 'LOGICAL_DNS',
    waitForWarm: cluster.wait_for_warm_on_init?.value ?? true,
    resolver: resolverSettings(
      {
        family: lookupFamily(dns.dns_lookup_family, at(dnsPath, 'dns_lookup_family')),
        ttl: dns.respect_dns_ttl,
        typed: dns.typed_dns_resolver_config,
        resolution: cluster.dns_resolution_config,
        resolvers: cluster.dns_resolvers,
        useTcp: cluster.use_tcp_for_dns_lookups,
      },
      dns.typed_dns_resolver_config === undefined ? path : dnsPath,
    ),
  });
}

/** First and largest pause after a failure, ms. Without a failure rate the pause is always the refresh rate. Throws ConfigError. */
export function failureRates(
  rate:
    | { readonly base_interval?: Duration | undefined; readonly max_interval?: Duration | undefined }
    | undefined,
  refreshMs: number,
  path: string,
): Pick<DnsConfig, 'failureBaseMs' | 'failureMaxMs'> {
  const failureBaseMs = durationMs(rate?.base_interval) ?? refreshMs;
  // Source: RefreshRate.max_interval, 10 times base_interval.
  const failureMaxMs =
    durationMs(rate?.max_interval) ?? (rate === undefined ? refreshMs : 10 * failureBaseMs);
  if (failureMaxMs < failureBaseMs)
    throw new ConfigError(path, 'dns_failure_refresh_rate must have max_interval >= base_interval');
  return { failureBaseMs, failureMaxMs };
}

/** What clusters and DNS caches say about resolvers, in the fields that have come and gone. */
export interface ResolverFields {
  readonly family: LookupFamily;
  readonly ttl: boolean;
  readonly typed: TypedExtensionConfig | undefined;
  readonly resolution: DnsResolutionConfig | undefined;
  readonly resolvers: readonly Address[];
  readonly useTcp: boolean;
}

/** Throws ConfigError. */
export function resolverSettings(
  { family, ttl, typed, resolution, resolvers, useTcp }: ResolverFields,
  path: string,
): ResolverSettings {
  const base = {
    family,
    ttl,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    tries: DEFAULT_TRIES,
    search: true,
    rotate: false,
    filterUnroutable: false,
    tcp: false,
  };
  if (typed !== undefined) return typedSettings(typed, base, at(path, 'typed_dns_resolver_config'));
  if (resolution !== undefined) {
    const where = at(path, 'dns_resolution_config');
    const options = resolution.dns_resolver_options;
    const search = options?.no_default_search_domain !== true;
    return {
      ...base,
      search,
      tcp: options?.use_tcp_for_dns_lookups === true,
      servers: servers(resolution.resolvers, at(where, 'resolvers')),
      fallback: false,
    };
  }
  return { ...base, tcp: useTcp, servers: servers(resolvers, at(path, 'dns_resolvers')), fallback: false };
}

function typedSettings(
  config: TypedExtensionConfig,
  base: Omit<ResolverSettings, 'servers' | 'fallback'>,
  path: string,
): ResolverSettings {
  const type = typeNameOf(config.typed_config?.type_url ?? '');
  // getaddrinfo knows no TTL: Envoy's extension reports the refresh rate as one.
  if (type === GETADDRINFO) {
    const where = at(path, 'typed_config');
    rejectOtherFields(decodeAny(config.typed_config!, where).message, GETADDRINFO_FIELDS, where);
    return { ...base, ttl: false, servers: [], fallback: false };
  }
  if (type !== CARES) {
    const reason = `Didn't find a registered implementation for '${config.name}' with type URL: '${type}'`;
    throw new ConfigError(path, reason);
  }
  const where = at(path, 'typed_config');
  const cares = decodeAny(config.typed_config!, where).message as unknown as CaresDnsResolverConfig;
  rejectOtherFields(cares, CARES_FIELDS, where);
  return {
    ...base,
    servers: servers(cares.resolvers, at(where, 'resolvers')),
    fallback: cares.use_resolvers_as_fallback,
    timeoutMs: Number(cares.query_timeout_seconds?.value ?? DEFAULT_TIMEOUT_MS / 1000) * 1000,
    tries: cares.query_tries?.value ?? DEFAULT_TRIES,
    search: cares.dns_resolver_options?.no_default_search_domain !== true,
    rotate: cares.rotate_nameservers,
    filterUnroutable: cares.filter_unroutable_families,
    tcp: cares.dns_resolver_options?.use_tcp_for_dns_lookups === true,
  };
}

/** Throws ConfigError for a number without a name. */
export function lookupFamily(family: DnsLookupFamily | LookupFamily, path: string): LookupFamily {
  if (typeof family === 'number') throw new ConfigError(path, `unknown family ${family}`);
  return family === 'UNSPECIFIED' ? 'AUTO' : family;
}

function servers(addresses: readonly Address[], path: string): string[] {
  return addresses.map(({ socket_address: address }, index) => {
    if (address === undefined) throw new ConfigError(at(path, index), 'a resolver must be a socket address');
    return formatAddress(address.address, address.port_value || DNS_PORT);
  });
}
