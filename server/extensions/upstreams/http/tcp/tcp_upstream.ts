// CONNECT termination: the body of a request goes to the upstream as the bytes of a TCP connection, and what that sends is
// the body of the response. Envoy: source/extensions/upstreams/http/tcp/upstream_request.cc; docs: RouteAction.UpgradeConfig.connect_config.

import type { ResponseDecoder } from '../../../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { ConnectionCallbacks } from '../../../../api/network/filter.ts';
import type {
  DownstreamAddresses,
  UpstreamTransportSocketOptions,
} from '../../../../api/network/transport_socket.ts';
import type { ConnectConfig } from '../../../../api/router.ts';
import { DEFAULT_PRIORITY } from '../../../../api/upstream/cluster.ts';
import { copyBytes } from '../../../../common/buffer/copy_bytes.ts';
import type {
  Cancellable,
  GenericConnPool,
  PoolCallbacks,
  PoolFailureReason,
  PoolStream,
} from '../../../../common/conn_pool/http_conn_pool.ts';
import { TcpActiveClient, type TcpPoolCallbacks } from '../../../../common/conn_pool/tcp_conn_pool.ts';
import { ResponseHeaders } from '../../../../common/http/header_map.ts';
import type { SocketConnection } from '../../../../common/network/connection.ts';
import { CLUSTER_TRAFFIC_STATS } from '../../../../common/stats/families/cluster.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import { v1Header, v2Header } from '../../../transport_sockets/proxy_protocol/proxy_protocol_header.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

/** Makes a TCP connection for each request. */
export class TcpConnPool implements GenericConnPool {
  private readonly cluster: ThreadLocalCluster;
  private readonly host: Host;
  private readonly options: UpstreamTransportSocketOptions | undefined;
  private readonly config: ConnectConfig;
  private readonly addresses: DownstreamAddresses;

  constructor(
    cluster: ThreadLocalCluster,
    host: Host,
    options: UpstreamTransportSocketOptions | undefined,
    config: ConnectConfig,
    addresses: DownstreamAddresses,
  ) {
    this.cluster = cluster;
    this.host = host;
    this.options = options;
    this.config = config;
    this.addresses = addresses;
  }

  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | undefined {
    const { cluster, host } = this;
    if (!cluster.resourceManager(DEFAULT_PRIORITY).tryAcquireConnection()) {
      const { values, base } = cluster.stats;
      values[base + STAT.upstream_cx_overflow]++;
      callbacks.onPoolFailure('Overflow', '', host);
      return undefined;
    }
    const stream = new TcpUpstream(host, decoder, callbacks, this.preface());
    return TcpActiveClient.connect(cluster, host, this.options, stream);
  }

  /** What the upstream is told of the client before anything else. */
  private preface(): Uint8Array | undefined {
    if (this.config.proxyProtocol === undefined) return undefined;
    return this.config.proxyProtocol === 'V1' ? v1Header(this.addresses) : v2Header(this.addresses);
  }
}

class TcpUpstream implements PoolStream, TcpPoolCallbacks, ConnectionCallbacks {
  private readonly host: Host;
  private readonly decoder: ResponseDecoder;
  private readonly callbacks: PoolCallbacks;
  private readonly preface: Uint8Array | undefined;
  private connection: SocketConnection | undefined = undefined;
  private watermark: DownstreamWatermarkCallbacks | undefined = undefined;
  private requestComplete = false;
  private ended = false;

  constructor(
    host: Host,
    decoder: ResponseDecoder,
    callbacks: PoolCallbacks,
    preface: Uint8Array | undefined,
  ) {
    this.host = host;
    this.decoder = decoder;
    this.callbacks = callbacks;
    this.preface = preface;
  }

  onPoolReady({ upstream }: TcpActiveClient): void {
    this.connection = upstream.connection;
    upstream.connection.addConnectionCallbacks(this);
    this.callbacks.onPoolReady(this, upstream, '');
  }

  onPoolFailure(reason: PoolFailureReason, transportFailure: string): void {
    this.callbacks.onPoolFailure(reason, transportFailure, this.host);
  }

  setWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    this.watermark = callbacks;
  }

  // ---- request -------------------------------------------------------------------------------------------------------

  /** The head is for us: that there is a connection is the answer to it. */
  encodeHeaders(_headers: RequestHeaderMap, endStream: boolean): void {
    if (this.preface !== undefined) this.connection!.writeBytes(this.preface);
    if (endStream) this.endRequest();
    this.decoder.onResponseHeaders(new ResponseHeaders(200), false);
  }

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.ended) return;
    if (end > start) this.connection!.writeBytes(copyBytes(bytes, start, end));
    if (endStream) this.endRequest();
  }

  encodeTrailers(): void {
    if (!this.ended) this.endRequest();
  }

  private endRequest(): void {
    this.requestComplete = true;
    this.connection!.endWrite();
  }

  resetStream(): void {
    if (this.ended) return;
    this.ended = true;
    this.connection!.close('NoFlush');
  }

  readDisable(disable: boolean): void {
    if (!this.ended) this.connection!.readDisable(disable);
  }

  // ---- response ------------------------------------------------------------------------------------------------------

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.ended) return;
    this.decoder.onData(bytes, start, end, endStream);
    if (!endStream || this.ended) return;
    this.ended = true;
    if (!this.requestComplete) this.connection!.close('NoFlush');
  }

  onUpstreamEvent(): void {
    if (this.ended) return;
    this.ended = true;
    this.decoder.onResetStream('ConnectionTermination', '');
  }

  onEvent(): void {
    // The pool's client tells of the end, after it has counted it.
  }

  onAboveWriteBufferHighWatermark(): void {
    this.watermark?.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    this.watermark?.onBelowWriteBufferLowWatermark();
  }
}
