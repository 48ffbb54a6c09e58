// A call of gRPC by the proxy itself in which messages go out one after the other, for as long as the server lets it.
// What the server says is not read. Follows Envoy's source/common/grpc/async_client_impl.cc (AsyncStreamImpl).

import type { ResponseDecoder } from '../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { PoolCallbacks, PoolStream } from '../conn_pool/http_conn_pool.ts';
import { poolFor } from '../http/async_client.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import { callHeaders, framed, type GrpcService } from './grpc_service.ts';

export class AsyncStream implements ResponseDecoder, PoolCallbacks, DownstreamWatermarkCallbacks {
  private readonly cluster: ThreadLocalCluster;
  private readonly headers: RequestHeaderMap;
  private stream: PoolStream | undefined = undefined;
  /** What waits for a connection. */
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private aboveWatermark = false;
  private status = 0;
  private over = false;

  /** The call, or undefined where there is nobody to call. Look at `isOver` before each message: it may have ended since. */
  static start(service: GrpcService, { clusterManager, server }: FactoryContext): AsyncStream | undefined {
    const cluster = clusterManager.getCluster(service.cluster) as ThreadLocalCluster | undefined;
    if (cluster === undefined) return undefined;
    const headers = callHeaders(service);
    for (const [name, value] of service.headers) headers.set(name, value);
    const pool = poolFor(cluster, headers, server.localIp);
    if (pool === undefined) return undefined;
    const stream = new AsyncStream(cluster, headers);
    pool.newStream(stream, stream);
    return stream.over ? undefined : stream;
  }

  private constructor(cluster: ThreadLocalCluster, headers: RequestHeaderMap) {
    this.cluster = cluster;
    this.headers = headers;
  }

  get isOver(): boolean {
    return this.over;
  }

  /** The server takes messages more slowly than they come: none should be sent. */
  get isAboveWriteBufferHighWatermark(): boolean {
    return this.aboveWatermark;
  }

  sendMessage(message: Uint8Array): void {
    const frame = framed(message);
    if (this.stream !== undefined) {
      this.stream.encodeData(frame, 0, frame.length, false);
      return;
    }
    this.waiting.push(frame);
    this.waitingBytes += frame.length;
    if (this.waitingBytes > this.cluster.perConnectionBufferLimitBytes) this.aboveWatermark = true;
  }

  // ---- pool ----------------------------------------------------------------------------------------------------------

  onPoolReady(stream: PoolStream): void {
    this.stream = stream;
    this.aboveWatermark = false;
    stream.setWatermarkCallbacks(this);
    stream.encodeHeaders(this.headers, false);
    const { waiting } = this;
    this.waiting = [];
    for (const frame of waiting) this.stream?.encodeData(frame, 0, frame.length, false);
  }

  onPoolFailure(): void {
    this.end();
  }

  onAboveWriteBufferHighWatermark(): void {
    this.aboveWatermark = true;
  }

  onBelowWriteBufferLowWatermark(): void {
    this.aboveWatermark = false;
  }

  // ---- response ------------------------------------------------------------------------------------------------------

  onInformationalHeaders(): void {
    // The answer is still to come.
  }

  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.status = headers.status;
    this.cluster.chargeLocalResponse(headers.status, this.headers);
    if (endStream || headers.status !== 200) this.giveUp();
  }

  onData(_bytes: Uint8Array, _start: number, _end: number, endStream: boolean): void {
    if (endStream) this.giveUp();
  }

  onResponseTrailers(): void {
    this.giveUp();
  }

  onResetStream(): void {
    this.end();
  }

  /** The server has ended its half, which ends the call. */
  private giveUp(): void {
    const { stream, over } = this;
    this.end();
    if (!over) stream?.resetStream('LocalReset');
  }

  private end(): void {
    if (this.over) return;
    this.over = true;
    if (this.status === 0) this.cluster.chargeLocalResponse(503, this.headers);
    this.stream = undefined;
    this.waiting = [];
  }
}
