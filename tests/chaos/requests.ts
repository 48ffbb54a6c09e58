// Requests of all kinds, as clients see them: what was asked, what came of it. Judged in rules.ts.

import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import type { Random } from '../differential/route_cases.ts';
import { ID_HEADER, SIZE_HEADER } from './hosts.ts';

/** ms until a client gives up; beyond all timeouts of the proxy, so that it must not come to that. */
const PATIENCE_MS = 20_000;
/** ms until a client that leaves has left, at most. */
const LEAVES_AFTER_MS = 150;
const BODY_SIZES = [0, 10, 3000, 70_000];

/** The route that is asked for; `grpc` and `tcp` have their own pools of hosts. */
export const KINDS = [
  'retried',
  'hedged',
  'safe',
  'plain',
  'short',
  'vanishing',
  'flicker',
  'grpc',
  'tcp',
] as const;
export type Kind = (typeof KINDS)[number];
export type Protocol = 'HTTP/1.1' | 'HTTP/1.1 over TLS' | 'HTTP/2' | 'HTTP/2 over TLS' | 'TCP';

export interface Asked {
  /** The request's, or the client's address with TCP. */
  id: string;
  readonly kind: Kind;
  readonly protocol: Protocol;
  readonly method: string;
  /** Bytes of the answer's body. */
  readonly size: number;
  /** The client went away in the middle. */
  readonly leaves: boolean;
  /** performance.now() */
  readonly from: number;
  to: number;
  /** 0: no head came. */
  status: number;
  /** Of gRPC; -1 where none came. */
  grpcStatus: number;
  /** All of the answer came. */
  whole: boolean;
  /** What the client was told of the end by its connection. */
  error: string;
}

export interface Ports {
  readonly http: number;
  readonly https: number;
  readonly tcp: number;
}

/** One client with a connection of each kind, that asks one thing after the other. */
export class Client {
  readonly #name: string;
  readonly #random: Random;
  readonly #ports: Ports;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  readonly #secureAgent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  readonly #sessions = new Map<Protocol, http2.ClientHttp2Session>();
  #asked = 0;

  constructor(name: string, random: Random, ports: Ports) {
    this.#name = name;
    this.#random = random;
    this.#ports = ports;
  }

  async ask(): Promise<Asked> {
    const random = this.#random;
    const kind = random.pick(KINDS);
    const http2Only = kind === 'grpc';
    const protocol = random.pick<Protocol>(
      kind === 'tcp'
        ? ['TCP']
        : http2Only
          ? ['HTTP/2', 'HTTP/2 over TLS']
          : ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2', 'HTTP/2 over TLS'],
    );
    const asked: Asked = {
      id: `${this.#name}-${++this.#asked}`,
      kind,
      protocol,
      method: kind === 'safe' || http2Only ? 'POST' : random.pick(['GET', 'GET', 'POST']),
      size: random.pick(BODY_SIZES),
      leaves: kind !== 'tcp' && random.chance(0.03),
      from: performance.now(),
      to: 0,
      status: 0,
      grpcStatus: -1,
      whole: false,
      error: '',
    };
    const leaveAfterMs = Math.floor(random.next() * LEAVES_AFTER_MS);
    const body = asked.method === 'POST' ? Buffer.alloc(random.pick(BODY_SIZES), 'y') : undefined;
    if (protocol === 'TCP') await this.#askTcp(asked);
    else if (protocol.startsWith('HTTP/1.1')) await this.#askHttp1(asked, body, leaveAfterMs);
    else await this.#askHttp2(asked, body, leaveAfterMs);
    asked.to = performance.now();
    return asked;
  }

