// The rows of /api/connections as they cross from the workers to main, and what main asks of them.

/** A connection from a client, at the moment of the question. */
export interface ConnectionRow {
  /** As %CONNECTION_ID%. */
  readonly id: number;
  readonly worker: number;
  readonly listener: string;
  readonly filter_chain: string;
  /** The peer's address. */
  readonly name: string;
  readonly local: string;
  readonly protocol: string;
  readonly tls: ConnectionTls | null;
  readonly age_ms: number;
  /** 0 while something happens. */
  readonly idle_ms: number;
  readonly bytes_received: number;
  readonly bytes_sent: number;
  readonly active_streams: number;
  readonly streams: number;
  /** Of TCP. */
  readonly cluster: string;
  readonly upstream: string;
  readonly draining: boolean;
}

export interface ConnectionTls {
  readonly version: string;
  readonly cipher: string;
  readonly sni: string;
  readonly alpn: string;
  readonly peer_subject: string;
  readonly peer_uris: readonly string[];
}

export const CONNECTION_SORTS = [
  'name',
  'age_ms',
  'idle_ms',
  'bytes_received',
  'bytes_sent',
  'active_streams',
] as const;
export type ConnectionSort = (typeof CONNECTION_SORTS)[number];

export interface ConnectionQuery {
  /** '' = any. */
  readonly listener: string;
  readonly protocol: string;
  /** Lower-case; part of peer, listener, chain, server name or cluster. */
  readonly search: string;
  readonly sort: ConnectionSort;
  readonly descending: boolean;
  /** Rows at most, the first in the order. */
  readonly limit: number;
}

export interface ConnectionPage {
  /** Of those that were asked for, also beyond `limit`. */
  readonly total: number;
  readonly rows: readonly ConnectionRow[];
}

/** How many connections each filter chain of a listener has, by the chain's key (FilterChainConfig). */
export type ChainConnections = ReadonlyMap<string, number>;

/** The order of two rows. */
export function compareRows(a: ConnectionRow, b: ConnectionRow, sort: ConnectionSort): number {
  const [x, y] = [a[sort], b[sort]];
  return x < y ? -1 : x > y ? 1 : a.id - b.id;
}
