// Connections to one host that speak HTTP/2: as many requests at a time on each as both ends allow, so that mostly one is
// enough. Follows Envoy's source/common/http/http2/conn_pool.cc and source/common/http/conn_pool_base.cc (MultiplexedActiveClientBase).

import type {
  BytesMeter,
  ClientConnectionCallbacks,
  CodecError,
  RequestEncoder,
  ResponseDecoder,
  StreamCallbacks,
  StreamResetReason,
} from '../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import type { ConnectionCallbacks } from '../../api/network/filter.ts';
import { Http2ClientConnection } from '../http/http2/client_connection.ts';
import type { ByteReader } from '../network/connection.ts';
import { NetworkFilterManager } from '../network/filter_manager.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import { ActiveClient } from './active_client.ts';
import { ConnPoolBase } from './conn_pool_base.ts';
import { connectToAny } from './connect_to_any.ts';
import type { PoolStream } from './http_conn_pool.ts';
import type { UpstreamConnection } from './upstream_connection.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

export class Http2ConnPool extends ConnPoolBase {
  protected override connect(): number {
    const { host, cluster } = this;
    const { values, base } = cluster.stats;
    values[base + STAT.upstream_cx_http2_total]++;
    if (host.otherIps.length > 0) {
      const most = cluster.features.maxRequestsPerConnection || Number.MAX_SAFE_INTEGER;
      const capacity = Math.min(cluster.http2Settings.maxConcurrentStreams, most);
      return connectToAny(this, capacity, (upstream) => new Http2ActiveClient(this, upstream));
    }
    return new Http2ActiveClient(this, undefined).capacity;
  }
}

export class Http2ActiveClient
  extends ActiveClient
  implements ClientConnectionCallbacks, ConnectionCallbacks, ByteReader
{
  override readonly protocol = 'HTTP/2';
  /** From the moment the connection is there. */
  private codec: Http2ClientConnection | undefined = undefined;
  private readonly streams: Http2PoolStream[] = [];
  private protocolError = false;
  private aboveHighWatermark = false;

  /** Connects, or takes `upstream`, which is connected. */
  constructor(pool: ConnPoolBase, upstream: UpstreamConnection | undefined) {
    const { cluster } = pool;
    super(pool, cluster.http2Settings.maxConcurrentStreams, upstream);
    const { connection } = this.upstream;
    connection.reader = this;
    connection.addConnectionCallbacks(this);
    if (cluster.config.filters.length > 0)
      NetworkFilterManager.install(connection, cluster.config.filters, this);
  }

  /** None once the codec has failed: the stream that made it fail ends before the connection does, and another may wait for its place. */
  override get room(): number {
    return this.codec?.acceptsStreams === false ? 0 : super.room;
  }

  // ---- connection ----------------------------------------------------------------------------------------------------

  override onConnected(): void {
    super.onConnected();
    const { cluster } = this.pool;
    this.codec = new Http2ClientConnection(
      this.upstream.connection,
      this,
      cluster.http2Settings,
      cluster.http2Stats,
    );
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.codec!.dispatch(bytes, start, end);
  }

  onEvent(): void {
    // The upstream connection tells of its end.
  }

  onAboveWriteBufferHighWatermark(): void {
    this.aboveHighWatermark = true;
    for (const stream of this.streams) stream.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    this.aboveHighWatermark = false;
    for (const stream of this.streams) stream.onBelowWriteBufferLowWatermark();
  }

  protected override endStreams(): void {
    if (this.activeStreams > 0 && !this.protocolError) this.countDestroyWithActiveRequest();
    const reason = this.protocolError ? 'ProtocolError' : 'ConnectionTermination';
    this.codec?.onConnectionClosed(reason, this.upstream.connection.transportFailureReason);
  }

  onCodecError(error: CodecError): void {
    this.protocolError = true;
    if (error.flood !== true) {
      const { values, base } = this.pool.cluster.stats;
      values[base + STAT.upstream_cx_protocol_error]++;
    }
    // The peer is to know why, if it can be told at once.
    this.upstream.connection.flush();
    this.close();
  }

  onGoAway(): void {
    const { values, base } = this.pool.cluster.stats;
    values[base + STAT.upstream_cx_close_notify]++;
    this.draining = true;
    this.pool.onRoomChanged(this);
  }

  onMaxStreamsChanged(streams: number): void {
    this.concurrentStreamLimit = streams;
    this.pool.onRoomChanged(this);
  }

  closeConnection(): void {
    this.close();
  }

  // ---- streams -------------------------------------------------------------------------------------------------------

  override newStream(decoder: ResponseDecoder): PoolStream {
    const codec = this.codec!;
    const stream = new Http2PoolStream(this, decoder, this.streams.length);
    stream.encoder = codec.newStream(stream);
    stream.encoder.setStreamCallbacks!(stream);
    this.streams.push(stream);
    if (this.aboveHighWatermark) stream.onAboveWriteBufferHighWatermark();
    this.beginStream();
    if (!codec.acceptsStreams) this.draining = true;
    return stream;
  }

  /** The last one takes its place. */
  remove(stream: Http2PoolStream): void {
    const { streams } = this;
    const last = streams.pop()!;
    if (last !== stream) {
      streams[stream.position] = last;
      last.position = stream.position;
    }
    this.endStream();
  }

  countReset(reason: StreamResetReason): void {
    const { values, base } = this.pool.cluster.stats;
    switch (reason) {
      case 'LocalReset':
      case 'ProtocolError':
      case 'OverloadManager':
        values[base + STAT.upstream_rq_tx_reset]++;
        return;
      case 'RemoteReset':
        values[base + STAT.upstream_rq_rx_reset]++;
        return;
      case 'ConnectionTermination':
      case 'LocalConnectionFailure':
      case 'RemoteConnectionFailure':
      case 'ConnectionTimeout':
        values[base + STAT.upstream_rq_pending_failure_eject]++;
        return;
      default:
        return;
    }
  }
}

