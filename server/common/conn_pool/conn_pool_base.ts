// What pools of HTTP connections have in common, whatever protocol they speak: who waits, which connections have room for
// one more stream, when another connection is made, and the accounting of it all.
// Follows Envoy's source/common/conn_pool/conn_pool_base.cc (ConnPoolImplBase).

import type { ResponseDecoder } from '../../api/http/codec.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import type { ActiveClient } from './active_client.ts';
import { removeConnPool } from './conn_pool_map.ts';
import type {
  Cancellable,
  HttpConnPool,
  PoolCallbacks,
  PoolFailureReason,
  PoolOptions,
} from './http_conn_pool.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;
/** Connections that one event begins at most where more than needed are to be ready. Source: Envoy's tryCreateNewConnections. */
const MAX_CONNECTIONS_PER_EVENT = 3;

class PendingStream implements Cancellable {
  readonly decoder: ResponseDecoder;
  readonly callbacks: PoolCallbacks;
  private readonly pool: ConnPoolBase;

  constructor(pool: ConnPoolBase, decoder: ResponseDecoder, callbacks: PoolCallbacks) {
    this.pool = pool;
    this.decoder = decoder;
    this.callbacks = callbacks;
  }

  cancel(): void {
    this.pool.cancel(this);
  }
}

export abstract class ConnPoolBase implements HttpConnPool {
  readonly cluster: ThreadLocalCluster;
  host: Host;
  readonly options: PoolOptions;
  draining = false;
  /** Its host has forgotten it. */
  private removed = false;
  /** Connections with room, the newest last: its congestion window is warm. */
  private readonly ready: ActiveClient[] = [];
  private pending: PendingStream[] = [];
  /** Connections that are being made or are there. */
  private clients = 0;
  /** Streams that the connections being made will have room for. */
  private connectingCapacity = 0;
  private activeStreams = 0;

  constructor(cluster: ThreadLocalCluster, host: Host, options: PoolOptions) {
    this.cluster = cluster;
    this.host = host;
    this.options = options;
  }

  /** Is somebody served, or waiting? Connections alone do not count. Envoy: hasActiveConnections. */
  get hasActiveStreams(): boolean {
    return this.activeStreams > 0 || this.pending.length > 0;
  }

  /** Begins to connect. `onConnected` or `onConnectFailed` follows. Returns how many streams the connection will have room for. */
  protected abstract connect(): number;

  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | undefined {
    const { ready, cluster } = this;
    const { preconnects } = cluster;
    if (preconnects) cluster.predictivePreconnect?.onNewStream(this);
    if (ready.length !== 0) {
      this.attach(ready[ready.length - 1], decoder, callbacks);
      if (preconnects) this.connectIfNeeded();
      return undefined;
    }
    const { values, base } = cluster.stats;
    const resources = cluster.resourceManager(this.options.priority);
    if (!resources.tryAcquirePendingRequest()) {
      values[base + STAT.upstream_rq_pending_overflow]++;
      callbacks.onPoolFailure('Overflow', '', undefined);
      this.checkEmpty();
      return undefined;
    }
    values[base + STAT.upstream_rq_pending_total]++;
    values[base + STAT.upstream_rq_pending_active]++;
    const stream = new PendingStream(this, decoder, callbacks);
    this.pending.push(stream);
    this.connectIfNeeded();
    return stream;
  }

  /** Connects while fewer streams have a place than are there or expected, as far as the breaker allows; the first always. */
  private connectIfNeeded(): void {
    for (let i = 0; i < MAX_CONNECTIONS_PER_EVENT && this.shouldConnect(); i++)
      if (!this.tryConnect()) return;
  }

  private tryConnect(): boolean {
    const resources = this.cluster.resourceManager(this.options.priority);
    if (!resources.tryAcquireConnectionTo(this.host)) {
      const { values, base } = this.cluster.stats;
      values[base + STAT.upstream_cx_overflow]++;
      if (this.clients > 0) return false;
      resources.acquireConnection();
    }
    this.clients++;
    this.connectingCapacity += this.connect();
    return true;
  }

  private shouldConnect(): boolean {
    const { preconnectRatio } = this.cluster;
    const waiting = this.pending.length;
    if (preconnectRatio <= 1 || this.host.health !== 'healthy') return waiting > this.connectingCapacity;
    const { activeStreams } = this;
    return !this.draining && (waiting + activeStreams) * preconnectRatio > this.room + activeStreams;
  }

  /** Streams that connections have room for, and those that are being made will have. */
  get room(): number {
    let room = this.connectingCapacity;
    for (const client of this.ready) room += client.room;
    return room;
  }

