// Sends the header as the first bytes of the connection, then leaves it to the inner transport socket.
// Envoy: UpstreamProxyProtocolSocket in source/extensions/transport_sockets/proxy_protocol/proxy_protocol.cc.

import type { Socket } from 'node:net';
import type {
  DownstreamAddresses,
  UpstreamTransportSocketFactory,
  UpstreamTransportSocketOptions,
} from '../../../api/network/transport_socket.ts';
import type { SslConnectionInfo } from '../../../api/stream_info.ts';

export class ProxyProtocolSocketFactory implements UpstreamTransportSocketFactory {
  readonly secure: boolean;
  readonly sendsDownstreamAddresses = true;
  private readonly inner: UpstreamTransportSocketFactory;
  private readonly headerOf: (addresses: DownstreamAddresses | undefined) => Buffer;

  constructor(
    inner: UpstreamTransportSocketFactory,
    headerOf: (addresses: DownstreamAddresses | undefined) => Buffer,
  ) {
    this.inner = inner;
    this.secure = inner.secure;
    this.headerOf = headerOf;
  }

  ready(): boolean {
    return this.inner.ready();
  }

  wrap(
    socket: Socket,
    options: UpstreamTransportSocketOptions,
    done: (error: string | undefined, ssl: SslConnectionInfo | undefined) => void,
  ): Socket {
    const header = this.headerOf(options.downstreamAddresses);
    // We are told of the connection before the inner socket is, which then sends behind us.
    if (this.secure) {
      socket.once('connect', () => socket.write(header));
      return this.inner.wrap(socket, options, done);
    }
    socket.once('connect', () => {
      socket.write(header);
      done(undefined, undefined);
    });
    return socket;
  }
}
