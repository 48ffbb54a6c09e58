// envoy.transport_sockets.raw_buffer: bytes as they are. Envoy: api/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto.

import type { Socket } from 'node:net';
import type { RawBuffer } from '../../../../xds-protos/generated/envoy/extensions/transport_sockets/raw_buffer/v3.ts';
import type {
  DownstreamTransportSocketFactory,
  UpstreamTransportSocketFactory,
} from '../../../api/network/transport_socket.ts';
import type {
  DownstreamTransportSocketExtension,
  UpstreamTransportSocketExtension,
} from '../../../api/registry.ts';

/** Both ways at once: there is nothing to set up. */
class RawBufferSocketFactory implements DownstreamTransportSocketFactory, UpstreamTransportSocketFactory {
  readonly secure = false;
  readonly sendsDownstreamAddresses = false;

  ready(): boolean {
    return true;
  }

  wrap(
    socket: Socket,
    _facts: unknown,
    done: (error: undefined, ssl: undefined, secure: Socket) => void,
  ): Socket {
    done(undefined, undefined, socket);
    return socket;
  }
}

const FACTORY = new RawBufferSocketFactory();

export const downstreamRawBufferFactory: DownstreamTransportSocketExtension<RawBuffer> = {
  compile: () => FACTORY,
};

export const upstreamRawBufferFactory: UpstreamTransportSocketExtension<RawBuffer> = {
  compile: () => FACTORY,
};
