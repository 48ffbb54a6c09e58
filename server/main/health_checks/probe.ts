// One way to ask a host whether it is well. A probe keeps its connection between checks, as far as it is to be used again.
// Envoy: source/extensions/health_checkers/{http,tcp,grpc}.

import net from 'node:net';
import type {
  UpstreamTransportSocketFactory,
  UpstreamTransportSocketOptions,
} from '../../api/network/transport_socket.ts';

/** Where a probe connects to. */
export interface ProbeTarget {
  /** '' with a path of a Unix socket. */
  readonly ip: string;
  readonly port: number;
  readonly path: string;
  /** For `host` and `:authority`. */
  readonly hostname: string;
  /** Undefined: plaintext. */
  readonly security: ProbeSecurity | undefined;
}

/** How connections to a host are secured. */
export interface ProbeSecurity {
  readonly transportSocket: UpstreamTransportSocketFactory;
  readonly options: UpstreamTransportSocketOptions;
}

/** Names of data.core.v3.HealthCheckFailureType. */
export type FailureType = 'ACTIVE' | 'PASSIVE' | 'NETWORK' | 'NETWORK_TIMEOUT';

export type ProbeResult =
  | {
      readonly ok: true;
      readonly degraded: boolean;
      /** The name of its service was looked at. */
      readonly verified: boolean;
    }
  | {
      readonly ok: false;
      readonly verified: boolean;
      readonly type: FailureType;
      /** It counts towards the threshold although it was an answer. */
      readonly retriable: boolean;
      readonly status: number;
      /** The host asks to be left alone (`x-envoy-immediate-health-check-fail`). */
      readonly exclude: boolean;
    };

export const SUCCESS: ProbeResult = Object.freeze({ ok: true, degraded: false, verified: false });
export const NETWORK_FAILURE: ProbeResult = Object.freeze({
  ok: false,
  verified: false,
  type: 'NETWORK',
  retriable: false,
  status: 0,
  exclude: false,
});

export interface Probe {
  /** Asks once. `onResult` is called once, unless `abort` or `close` comes first. */
  start(onResult: (result: ProbeResult) => void): void;
  /** Time is up: the check under way is given up, and its connection with it. */
  abort(): void;
  close(): void;
}

/** Do the parts occur in the bytes, one after the other? Source: PayloadMatcher::match. */
export function holdsInOrder(parts: readonly Buffer[], bytes: Buffer): boolean {
  let from = 0;
  for (const part of parts) {
    const found = bytes.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return true;
}

/**
 * A connection to the host, with its handshake. `done` is called once: with the socket to use, or with nothing when there is
 * none. The result is the socket to destroy when nobody waits any more; it is closed already when `done` gets none.
 */
export function connectProbe(
  { ip, port, path, security }: ProbeTarget,
  done: (socket: net.Socket | undefined) => void,
): net.Socket {
  const socket = path === '' ? net.connect(port, ip) : net.connect(path);
  socket.setNoDelay(true);
  let waiting = true;
  const end = (result: net.Socket | undefined): void => {
    if (!waiting) return;
    waiting = false;
    done(result);
  };
  socket.on('error', () => socket.destroy());
  socket.on('close', () => end(undefined));
  if (security === undefined) socket.on('connect', () => end(socket));
  else {
    const secure = security.transportSocket.wrap(socket, security.options, (error) => {
      end(error === undefined ? secure : undefined);
    });
    secure.on('error', () => secure.destroy());
  }
  return socket;
}
