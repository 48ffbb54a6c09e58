// What happens to TCP connections: each case is a client and an upstream with manners of their own, and the settings they
// meet. Run through Envoy and through Pilotfish, both must see the same, log the same and count the same.

import { once } from 'node:events';
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TcpCase {
  readonly name: string;
  /** Merged over the TcpProxy message. */
  readonly tcpProxy?: Readonly<Record<string, unknown>>;
  /** Merged over the cluster; `endpoint: 'none' | 'refused' | 'silent'` instead of the upstream below. */
  readonly cluster?: Readonly<Record<string, unknown>>;
  readonly endpoint?: 'upstream' | 'none' | 'refused' | 'silent';
  /** The listener's per_connection_buffer_limit_bytes. */
  readonly bufferLimit?: number;
  /** The upstream's sockets do not answer a FIN with their own. */
  readonly upstreamHalfOpen?: boolean;
  /** What the upstream does with a connection. */
  readonly upstream?: (socket: net.Socket) => void;
  /** What the client does; the answer is compared. */
  client(connect: () => net.Socket): Promise<unknown>;
}

/** Everything that a socket gives until it closes: text, and how it ended. */
export async function observe(socket: net.Socket): Promise<{ received: string; end: string }> {
  let received = '';
  let end = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length > 1000 ? `<${chunk.length}>` : chunk.toString('latin1');
  });
  socket.on('end', () => {
    end ||= 'fin';
    if (!socket.writableEnded) socket.end();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => (end = error.code ?? 'error'));
  if (!socket.closed) await once(socket, 'close').catch(() => undefined);
  return { received: sumSizes(received), end };
}

/** Chunk sizes are chance: only their sum is compared. */
function sumSizes(text: string): string {
  let sum = 0;
  const rest = text.replace(/<(\d+)>/g, (_, size: string) => {
    sum += Number(size);
    return '';
  });
  return sum === 0 ? rest : `${rest.length + sum} bytes`;
}

async function count(socket: net.Socket): Promise<number> {
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return bytes;
}

const echo = (socket: net.Socket): void => void socket.pipe(socket);
const FOUR_MEGABYTES = Buffer.alloc(4 << 20, 'x');