  /** Connects for a stream that is expected here, unless there is room for it. True: it does. */
  preconnect(ratio: number): boolean {
    const waiting = this.pending.length;
    if (this.host.health !== 'healthy') return waiting > this.connectingCapacity && this.tryConnect();
    const { activeStreams } = this;
    return (waiting + activeStreams + 1) * ratio > this.room + activeStreams && this.tryConnect();
  }

  cancel(stream: PendingStream): void {
    const at = this.pending.indexOf(stream);
    if (at < 0) return;
    this.pending.splice(at, 1);
    this.releasePending();
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_cancelled]++;
    // The last one who waited: a replaced pool has no use for its connections any more.
    if (this.draining && this.pending.length === 0) this.drain();
  }

  private releasePending(): void {
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_pending_active]--;
    this.cluster.resourceManager(this.options.priority).releasePendingRequest();
  }

  private attach(client: ActiveClient, decoder: ResponseDecoder, callbacks: PoolCallbacks): void {
    const { values, base } = this.cluster.stats;
    if (!this.cluster.resourceManager(this.options.priority).tryAcquireRequest()) {
      values[base + STAT.upstream_rq_active_overflow]++;
      callbacks.onPoolFailure('Overflow', '', this.host);
      return;
    }
    values[base + STAT.upstream_rq_total]++;
    values[base + STAT.upstream_rq_active]++;
    this.activeStreams++;
    this.host.add(HostSlot.RequestTotal, 1);
    this.host.add(HostSlot.ActiveRequests, 1);
    const stream = client.newStream(decoder);
    if (client.room <= 0) this.removeReady(client);
    callbacks.onPoolReady(stream, client.upstream, client.protocol);
  }

  /** A stream of `client` is over, one way or another. */
  onStreamEnded(client: ActiveClient): void {
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_rq_active]--;
    this.activeStreams--;
    this.host.add(HostSlot.ActiveRequests, -1);
    this.cluster.resourceManager(this.options.priority).releaseRequest();
    this.onRoomChanged(client);
  }

  /** A connection may have more room than before, or none any more. */
  onRoomChanged(client: ActiveClient): void {
    if (client.room <= 0) {
      if (client.ready) this.removeReady(client);
      if (client.activeStreams > 0) return;
      // A peer may allow no streams at all: nobody would miss such a connection.
      if (client.draining) client.close();
      else client.waitIdle();
      return;
    }
    if (!client.ready) {
      client.ready = true;
      this.ready.push(client);
    }
    this.servePending();
    if (client.activeStreams > 0 || !client.ready) return;
    if (this.draining) client.close();
    else client.waitIdle();
  }

  /** Those who have waited longest come first. */
  private servePending(): void {
    const { ready } = this;
    while (this.pending.length > 0 && ready.length > 0) {
      const stream = this.pending.shift()!;
      this.releasePending();
      this.attach(ready[ready.length - 1], stream.decoder, stream.callbacks);
    }
  }

  private removeReady(client: ActiveClient): void {
    const { ready } = this;
    client.ready = false;
    if (ready[ready.length - 1] === client) ready.pop();
    else ready.splice(ready.indexOf(client), 1);
  }

  /** `capacity` is what `connect` returned. */
  onConnected(client: ActiveClient, capacity: number): void {
    this.connectingCapacity -= capacity;
    this.onRoomChanged(client);
    // It may speak a protocol with less room than was hoped for.
    if (this.pending.length > 0) this.connectIfNeeded();
  }

  /** `capacity` is what `connect` returned. */
  onConnectFailed(capacity: number, reason: PoolFailureReason, transportFailure: string): void {
    this.connectingCapacity -= capacity;
    this.clients--;
    // Everyone who waits has seen this host fail; a retry may choose another one.
    const waiting = this.pending;
    this.pending = [];
    const { values, base } = this.cluster.stats;
    for (const stream of waiting) {
      this.releasePending();
      values[base + STAT.upstream_rq_pending_failure_eject]++;
      stream.callbacks.onPoolFailure(reason, transportFailure, this.host);
    }
    this.connectIfNeeded();
    this.checkEmpty();
  }

  onClosed(client: ActiveClient): void {
    this.clients--;
    if (client.ready) this.removeReady(client);
    this.connectIfNeeded();
    this.checkEmpty();
  }

  private checkEmpty(): void {
    if (this.clients === 0 && this.pending.length === 0) this.remove();
  }

  private remove(): void {
    if (this.removed) return;
    this.removed = true;
    removeConnPool(this);
  }

  /** Makes room for another pool, at once. Only while there are no active streams. */
  discard(): void {
    this.remove();
    this.drain();
  }

  drain(): void {
    this.draining = true;
    if (this.pending.length > 0) return;
    for (const client of [...this.ready]) if (client.activeStreams === 0) client.close();
    this.checkEmpty();
  }
}
