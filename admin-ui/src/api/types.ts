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
