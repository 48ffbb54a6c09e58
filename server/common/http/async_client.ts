// A request of the proxy's own to a cluster, for those who only want to know how it ended.
// Follows Envoy's source/common/http/async_client_impl.cc.

import type { ResponseDecoder } from '../../api/http/codec.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import { DEFAULT_PRIORITY } from '../../api/upstream/cluster.ts';
import type { Cancellable, PoolCallbacks, PoolStream } from '../conn_pool/http_conn_pool.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { ipAddress } from '../network/address.ts';
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
  headers.set('x-envoy-internal', 'true');
  headers.set('x-forwarded-for', localIp);
  headers.set('x-envoy-expected-rq-timeout-ms', String(timeoutMs));
  const host = cluster.chooseHost(undefined) as Host | undefined;
  if (host === undefined) {
    cluster.chargeLocalResponse(503, headers);
    callbacks.onFailure();
    return;
  }
  const request = new AsyncRequest(cluster, headers, body, callbacks);
  const address = ipAddress(localIp, 0);
  const info = new StreamInfoRecord(
    new ConnectionInfoRecord(0, address, address, ''),
    Date.now(),
    monotonicNow(),
  );
  request.start(
    cluster.httpPool(host, DEFAULT_PRIORITY, info, headers).newStream(request, request),
    timeoutMs,
  );
}

class AsyncRequest implements ResponseDecoder, PoolCallbacks, TimerOwner {
  private readonly cluster: ThreadLocalCluster;
  private readonly headers: RequestHeaderMap;
  private readonly body: Uint8Array;
  private readonly callbacks: AsyncCallbacks;
  private readonly timer = new Timer(this);
  private pending: Cancellable | undefined = undefined;
  private stream: PoolStream | undefined = undefined;
  private status = 0;
  private done = false;

  constructor(
    cluster: ThreadLocalCluster,
    headers: RequestHeaderMap,
    body: Uint8Array,
    callbacks: AsyncCallbacks,
  ) {
    this.cluster = cluster;
    this.headers = headers;
    this.body = body;
    this.callbacks = callbacks;
  }

  start(pending: Cancellable | undefined, timeoutMs: number): void {
    this.pending = pending;
    if (!this.done && timeoutMs > 0) this.timer.enable(timeoutMs, monotonicNow());
  }

  onPoolReady(stream: PoolStream): void {
    this.pending = undefined;
    this.stream = stream;
    stream.encodeHeaders(this.headers, false);
    stream.encodeData(this.body, 0, this.body.length, true);
  }

  onPoolFailure(): void {
    this.fail(503);
  }

  onTimeout(): void {
    const { stream, pending } = this;
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
    if (this.finish()) this.callbacks.onSuccess(this.status);
  }

  private fail(status: number): void {
    if (!this.finish()) return;
    if (this.status === 0) this.cluster.chargeLocalResponse(status, this.headers);
    this.callbacks.onFailure();
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
