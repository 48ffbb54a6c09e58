// What a TCP proxy hears of its upstream connection. It outlives the proxy while the connection drains.
// Envoy: TcpProxy::Filter::UpstreamCallbacks (source/common/tcp_proxy/tcp_proxy.h).

import type { ConnectionCallbacks, ConnectionEvent } from '../../../../api/network/filter.ts';
import type { PoolFailureReason } from '../../../../common/conn_pool/http_conn_pool.ts';
import type { TcpActiveClient, TcpPoolCallbacks } from '../../../../common/conn_pool/tcp_conn_pool.ts';
import type { Drainer } from './drainer.ts';
import type { TcpProxy } from './tcp_proxy.ts';

export class UpstreamCallbacks implements TcpPoolCallbacks, ConnectionCallbacks {
  private readonly proxy: TcpProxy;
  private drainer: Drainer | undefined = undefined;

  constructor(proxy: TcpProxy) {
    this.proxy = proxy;
  }

  /** The downstream is gone: from now on the drainer is told. */
  drain(drainer: Drainer): void {
    this.drainer = drainer;
  }

  onPoolReady(client: TcpActiveClient): void {
    const { upstream } = client;
    upstream.connection.addConnectionCallbacks(this);
    this.proxy.onUpstreamReady(upstream, upstream.connection);
  }

  onPoolFailure(reason: PoolFailureReason, transportFailure: string): void {
    this.proxy.onUpstreamFailure(reason, transportFailure);
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.proxy.onUpstreamData(bytes, start, end, endStream);
  }

  onUpstreamEvent(_event: ConnectionEvent): void {
    if (this.drainer === undefined) this.proxy.onUpstreamClosed();
    else this.drainer.onClosed();
  }

  onEvent(): void {
    // The pool's client tells of the end, after it has counted it.
  }

  onAboveWriteBufferHighWatermark(): void {
    if (this.drainer === undefined) this.proxy.pauseDownstream(true);
  }

  onBelowWriteBufferLowWatermark(): void {
    if (this.drainer === undefined) this.proxy.pauseDownstream(false);
  }
}
