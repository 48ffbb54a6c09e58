// Holds a request for a dynamic_forward_proxy cluster until its host has been looked up.
// Envoy: source/extensions/filters/http/dynamic_forward_proxy/proxy_filter.cc.

import type {
  CachedDnsHost,
  DnsCache,
  DnsCacheCallbacks,
  DnsCacheHandle,
} from '../../../../api/dns_cache.ts';
import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import type { ClusterManager } from '../../../../api/upstream/cluster.ts';
import { defaultDfpPort } from '../../../../common/dynamic_forward_proxy/default_port.ts';
import { hostKey } from '../../../../common/dynamic_forward_proxy/host_key.ts';
import { subClusterName } from '../../../../common/dynamic_forward_proxy/sub_cluster_name.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import type { SubClustersConfig } from '../../../../common/upstream/cluster_config.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import { SubClusterLoad, type SubClusterOutcome } from './sub_cluster_load.ts';

const DYNAMIC_HOST = 'envoy.upstream.dynamic_host';
const DYNAMIC_PORT = 'envoy.upstream.dynamic_port';
/** Uses of a sub cluster within this part of its time to live are told the main thread once. */
const TOLD_PER_TTL = 10;

/** A route's: '' for what it does not say. */
export interface HostRewrite {
  readonly literal: string;
  readonly header: string;
}

export interface ProxyFilterConfig {
  /** Undefined where only clusters of sub clusters are served. */
  readonly cache: DnsCache | undefined;
  /** ms that a request waits for a sub cluster. */
  readonly subClusterTimeoutMs: number;
  /** When each sub cluster was last said to be in use, `performance.now()` ms. */
  readonly touched: Map<string, number>;
  readonly clusterManager: ClusterManager;
  /** Filters before this one may have said where to. */
  readonly hostFromFilterState: boolean;
}

export class ProxyFilter implements HttpFilter, DnsCacheCallbacks {
  private readonly config: ProxyFilterConfig;
  private callbacks!: StreamDecoderFilterCallbacks;
  private load: DnsCacheHandle | SubClusterLoad | undefined = undefined;

  constructor(config: ProxyFilterConfig) {
    this.config = config;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    const { callbacks, config } = this;
    const entry = callbacks.route()?.routeEntry;
    if (entry === undefined) return FilterHeadersStatus.Continue;
    const name = entry.clusterName(headers, callbacks.streamId);
    const cluster = config.clusterManager.getCluster(name) as ThreadLocalCluster | undefined;
    if (cluster === undefined) return FilterHeadersStatus.Continue;
    const { dnsCache, subClusters } = cluster.config;
    if (subClusters !== undefined) {
      this.rewriteHost(headers);
      const subCluster = subClusterName(headers.host ?? '', defaultDfpPort(cluster.config));
      return this.loadSubCluster(subCluster, subClusters);
    }
    if (dnsCache === undefined || config.cache === undefined) return FilterHeadersStatus.Continue;
    this.rewriteHost(headers);
    const key = this.hostKey(headers, defaultDfpPort(cluster.config));
    const known = config.cache.get(key);
    if (known !== undefined) {
      if (known.ip !== undefined) return FilterHeadersStatus.Continue;
      this.fail(known);
      return FilterHeadersStatus.StopIteration;
    }
    const load = config.cache.load(key, this);
    if (load === 'pending_overflow') {
      const body = 'Dynamic forward proxy pending request overflow';
      callbacks.sendLocalReply(503, body, 'dynamic_forward_proxy_pending_request_overflow');
    } else if (load === 'host_overflow') {
      callbacks.sendLocalReply(503, 'DNS cache overflow', 'dns_cache_overflow');
    } else this.load = load;
    return FilterHeadersStatus.StopIteration;
  }

  decodeData(): FilterDataStatus {
    return this.load === undefined ? FilterDataStatus.Continue : FilterDataStatus.StopIterationAndWatermark;
  }

  decodeTrailers(): FilterTrailersStatus {
    return this.load === undefined ? FilterTrailersStatus.Continue : FilterTrailersStatus.StopIteration;
  }

  onDestroy(): void {
    this.load?.cancel();
    this.load = undefined;
  }

  onLoadDnsCacheComplete(host: CachedDnsHost): void {
    this.load = undefined;
    if (host.ip === undefined) this.fail(host);
    else this.callbacks.continueDecoding();
  }

  private loadSubCluster(name: string, { discovery, ttlMs }: SubClustersConfig): FilterHeadersStatus {
    const { clusterManager, subClusterTimeoutMs, touched } = this.config;
    const isThere = (): boolean => clusterManager.getCluster(name) !== undefined;
    const now = monotonicNow();
    if (isThere()) {
      if (now - (touched.get(name) ?? 0) > ttlMs / TOLD_PER_TTL) {
        touched.set(name, now);
        discovery.touch(name);
      }
      return FilterHeadersStatus.Continue;
    }
    for (const [other, at] of touched) if (now - at > ttlMs) touched.delete(other);
    touched.set(name, now);
    this.load = new SubClusterLoad(name, discovery, subClusterTimeoutMs, isThere, (outcome) =>
      this.onSubCluster(outcome),
    );
    return FilterHeadersStatus.StopIteration;
  }

  private onSubCluster(outcome: SubClusterOutcome): void {
    const { callbacks } = this;
    this.load = undefined;
    if (outcome === 'made') callbacks.continueDecoding();
    else if (outcome === 'overflow')
      callbacks.sendLocalReply(503, 'Sub cluster overflow', 'sub_cluster_overflow');
    else callbacks.sendLocalReply(503, 'Sub cluster warming timeout', 'sub_cluster_warming_timeout');
  }

  private rewriteHost(headers: RequestHeaderMap): void {
    const rewrite = this.callbacks.perFilterConfig<HostRewrite>();
    if (rewrite === undefined) return;
    if (rewrite.literal !== '') headers.host = rewrite.literal;
    const named = rewrite.header === '' ? undefined : headers.get(rewrite.header);
    if (named !== undefined && named !== '') headers.host = named;
  }

  private hostKey(headers: RequestHeaderMap, defaultPort: number): string {
    const state = this.config.hostFromFilterState ? this.callbacks.streamInfo.filterState : undefined;
    const port = Number(state?.get(DYNAMIC_PORT)?.serializeAsString() ?? 0);
    const host = state?.get(DYNAMIC_HOST)?.serializeAsString() ?? headers.host ?? '';
    return hostKey(host, port > 0 && port <= 65535 ? port : defaultPort);
  }

  private fail({ failure }: CachedDnsHost): void {
    const { callbacks } = this;
    callbacks.streamInfo.responseFlags |= ResponseFlag.DnsResolutionFailed;
    const details = `dns_resolution_failure{${failure.replaceAll(' ', '_')}}`;
    callbacks.sendLocalReply(503, 'DNS resolution failure', details);
  }
}
