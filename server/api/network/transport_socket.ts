// How bytes get on the wire: plain or TLS. A factory is compiled once per filter chain or cluster; it wraps node sockets,
// because node's TLS is native only when it wraps a net.Socket itself. Envoy: envoy/network/transport_socket.h.

import type { Socket } from 'node:net';
import type { Address, ConnectionInfo, SslConnectionInfo } from '../stream_info.ts';
import type { HostDescription } from '../upstream/host.ts';

export interface DownstreamTransportSocketFactory {
  /** True for TLS: `wrap` must be called and awaited before bytes flow. */
  readonly secure: boolean;
  /** False while a secret it needs has not come: new connections are closed and counted (`downstream_context_secrets_not_ready`). */
  ready(): boolean;
  /**
   * Begins the handshake on a socket of which nothing was read (what was peeked is given back). `done` is called once, now or
   * later: with the socket to use from then on, or with the reason for the failure (also counted in `listener.<x>.ssl.*`) and
   * what was known of the peer by then. The socket is closed on failure; destroying `socket` before ends the handshake.
   */
  wrap(
    socket: Socket,
    info: ConnectionInfo,
    done: (error: string | undefined, ssl: SslConnectionInfo | undefined, secure: Socket) => void,
  ): void;
}

/** Who sent what an upstream connection is for, and where to. */
export interface DownstreamAddresses {
  readonly source: Address;
  readonly destination: Address;
}

/** What an upstream handshake may be told per connection. */
export interface UpstreamTransportSocketOptions {
  readonly host: HostDescription;
  /** ALPN instead of the configured one (istio.alpn, the pool's protocol). */
  readonly alpnOverride: readonly string[] | undefined;
  /** ALPN where none is configured: what the pool speaks. Empty for none. */
  readonly alpnFallback: readonly string[];
  /** SNI instead of the configured one (filter state envoy.network.upstream_server_name, auto_sni). */
  readonly sniOverride: string | undefined;
  /** SANs instead of the configured ones (auto_san_validation, filter state). */
  readonly sanOverride: readonly string[] | undefined;
  /** Of the downstream connection, for factories with `sendsDownstreamAddresses`. */
  readonly downstreamAddresses: DownstreamAddresses | undefined;
  /** Key of the connection pool: different options need different connections. '' for the default. */
  readonly hashKey: string;
}

export interface UpstreamTransportSocketFactory {
  readonly secure: boolean;
  /** True where the upstream is told of the downstream connection (PROXY protocol): requests of others must not share its connection. */
  readonly sendsDownstreamAddresses: boolean;
  ready(): boolean;
  /** Wraps a socket that is connected or still connecting. `done` is called once, as above. */
  wrap(
    socket: Socket,
    options: UpstreamTransportSocketOptions,
    done: (error: string | undefined, ssl: SslConnectionInfo | undefined) => void,
  ): Socket;
}
