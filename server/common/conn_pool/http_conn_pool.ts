// What the router asks of a connection pool, whatever protocol it speaks. Envoy: envoy/http/conn_pool.h.

import type { RequestEncoder, ResponseDecoder } from '../../api/http/codec.ts';
import type { DownstreamWatermarkCallbacks } from '../../api/http/filter.ts';
import type { UpstreamTransportSocketOptions } from '../../api/network/transport_socket.ts';
import type { Priority } from '../../api/upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { UpstreamConnection } from './upstream_connection.ts';

/** Why no stream could be had. */
export type PoolFailureReason = 'Overflow' | 'LocalConnectionFailure' | 'RemoteConnectionFailure' | 'Timeout';

/** The request's way to the upstream. */
export interface PoolStream extends RequestEncoder {
  /** Told when the request body is sent more slowly than it comes, and when that is over. */
  setWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void;
  /** Each direction ends by itself: the end of the response leaves the rest of the request be. HTTP/1 cannot do that. */
  enableTcpTunneling?(): void;
}

/** Of a stream; '' where requests become bytes of a TCP connection. */
export type UpstreamProtocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | '';

/** Told when the pool has a stream for a request, or has none. Exactly one is called, once, unless it was cancelled. */
export interface PoolCallbacks {
  onPoolReady(encoder: PoolStream, upstream: UpstreamConnection, protocol: UpstreamProtocol): void;
  onPoolFailure(reason: PoolFailureReason, transportFailure: string, host: Host | undefined): void;
}

/** A request that waits for a connection. */
export interface Cancellable {
  cancel(): void;
}

/** Where the router gets a stream from. Envoy: GenericConnPool. */
export interface GenericConnPool {
  /** `decoder` gets the response. Undefined when a callback has been called already. */
  newStream(decoder: ResponseDecoder, callbacks: PoolCallbacks): Cancellable | undefined;
}

export interface HttpConnPool extends GenericConnPool {
  drain(): void;
}

/** `auto`: the handshake decides. */
export type PoolProtocol = 'http1' | 'http2' | 'auto';

/** What makes pools of one host different from each other. */
export interface PoolOptions {
  readonly protocol: PoolProtocol;
  readonly priority: Priority;
  readonly transportSocket: UpstreamTransportSocketOptions | undefined;
  /** Its name among the other pools of its host; '' for those that have a place of their own. */
  readonly key: string;
}
