// What the proxy sends bytes to: the upstream connection itself, or a stream of HTTP that tunnels them.
// Envoy: GenericUpstream (envoy/tcp/upstream.h).

import type { ConnectionCloseType } from '../../../../api/network/filter.ts';
import type { SocketConnection } from '../../../../common/network/connection.ts';

/** The part of a connection that the proxy needs; see there for what each does. */
export interface GenericUpstream
  extends Pick<
    SocketConnection,
    'unsentBytes' | 'remoteReset' | 'privateBuffer' | 'writeThrough' | 'endWrite'
  > {
  readDisable(disable: boolean): void;
  close(type: ConnectionCloseType, details?: string): void;
}

/** An upstream that is not there yet. */
export interface ConnectingUpstream {
  /** Gives it up. Nothing is called any more. */
  cancel(): void;
}