/** A request on a connection, between codec and router: it sees both ends of the message. */
class Http2PoolStream implements PoolStream, ResponseDecoder, StreamCallbacks {
  /** In the list of its connection. */
  position: number;
  encoder!: RequestEncoder;
  private readonly client: Http2ActiveClient;
  private readonly decoder: ResponseDecoder;
  private watermark: DownstreamWatermarkCallbacks | undefined = undefined;
  /** Who is above: the stream's own window, and the connection. */
  private highWatermarks = 0;
  private requestComplete = false;
  private responseComplete = false;
  private halfClose = false;
  private ended = false;

  constructor(client: Http2ActiveClient, decoder: ResponseDecoder, position: number) {
    this.client = client;
    this.decoder = decoder;
    this.position = position;
  }

  get bytesMeter(): BytesMeter | undefined {
    return this.encoder.bytesMeter;
  }

  setWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.watermark = callbacks;
    if (this.highWatermarks > 0) callbacks.onAboveWriteBufferHighWatermark();
  }

  enableTcpTunneling(): void {
    this.halfClose = true;
  }

  onAboveWriteBufferHighWatermark(): void {
    if (++this.highWatermarks === 1) this.watermark?.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    if (--this.highWatermarks === 0) this.watermark?.onBelowWriteBufferLowWatermark();
  }

  // ---- request -------------------------------------------------------------------------------------------------------

  encodeHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    if (this.ended) return;
    this.requestComplete = endStream;
    this.encoder.encodeHeaders(headers, endStream);
  }

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.ended) return;
    this.requestComplete = endStream;
    this.encoder.encodeData(bytes, start, end, endStream);
    if (endStream && this.responseComplete) this.end();
  }

  encodeTrailers(trailers: TrailerMap): void {
    if (this.ended) return;
    this.requestComplete = true;
    this.encoder.encodeTrailers(trailers);
  }

  resetStream(reason: StreamResetReason): void {
    if (this.ended) return;
    this.client.countReset(reason);
    this.encoder.resetStream(reason);
    this.end();
  }

  readDisable(disable: boolean): void {
    if (!this.ended) this.encoder.readDisable(disable);
  }

  // ---- response ------------------------------------------------------------------------------------------------------

  onInformationalHeaders(headers: ResponseHeaderMap): void {
    this.decoder.onInformationalHeaders(headers);
  }

  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    this.decoder.onResponseHeaders(headers, endStream);
    if (endStream) this.finishResponse();
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.decoder.onData(bytes, start, end, endStream);
    if (endStream) this.finishResponse();
  }

  onResponseTrailers(trailers: TrailerMap): void {
    this.decoder.onResponseTrailers(trailers);
    this.finishResponse();
  }

  onResetStream(reason: StreamResetReason, details: string): void {
    if (this.ended) return;
    this.client.countReset(reason);
    this.end();
    // What the codec has to say of a stream is not about the connection.
    this.decoder.onResetStream(reason, reason === 'ConnectionTermination' ? details : '');
  }

  private finishResponse(): void {
    if (this.ended) return;
    this.responseComplete = true;
    // Nobody is interested in the rest of a request that is answered.
    if (this.requestComplete) this.end();
    else if (!this.halfClose) this.resetStream('LocalReset');
  }

  private end(): void {
    this.ended = true;
    this.watermark = undefined;
    this.client.remove(this);
  }
}
