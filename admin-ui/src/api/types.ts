// What the proxy answers, as /api/openapi.json describes it.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface Page<Item> {
  /** On all pages. */
  readonly total: number;
  readonly offset: number;
  readonly items: readonly Item[];
}

export type ResourceKind = 'cluster' | 'endpoints' | 'listener' | 'route' | 'secret' | 'extension';

export interface ResourceSummary {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly state: 'active' | 'warming' | 'rejected';
  readonly static: boolean;
  readonly version: string;
  /** ms since 1970. */
  readonly updated_at: number;
  readonly size_bytes: number;
  readonly warming: boolean;
  readonly rejection?: Rejection;
}

export interface Rejection {
  readonly path: string;
  readonly reason: string;
  readonly version: string;
  readonly at: number;
}

export interface ResourceDetail extends ResourceSummary {
  readonly resource?: JsonObject;
  readonly warming_resource?: JsonObject;
  readonly rejected_resource?: JsonObject;
  /** From what serves to what warms or was refused. */
  readonly warming_changes?: readonly Change[];
  readonly rejected_changes?: readonly Change[];
}

export interface HistoryEntry {
  readonly id: number;
  readonly kind: ResourceKind;
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly at: number;
  readonly verdict: 'accepted' | 'rejected' | 'removed';
  readonly path?: string;
  readonly reason?: string;
}

export interface Change {
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

export interface HistoryDetail extends HistoryEntry {
  readonly changes?: readonly Change[];
  readonly resource?: JsonObject;
}

export interface StatSeriesAnswer {
  readonly times: readonly number[];
  readonly items: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** Envoy's /server_info, as far as it is used. */
export interface ServerInfo {
  readonly version: string;
  readonly state: 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING';
  readonly uptime_current_epoch: string;
  readonly node?: { readonly id?: string; readonly cluster?: string };
}

export interface Breaker {
  readonly priority: 'default' | 'high';
  readonly limit:
    | 'max_connections'
    | 'max_pending_requests'
    | 'max_requests'
    | 'max_retries'
    | 'max_connection_pools';
  readonly used: number;
  readonly max: number;
}

export interface ClusterRow {
  readonly name: string;
  readonly static: boolean;
  readonly type: string;
  readonly lb_policy: string;
  readonly hosts: number;
  readonly healthy: number;
  readonly degraded: number;
  readonly unhealthy: number;
  readonly active_connections: number;
  readonly active_requests: number;
  readonly pending_requests: number;
  readonly requests: number;
  readonly responses_4xx: number;
  readonly responses_5xx: number;
  readonly connect_failures: number;
  readonly timeouts: number;
  readonly retries: number;
  readonly overflows: number;
  readonly fullest: Breaker;
}

export interface ClusterNumbers extends ClusterRow {
  readonly breakers: readonly Breaker[];
}

export interface ListenerRow {
  readonly name: string;
  readonly static: boolean;
  readonly addresses: readonly string[];
  readonly direction: string;
  readonly filter_chains: number;
  readonly network_filters: readonly string[];
  readonly connections: number;
  readonly connections_total: number;
  readonly no_filter_chain_match: number;
  readonly updated_at: number;
}

export interface FilterTraffic {
  readonly kind: 'http' | 'tcp';
  readonly stat_prefix: string;
  readonly connections_total: number;
  readonly requests: number;
  readonly active_requests: number;
  readonly responses_4xx: number;
  readonly responses_5xx: number;
}

export interface ListenerNumbers extends ListenerRow {
  readonly traffic: readonly FilterTraffic[];
}

export interface HostRow {
  /** Its address. */
  readonly name: string;
  readonly cluster: string;
  readonly hostname?: string;
  readonly region?: string;
  readonly zone?: string;
  readonly sub_zone?: string;
  readonly priority: number;
  readonly weight: number;
  readonly health: 'healthy' | 'degraded' | 'unhealthy';
  readonly health_flags: readonly string[];
  readonly active_connections: number;
  readonly active_requests: number;
  readonly connections: number;
  readonly connect_failures: number;
  readonly requests: number;
  readonly successes: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly success_rate?: number;
  /** ms until the head of an answer, of the last ones; undefined before the first. */
  readonly latency_p50_ms?: number;
  readonly latency_p99_ms?: number;
}

/** A route of any configuration in force, those that are part of a listener too. */
export interface RouteRow {
  /** `route_config/virtual_host/index`, or with its `place` in the end. */
  readonly name: string;
  readonly route_config: string;
  /** '' unless it is part of one. */
  readonly listener: string;
  readonly virtual_host: string;
  readonly domains: readonly string[];
  readonly index: number;
  /** In the match tree of the virtual host; `index` is in its own list, then. */
  readonly place?: string;
  readonly route: string;
  readonly match: string;
  readonly action: string;
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  /** Requests that took it; of a running proxy. */
  readonly hits?: number;
  /** No request can reach it. */
  readonly shadowed_by?: Shadow;
  readonly partly_shadowed_by?: readonly Shadow[];
}

export interface Shadow {
  readonly index: number;
  readonly name: string;
  readonly reason: string;
}

export interface NearestMiss {
  readonly name: string;
  readonly what: string;
  readonly wanted: string;
  readonly got: string;
  readonly distance: number;
  readonly hint: string;
}

/** What POST /api/explain answers, as far as the routes look at it. */
export interface RouteExplanation {
  readonly outcome: string;
  readonly summary: string;
  readonly result: {
    readonly route_config?: string;
    readonly virtual_host?: string;
    readonly route?: string;
    readonly route_index?: number;
    readonly route_place?: string;
    readonly cluster?: string;
  };
  readonly nearest_miss?: NearestMiss;
}

export type StatKind = 'counter' | 'gauge' | 'histogram';

export interface StatRow {
  readonly name: string;
  readonly kind: StatKind;
  /** Of a histogram: how many samples. */
  readonly value: number;
  /** Of a histogram. */
  readonly unit?: string;
  /** Per second; absent until the proxy has looked twice. */
  readonly rate?: number;
  readonly used: boolean;
  readonly quantiles?: StatQuantiles;
}

export interface StatQuantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface Overview {
  /** ms since 1970. */
  readonly at: number;
  readonly state: ServerInfo['state'];
  readonly uptime_s: number;
  /** Per second; none in the first seconds of a proxy. */
  readonly rates: Partial<
    Record<
      | 'downstream_rq'
      | 'downstream_rq_4xx'
      | 'downstream_rq_5xx'
      | 'downstream_cx'
      | 'upstream_rq'
      | 'upstream_rq_retry'
      | 'upstream_rq_timeout'
      | 'upstream_cx_connect_fail',
      number
    >
  >;
  readonly active: Record<'downstream_cx' | 'downstream_rq' | 'upstream_cx' | 'upstream_rq', number>;
  /** ms; none without requests in the last interval. */
  readonly latency: { readonly p50?: number; readonly p99?: number };
  readonly hosts: {
    readonly total: number;
    readonly healthy: number;
    readonly degraded: number;
    readonly unhealthy: number;
    readonly items: readonly HostRow[];
  };
  readonly open_breakers: readonly (Pick<Breaker, 'priority' | 'limit'> & { readonly cluster: string })[];
  readonly rejected: { readonly total: number; readonly items: readonly ResourceSummary[] };
  readonly updates: readonly HistoryEntry[];
  readonly changing: readonly { readonly name: string; readonly rate: number }[];
}
