// A TCP connection inside a request: what the client sends is its body, what comes back is that of the response.
// Follows Envoy's HttpUpstream and HttpConnPool (source/common/tcp_proxy/upstream.cc).

import type { ResponseDecoder } from '../../../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../../../api/http/filter.ts';
import type { ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import { copyBytes } from '../../../../common/buffer/copy_bytes.ts';
import type {
  Cancellable,
  GenericConnPool,
  PoolCallbacks,
  PoolFailureReason,
  PoolStream,
  UpstreamProtocol,
} from '../../../../common/conn_pool/http_conn_pool.ts';
import type { UpstreamConnection } from '../../../../common/conn_pool/upstream_connection.ts';
import type { ConnectingUpstream, GenericUpstream } from './generic_upstream.ts';
import type { TcpProxy } from './tcp_proxy.ts';
import type { Tunneling } from './tunneling.ts';

const NO_BYTES = new Uint8Array(0);

export class HttpUpstream
  implements GenericUpstream, ConnectingUpstream, ResponseDecoder, PoolCallbacks, DownstreamWatermarkCallbacks
{
  /** Bytes are the codec's as soon as it has them. */
  readonly unsentBytes = 0;
  readonly remoteReset = false;
  readonly privateBuffer = undefined;
  private readonly proxy: TcpProxy;
  private readonly tunneling: Tunneling;
  private pending: Cancellable | undefined = undefined;
  private stream: PoolStream | undefined = undefined;
  private upstream: UpstreamConnection | undefined = undefined;
  private protocol: UpstreamProtocol = '';
  /** The upstream has agreed. */
  private established = false;
  private readEnded = false;
  private writeEnded = false;

  constructor(proxy: TcpProxy, tunneling: Tunneling) {
    this.proxy = proxy;
    this.tunneling = tunneling;
  }

  connect(pool: GenericConnPool): void {
    this.pending = pool.newStream(this, this);
  }

  cancel(): void {
    this.pending?.cancel();
    this.pending = undefined;
    this.close();
  }

  // ---- pool ----------------------------------------------------------------------------------------------------------

  onPoolReady(stream: PoolStream, upstream: UpstreamConnection, protocol: UpstreamProtocol): void {
    this.pending = undefined;
    this.stream = stream;
    this.upstream = upstream;
    this.protocol = protocol;
    stream.enableTcpTunneling?.();
    stream.setWatermarkCallbacks(this);
    const secure = upstream.connection.info.ssl !== undefined;
    stream.encodeHeaders(this.tunneling.requestHeaders(this.proxy.streamInfo, secure), false);
  }

  onPoolFailure(reason: PoolFailureReason, transportFailure: string): void {
    this.pending = undefined;
    this.proxy.onUpstreamFailure(reason, transportFailure);
  }

  // ---- from the client -----------------------------------------------------------------------------------------------

  writeThrough(bytes: Uint8Array): boolean {
    this.stream?.encodeData(bytes, 0, bytes.length, false);
    return true;
  }

  endWrite(): void {
    const { stream, upstream } = this;
    if (stream === undefined || this.writeEnded) return;
    stream.encodeData(NO_BYTES, 0, 0, true);
    // HTTP/1 cannot end one direction alone: the connection ends.
    if (this.protocol !== 'HTTP/2') upstream!.connection.close('FlushWrite');
    else this.writeEnded = true;
    this.closeWhenDone();
  }

  readDisable(disable: boolean): void {
    this.stream?.readDisable(disable);
  }

  close(): void {
    const { stream } = this;
    this.stream = undefined;
    stream?.resetStream('LocalReset');
  }

  onAboveWriteBufferHighWatermark(): void {
    if (this.established) this.proxy.pauseDownstream(true);
  }

  onBelowWriteBufferLowWatermark(): void {
    if (this.established) this.proxy.pauseDownstream(false);
  }

  // ---- from the upstream -----------------------------------------------------------------------------------------------

  onInformationalHeaders(): void {
    // Whether there will be a tunnel is said by the final head.
  }

  onResponseHeaders({ status }: ResponseHeaderMap, endStream: boolean): void {
    if (this.stream === undefined) return;
    const agreed = this.protocol === 'HTTP/2' ? status === 200 : status >= 200 && status < 300;
    if (!agreed || endStream) {
      this.close();
      this.proxy.onUpstreamFailure('RemoteConnectionFailure', '');
      return;
    }
    this.established = true;
    this.proxy.onUpstreamReady(this.upstream!, this);
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.stream === undefined) return;
    this.readEnded = endStream;
    // The client's socket may keep the memory until it has sent it, and the codec reads into it again.
    const copy = copyBytes(bytes, start, end);
    this.proxy.onUpstreamData(copy, 0, copy.length, endStream);
    this.closeWhenDone();
  }

  onResponseTrailers(): void {
    this.onData(NO_BYTES, 0, 0, true);
  }

  onResetStream(): void {
    if (this.stream === undefined) return;
    this.stream = undefined;
    if (this.established) this.proxy.onUpstreamClosed();
    else this.proxy.onUpstreamFailure('RemoteConnectionFailure', '');
  }

  private closeWhenDone(): void {
    if (this.stream === undefined || !this.readEnded || !this.writeEnded) return;
    this.stream = undefined;
    this.proxy.onUpstreamClosed();
  }
}
