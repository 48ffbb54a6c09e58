// Connections to one host that speak HTTP/1.1: one request at a time on each, idle ones used again.
// Follows Envoy's source/common/http/http1/conn_pool.cc.

import type {
  ClientConnection,
  ClientConnectionCallbacks,
  CodecError,
  RequestEncoder,
  ResponseDecoder,
  StreamResetReason,
} from '../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import { Http1ClientConnection } from '../http/http1/client_connection.ts';
import type { ByteReader } from '../network/connection.ts';
import { NetworkFilterManager } from '../network/filter_manager.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import { ActiveClient } from './active_client.ts';
import { ConnPoolBase } from './conn_pool_base.ts';
import { connectToAny } from './connect_to_any.ts';
import type { PoolStream } from './http_conn_pool.ts';
import type { UpstreamConnection } from './upstream_connection.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

export class Http1ConnPool extends ConnPoolBase {
  protected override connect(): number {
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_cx_http1_total]++;
    if (this.host.otherIps.length > 0)
      return connectToAny(this, 1, (upstream) => new Http1ActiveClient(this, upstream));
    return new Http1ActiveClient(this, undefined).capacity;
  }
}

/** One connection and the request on it. It stands between codec and router to see both ends of the message. */
export class Http1ActiveClient
  extends ActiveClient
  implements ClientConnectionCallbacks, ResponseDecoder, PoolStream
{
  private readonly codec: Http1ClientConnection;
  private decoder: ResponseDecoder | undefined = undefined;
  private encoder: RequestEncoder | undefined = undefined;
  private requestComplete = false;
  private readDisables = 0;
  private watermark: DownstreamWatermarkCallbacks | undefined = undefined;

  /** Connects, or takes `upstream`, which is connected. */
  constructor(pool: ConnPoolBase, upstream: UpstreamConnection | undefined) {
    super(pool, 1, upstream);
    const { cluster } = pool;
    const { connection } = this.upstream;
    this.codec = new Http1ClientConnection(connection, this, cluster.http1Settings, cluster.http1Stats);
    const reader = new CodecReader(this.codec);
    connection.reader = reader;
    connection.addConnectionCallbacks({
      onEvent: () => {},
      onAboveWriteBufferHighWatermark: () => this.watermark?.onAboveWriteBufferHighWatermark(),
      onBelowWriteBufferLowWatermark: () => this.watermark?.onBelowWriteBufferLowWatermark(),
    });
    if (cluster.config.filters.length > 0)
      NetworkFilterManager.install(connection, cluster.config.filters, reader);
  }

  override get protocol(): 'HTTP/1.0' | 'HTTP/1.1' {
    return this.codec.protocol;
  }

  setWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.watermark = callbacks;
  }

  // ---- connection ----------------------------------------------------------------------------------------------------

  protected override endStreams(): void {
    // A response without a length ends with the connection: the codec knows whether this is such an end.
    if (this.decoder !== undefined && this.closedBy === 'RemoteClose') this.codec.onHalfClose();
    this.fail('ConnectionTermination', this.upstream.connection.transportFailureReason);
  }

  // ---- request: from the router to the codec -----------------------------------------------------------------------------

  override newStream(decoder: ResponseDecoder): PoolStream {
    this.decoder = decoder;
    this.requestComplete = false;
    this.encoder = this.codec.newStream(this);
    this.beginStream();
    return this;
  }

  encodeHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    this.requestComplete = endStream;
    this.encoder!.encodeHeaders(headers, endStream);
  }

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (endStream) this.requestComplete = true;
    this.encoder?.encodeData(bytes, start, end, endStream);
  }

  encodeTrailers(trailers: TrailerMap): void {
    this.requestComplete = true;
    this.encoder?.encodeTrailers(trailers);
  }

  resetStream(_reason: StreamResetReason): void {
    if (this.decoder === undefined) return;
    this.countDestroyWithActiveRequest();
    this.draining = true;
    this.detach();
  }

  readDisable(disable: boolean): void {
    this.readDisables += disable ? 1 : -1;
    this.upstream.connection.readDisable(disable);
  }

  // ---- response: from the codec to the router ----------------------------------------------------------------------------

  onInformationalHeaders(headers: ResponseHeaderMap): void {
    this.decoder?.onInformationalHeaders(headers);
  }

  onResponseHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    if (this.codec.closeNotified) {
      const { values, base } = this.pool.cluster.stats;
      values[base + STAT.upstream_cx_close_notify]++;
    }
    this.decoder?.onResponseHeaders(headers, endStream);
    if (endStream) this.finishResponse();
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.decoder?.onData(bytes, start, end, endStream);
    if (endStream) this.finishResponse();
  }

  onResponseTrailers(trailers: TrailerMap): void {
    this.decoder?.onResponseTrailers(trailers);
    this.finishResponse();
  }

  onResetStream(reason: StreamResetReason, details: string): void {
    this.fail(reason, details);
  }

  onCodecError(_error: CodecError): void {
    const { values, base } = this.pool.cluster.stats;
    values[base + STAT.upstream_cx_protocol_error]++;
    this.fail('ProtocolError', '');
    this.close();
  }

  onGoAway(): void {
    // HTTP/1 has none.
  }
  onMaxStreamsChanged(): void {
    // HTTP/1 has one stream, always.
  }

  closeConnection(): void {
    this.close();
  }

  private fail(reason: StreamResetReason, details: string): void {
    const decoder = this.decoder;
    if (decoder === undefined) return;
    this.countDestroyWithActiveRequest();
    this.draining = true;
    this.detach();
    decoder.onResetStream(reason, details);
  }

  private finishResponse(): void {
    if (this.decoder === undefined) return;
    const early = !this.requestComplete;
    if (early) this.countDestroyWithActiveRequest();
    // A request still being sent when its answer is complete leaves the connection in the middle of a message.
    if (early || !this.codec.reusable || this.upstream.connection.state !== 'open') this.draining = true;
    this.detach();
  }

  /** The pool may begin the next request within the call. */
  private detach(): void {
    this.decoder = undefined;
    this.encoder = undefined;
    this.watermark = undefined;
    for (; this.readDisables > 0; this.readDisables--) this.upstream.connection.readDisable(false);
    this.endStream();
  }
}

/** Feeds what a connection reads to its codec. */
class CodecReader implements ByteReader {
  private readonly codec: ClientConnection;

  constructor(codec: ClientConnection) {
    this.codec = codec;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.codec.dispatch(bytes, start, end);
  }
}