export const TCP_CASES: readonly TcpCase[] = [
  {
    name: 'the log is written at the start, when connected, every interval and at the end',
    tcpProxy: {
      access_log_options: {
        access_log_flush_interval: '0.6s',
        flush_access_log_on_connected: true,
        flush_access_log_on_start: true,
      },
    },
    upstream: echo,
    async client(connect) {
      const socket = connect();
      socket.write('x');
      await once(socket, 'data');
      await sleep(1500);
      socket.end();
      return await observe(socket);
    },
  },
  {
    name: 'the client speaks first and half-closes first',
    upstream: echo,
    client(connect) {
      const socket = connect();
      socket.end('hello');
      return observe(socket);
    },
  },
  {
    name: 'the server speaks first and closes first',
    upstream: (socket) => void socket.end('220 welcome'),
    async client(connect) {
      return await observe(connect());
    },
  },
  {
    name: 'the server half-closes and goes on reading',
    upstreamHalfOpen: true,
    upstream(socket) {
      socket.end('bye');
      socket.resume();
    },
    async client(connect) {
      const socket = connect();
      let received = '';
      socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
      await once(socket, 'end');
      socket.write('still ');
      await sleep(50);
      socket.end('there');
      await once(socket, 'close');
      return received;
    },
  },
  {
    name: 'both close at once',
    upstream: (socket) => void socket.once('data', () => socket.end('pong')),
    client(connect) {
      const socket = connect();
      socket.end('ping');
      return observe(socket);
    },
  },
  {
    name: 'the server resets',
    upstream: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
    client(connect) {
      const socket = connect();
      socket.write('x');
      return observe(socket);
    },
  },
  {
    name: 'the client resets',
    upstream: (socket) => void socket.write('x'),
    async client(connect) {
      const socket = connect();
      await once(socket, 'data');
      socket.resetAndDestroy();
      return 'reset';
    },
  },
  {
    name: 'the client closes and does not read',
    upstream: (socket) => void socket.once('data', () => socket.write('unread')),
    async client(connect) {
      const socket = connect();
      socket.write('x');
      await once(socket, 'data');
      socket.destroy();
      return 'closed';
    },
  },
  {
    name: 'the connection is refused',
    endpoint: 'refused',
    client: (connect) => observe(connect()),
  },
  {
    name: 'the connection is refused three times',
    endpoint: 'refused',
    tcpProxy: { max_connect_attempts: 3 },
    client: (connect) => observe(connect()),
  },
  {
    name: 'the connection is refused twice, with back-off',
    endpoint: 'refused',
    tcpProxy: { max_connect_attempts: 2, backoff_options: { base_interval: '0.02s', max_interval: '0.05s' } },
    client: (connect) => observe(connect()),
  },
  {
    name: 'the connect timeout passes',
    endpoint: 'silent',
    cluster: { connect_timeout: '0.1s' },
    client: (connect) => observe(connect()),
  },
  {
    name: 'the client leaves while the upstream is being connected',
    endpoint: 'silent',
    cluster: { connect_timeout: '2s' },
    async client(connect) {
      const socket = connect();
      await once(socket, 'connect');
      await sleep(50);
      socket.resetAndDestroy();
      return 'reset';
    },
  },
  {
    name: 'the client half-closes while the upstream is being connected',
    endpoint: 'silent',
    cluster: { connect_timeout: '0.3s' },
    client(connect) {
      const socket = connect();
      socket.end('early');
      return observe(socket);
    },
  },
  {
    name: 'there is no host',
    endpoint: 'none',
    client: (connect) => observe(connect()),
  },
  {
    name: 'there is no cluster',
    tcpProxy: { cluster: 'unheard-of' },
    client: (connect) => observe(connect()),
  },
  {
    name: 'no connection is allowed',
    cluster: { circuit_breakers: { thresholds: [{ max_connections: 0 }] } },
    client: (connect) => observe(connect()),
  },
  {
    name: 'the second connection is one too many',
    cluster: { circuit_breakers: { thresholds: [{ max_connections: 1 }] } },
    upstream: echo,
    async client(connect) {
      const first = connect();
      first.write('x');
      await once(first, 'data');
      const second = await observe(connect());
      first.end();
      await once(first, 'close');
      return second;
    },
  },
  {
    name: 'nothing moves for the idle timeout',
    tcpProxy: { idle_timeout: '0.1s' },
    upstream: echo,
    client(connect) {
      const socket = connect();
      socket.write('x');
      return observe(socket);
    },
  },
  {
    name: 'the upstream is not asked for the idle timeout while the client talks',
    tcpProxy: { idle_timeout: '0.25s' },
    upstream: (socket) => void socket.resume(),
    async client(connect) {
      const socket = connect();
      const seen = observe(socket);
      for (let i = 0; i < 5; i++) {
        await sleep(100);
        socket.write('x');
      }
      socket.destroy();
      return await seen;
    },
  },
  {
    name: 'the connection has lasted its time',
    tcpProxy: { max_downstream_connection_duration: '0.15s' },
    upstream: echo,
    client(connect) {
      const socket = connect();
      socket.write('x');
      return observe(socket);
    },
  },
  {
    name: 'four megabytes go up and come back',
    upstream: echo,
    client(connect) {
      const socket = connect();
      socket.end(FOUR_MEGABYTES);
      return count(socket);
    },
  },
  {
    name: 'a client that reads slowly holds the upstream back',
    bufferLimit: 32_768,
    cluster: { per_connection_buffer_limit_bytes: 32_768 },
    upstream: (socket) => void socket.end(FOUR_MEGABYTES),
    async client(connect) {
      const socket = connect();
      socket.pause();
      await sleep(150);
      socket.resume();
      socket.once('end', () => socket.end());
      return await count(socket);
    },
  },
  {
    name: 'the client is gone before the upstream has read everything',
    tcpProxy: { idle_timeout: '0.3s' },
    upstream(socket) {
      socket.pause();
      setTimeout(() => socket.resume(), 200);
    },
    async client(connect) {
      const socket = connect();
      socket.write(FOUR_MEGABYTES);
      await sleep(100);
      socket.destroy();
      await sleep(300);
      return 'gone';
    },
  },
];
