// A request of the proxy's own to a cluster: for those who want to know how it ended, and for those who do not (mirroring).
// Follows Envoy's source/common/http/async_client_impl.cc.

import type { ResponseDecoder } from '../../api/http/codec.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import { DEFAULT_PRIORITY } from '../../api/upstream/cluster.ts';
import type { Cancellable, HttpConnPool, PoolCallbacks, PoolStream } from '../conn_pool/http_conn_pool.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { ipAddress } from '../network/address.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../stream_info/stream_info.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';

/** Exactly one is called, once. */
export interface AsyncCallbacks {
  onSuccess(status: number): void;
  /** There was no host or no connection, it was reset, or the time was up. */
  onFailure(): void;
}

/** Sends `body` with `headers` to a host of `cluster`; the body of the answer is thrown away. */
export function sendRequest(
  cluster: ThreadLocalCluster,
  headers: RequestHeaderMap,
  body: Uint8Array,
  timeoutMs: number,
  localIp: string,
  callbacks: AsyncCallbacks,
): void {
  if (timeoutMs > 0) headers.set('x-envoy-expected-rq-timeout-ms', String(timeoutMs));
  const pool = poolFor(cluster, headers, localIp);
  if (pool === undefined) callbacks.onFailure();
  else new ReportedRequest(cluster, headers, body, callbacks).start(pool, timeoutMs);
}

/** Where a request of the proxy's own goes, whose headers say that it is one; undefined where it can go nowhere. */
export function poolFor(
  cluster: ThreadLocalCluster,
  headers: RequestHeaderMap,
  localIp: string,
): HttpConnPool | undefined {
  headers.set('x-envoy-internal', 'true');
  headers.set('x-forwarded-for', localIp);
  const host = cluster.chooseHost(undefined) as Host | undefined;
  const address = ipAddress(localIp, 0);
  const info = new StreamInfoRecord(
    new ConnectionInfoRecord(0, address, address, ''),
    Date.now(),
    monotonicNow(),
  );
  const pool = host && cluster.httpPool(host, DEFAULT_PRIORITY, info, headers);
  if (pool === undefined) cluster.chargeLocalResponse(503, headers);
  return pool;
}

/** A request that is on its way by itself. Nobody hears how it ended, unless a class built on it does. */
export class AsyncRequest implements ResponseDecoder, PoolCallbacks, TimerOwner {
  protected readonly cluster: ThreadLocalCluster;
  protected readonly headers: RequestHeaderMap;
  private readonly body: Uint8Array | undefined;
  private readonly trailers: TrailerMap | undefined;
  private readonly timer = new Timer(this);
  private pending: Cancellable | undefined = undefined;
  private stream: PoolStream | undefined = undefined;
  private status = 0;
  private done = false;

  constructor(
    cluster: ThreadLocalCluster,
    headers: RequestHeaderMap,
    body: Uint8Array | undefined,
    trailers: TrailerMap | undefined,
  ) {
    this.cluster = cluster;
    this.headers = headers;
    this.body = body;
    this.trailers = trailers;
  }

  /** The answer has come in full. */
  protected onSuccess(_status: number): void {}
  /** There was no connection, it was reset, or the time was up. */
  protected onFailure(): void {}

  /** `timeoutMs` is for the request and its answer; 0 = none. */
  start(pool: HttpConnPool, timeoutMs: number): void {
    this.pending = pool.newStream(this, this);
    if (!this.done && timeoutMs > 0) this.timer.enable(timeoutMs, monotonicNow());
  }

  onPoolReady(stream: PoolStream): void {
    this.pending = undefined;
    this.stream = stream;
    const { body, trailers } = this;
    stream.encodeHeaders(this.headers, body === undefined && trailers === undefined);
    if (body !== undefined) stream.encodeData(body, 0, body.length, trailers === undefined);
    if (trailers !== undefined) stream.encodeTrailers(trailers);
  }

  onPoolFailure(): void {
    this.fail(503);
  }

  onTimeout(): void {
    const { stream, pending } = this;
    const { values, base } = this.cluster.stats;
    values[base + CLUSTER_TRAFFIC_STATS.offset.upstream_rq_timeout]++;
    this.fail(504);
    pending?.cancel();
    stream?.resetStream('LocalReset');
  }

  onInformationalHeaders(): void {
    // The answer is still to come.
  }

  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.status = headers.status;
    this.cluster.chargeLocalResponse(headers.status, this.headers);
    if (endStream) this.succeed();
  }

  onData(_bytes: Uint8Array, _start: number, _end: number, endStream: boolean): void {
    if (endStream) this.succeed();
  }

  onResponseTrailers(): void {
    this.succeed();
  }

  onResetStream(): void {
    this.fail(503);
  }

  private succeed(): void {
    if (this.finish()) this.onSuccess(this.status);
  }

  /** `status` stands for what went wrong: 503, or 504 when the time was up. It counts where no other has come. */
  private fail(status: number): void {
    if (!this.finish()) return;
    if (this.status === 0) this.cluster.chargeLocalResponse(status, this.headers);
    this.onFailure();
  }

  /** False when it had ended before. */
  private finish(): boolean {
    if (this.done) return false;
    this.done = true;
    this.pending = undefined;
    this.stream = undefined;
    this.timer.disable();
    return true;
  }
}

/** Tells how it ended. */
class ReportedRequest extends AsyncRequest {
  private readonly callbacks: AsyncCallbacks;

  constructor(
    cluster: ThreadLocalCluster,
    headers: RequestHeaderMap,
    body: Uint8Array,
    callbacks: AsyncCallbacks,
  ) {
    super(cluster, headers, body, undefined);
    this.callbacks = callbacks;
  }

  protected override onSuccess(status: number): void {
    this.callbacks.onSuccess(status);
  }

  protected override onFailure(): void {
    this.callbacks.onFailure();
  }
}