  #askHttp1(asked: Asked, body: Buffer | undefined, leaveAfterMs: number): Promise<void> {
    const secure = asked.protocol !== 'HTTP/1.1';
    return new Promise((resolve) => {
      const request = (secure ? https : http).request({
        host: '127.0.0.1',
        port: secure ? this.#ports.https : this.#ports.http,
        agent: secure ? this.#secureAgent : this.#agent,
        method: asked.method,
        path: `/${asked.kind}`,
        headers: { ...headersOf(asked), 'content-length': body?.length ?? 0 },
      });
      const end = endOnce(asked, resolve, () => request.destroy(), leaveAfterMs);
      request.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      request.on('response', (response) => {
        asked.status = response.statusCode!;
        response.resume();
        response.on('end', () => {
          asked.whole = response.complete;
          end('');
        });
        response.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      });
      request.end(body);
    });
  }

  async #askHttp2(asked: Asked, body: Buffer | undefined, leaveAfterMs: number): Promise<void> {
    const session = await this.#session(asked.protocol);
    if (typeof session === 'string') {
      asked.error = session;
      return;
    }
    await new Promise<void>((resolve) => {
      const stream = session.request({
        ':method': asked.method,
        ':path': asked.kind === 'grpc' ? '/chaos.Grpc/Call' : `/${asked.kind}`,
        ...(asked.kind === 'grpc' && { 'content-type': 'application/grpc', te: 'trailers' }),
        ...headersOf(asked),
      });
      const leave = (): void => stream.close(http2.constants.NGHTTP2_CANCEL);
      const end = endOnce(asked, resolve, leave, leaveAfterMs);
      const noteStatus = (headers: http2.IncomingHttpHeaders): void => {
        if (headers['grpc-status'] !== undefined) asked.grpcStatus = Number(headers['grpc-status']);
      };
      stream.on('response', (headers) => {
        asked.status = headers[':status']!;
        noteStatus(headers);
      });
      stream.on('trailers', noteStatus).resume();
      stream.on('error', () => undefined);
      stream.on('end', () => (asked.whole = stream.rstCode === 0));
      stream.on('close', () => {
        if (stream.rstCode !== 0) asked.whole = false;
        end(stream.rstCode === 0 ? '' : `reset with ${stream.rstCode}`);
      });
      stream.end(body);
    });
  }

  /** The client's connection, or why there is none. */
  async #session(protocol: Protocol): Promise<http2.ClientHttp2Session | string> {
    const existing = this.#sessions.get(protocol);
    if (existing !== undefined && !existing.closed && !existing.destroyed) return existing;
    const secure = protocol !== 'HTTP/2';
    const authority = secure
      ? `https://127.0.0.1:${this.#ports.https}`
      : `http://127.0.0.1:${this.#ports.http}`;
    const session = http2.connect(authority, { rejectUnauthorized: false });
    const failure = await new Promise<string | undefined>((resolve) => {
      session.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      session.on('close', () => resolve('closed'));
      session.once('connect', () => resolve(undefined));
    });
    if (failure !== undefined) return failure;
    this.#sessions.set(protocol, session);
    return session;
  }

  /** Says something on a connection of its own, and wants to hear it again. */
  #askTcp(asked: Asked): Promise<void> {
    const { size } = asked;
    return new Promise((resolve) => {
      const socket = net.connect(this.#ports.tcp, '127.0.0.1');
      let missing = size + 1;
      const end = endOnce(asked, resolve, () => socket.destroy(), 0);
      socket.on('connect', () => {
        asked.id = `127.0.0.1:${socket.localPort}`;
        socket.write('x'.repeat(missing));
      });
      socket.on('data', (bytes) => {
        missing -= bytes.length;
        if (missing > 0) return;
        asked.whole = true;
        asked.status = 200;
        socket.end();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      socket.on('close', () => end(asked.whole ? '' : 'closed'));
    });
  }

  close(): void {
    this.#agent.destroy();
    this.#secureAgent.destroy();
    for (const session of this.#sessions.values()) session.destroy();
  }
}

function headersOf({ id, size }: Asked): Record<string, string> {
  return { [ID_HEADER]: id, [SIZE_HEADER]: String(size) };
}

/** The function that ends a request, with an error or ''. Its client leaves by `leave`, early if it is one of those, else when out of patience. */
function endOnce(
  asked: Asked,
  resolve: () => void,
  leave: () => void,
  leaveAfterMs: number,
): (error: string) => void {
  let ended = false;
  const timer = setTimeout(
    () => {
      if (!asked.leaves) asked.error = 'out of patience';
      leave();
    },
    asked.leaves ? leaveAfterMs : PATIENCE_MS,
  );
  return (error) => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    asked.error ||= error;
    resolve();
  };
}
