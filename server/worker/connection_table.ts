// What this worker's connections look like to a person, asked for now and then. Loaded with the first question; the
// connections themselves know nothing of it, so that nothing is written down while they work.

import { monotonicNow } from '../common/event/dispatcher.ts';
import {
  type ChainConnections,
  type ConnectionPage,
  type ConnectionQuery,
  type ConnectionRow,
  compareRows,
} from '../common/network/connection_table.ts';
import type { ActiveConnection } from './active_connection.ts';
import type { ActiveListener } from './active_listener.ts';

/** Users are served between so many connections. */
const PER_TURN = 500;

export async function connectionPage(
  listeners: Iterable<ActiveListener>,
  query: ConnectionQuery,
): Promise<ConnectionPage> {
  const { sort, descending, limit } = query;
  let rows: ConnectionRow[] = [];
  let total = 0;
  let seen = 0;
  const order = (a: ConnectionRow, b: ConnectionRow): number =>
    descending ? compareRows(b, a, sort) : compareRows(a, b, sort);
  for (const listener of [...listeners]) {
    if (query.listener !== '' && listener.config.name !== query.listener) continue;
    for (const connection of [...listener.allConnections()]) {
      if (++seen % PER_TURN === 0) await new Promise(setImmediate);
      const row = rowOf(connection, listener);
      if (!matches(row, query)) continue;
      total++;
      rows.push(row);
      // Never many more than are wanted.
      if (rows.length > 2 * limit + PER_TURN) rows = rows.sort(order).slice(0, limit);
    }
  }
  return { total, rows: rows.sort(order).slice(0, limit) };
}

export function chainConnections(listeners: Iterable<ActiveListener>, name: string): ChainConnections {
  const counts = new Map<string, number>();
  for (const listener of listeners) {
    if (listener.config.name !== name) continue;
    for (const { chain } of listener.allConnections()) {
      if (listener.config.filterChains.includes(chain))
        counts.set(chain.key, (counts.get(chain.key) ?? 0) + 1);
    }
    // Of the same name, but draining already.
    break;
  }
  return counts;
}

/** False when there is no such connection any more. */
export function drainConnection(listeners: Iterable<ActiveListener>, id: number): boolean {
  for (const listener of listeners) {
    for (const connection of listener.allConnections()) {
      if (connection.info.id !== id) continue;
      connection.drain();
      return true;
    }
  }
  return false;
}

function matches(
  { protocol, name, listener, filter_chain, cluster, tls }: ConnectionRow,
  query: ConnectionQuery,
): boolean {
  if (query.protocol !== '' && protocol !== query.protocol) return false;
  if (query.search === '') return true;
  const text = [name, listener, filter_chain, cluster, tls?.sni ?? ''].join(' ');
  return text.toLowerCase().includes(query.search);
}

function rowOf(
  { info, chain, connection, terminal }: ActiveConnection,
  listener: ActiveListener,
): ConnectionRow {
  const now = monotonicNow();
  const facts = terminal?.facts?.();
  const { streamInfo } = info;
  const { ssl } = info;
  return {
    id: info.id,
    worker: listener.workerIndex,
    listener: info.listenerName,
    filter_chain: info.filterChainName,
    name: info.remoteAddress.text,
    local: info.localAddress.text,
    protocol: facts?.protocol ?? (connection === undefined ? '' : 'TCP'),
    tls:
      ssl === undefined
        ? null
        : {
            version: ssl.tlsVersion,
            cipher: ssl.cipher,
            sni: ssl.sni,
            alpn: ssl.alpn,
            peer_subject: ssl.subjectPeer,
            peer_uris: ssl.uriSanPeer,
          },
    age_ms: Math.round(now - info.startTimeMonotonic),
    idle_ms: Math.max(0, Math.round(now - (facts?.idleSince ?? now))),
    bytes_received: connection?.bytesReceived ?? 0,
    bytes_sent: connection?.wireBytesSent ?? 0,
    active_streams: facts?.activeStreams ?? 0,
    streams: facts?.streams ?? 0,
    cluster: streamInfo.upstreamClusterName,
    upstream: streamInfo.upstreamHost?.address.text ?? '',
    draining: facts?.draining === true || chain.drain.draining,
  };
}
