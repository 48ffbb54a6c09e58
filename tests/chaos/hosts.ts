// Upstream hosts that die, flap, slow down, break off and return: of HTTP/1.1, of gRPC over HTTP/2, and of TCP (an echo).

import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Condition, ConditionHistory } from './conditions.ts';

/** ms that a slow host takes. */
const SLOW_MS = 700;
/** ms between the first half of an answer and its end where a host breaks off. */
const CUT_AFTER_MS = 5;
/** ms until a port that could not be bound is tried again. */
const LISTEN_AGAIN_MS = 20;

/** What a client expects of the answer, in the request's headers. */
export const ID_HEADER = 'x-chaos-id';
export const SIZE_HEADER = 'x-chaos-size';

export abstract class ChaoticHost {
  readonly ip: string;
  port = 0;
  readonly history = new ConditionHistory();
  /** How often each request arrived here, by its id. */
  readonly arrivals = new Map<string, number>();
  protected readonly sockets = new Set<net.Socket>();
  protected abstract readonly server: net.Server;
  #changing: Promise<void> = Promise.resolve();

  constructor(ip: string) {
    this.ip = ip;
  }

  get address(): string {
    return `${this.ip}:${this.port}`;
  }

  async start(): Promise<this> {
    this.server.on('connection', (socket: net.Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
    });
    this.server.listen(0, this.ip);
    await once(this.server, 'listening');
    this.port = (this.server.address() as net.AddressInfo).port;
    return this;
  }

  become(condition: Condition): Promise<void> {
    return (this.#changing = this.#changing.then(() => this.#change(condition)));
  }

  async #change(condition: Condition): Promise<void> {
    const before = this.history.now;
    if (condition === before) return;
    if (before === 'dead') await this.#listenAgain();
    this.history.note(condition);
    if (condition !== 'dead') return;
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  async #listenAgain(): Promise<void> {
    while (!(await this.#listens())) await sleep(LISTEN_AGAIN_MS);
  }

  #listens(): Promise<boolean> {
    const { server } = this;
    return new Promise((resolve) => {
      const onListening = (): void => settle(true);
      const onError = (): void => settle(false);
      const settle = (listens: boolean): void => {
        server.off('listening', onListening).off('error', onError);
        resolve(listens);
      };
      server.on('listening', onListening).on('error', onError).listen(this.port, this.ip);
    });
  }

  async stop(): Promise<void> {
    await this.become('dead');
  }

  protected arrived(id: string): void {
    this.arrivals.set(id, (this.arrivals.get(id) ?? 0) + 1);
  }
}

export class Http1Host extends ChaoticHost {
  protected readonly server = http.createServer((request, response) => {
    this.arrived(String(request.headers[ID_HEADER]));
    request.resume().on('error', () => undefined);
    response.on('error', () => undefined);
    request.on('end', () => this.#answer(request, response));
  });

  constructor(ip: string) {
    super(ip);
    // Connections end when the host dies, not when they were idle: that would be a race that nobody wins.
    (this.server as http.Server).keepAliveTimeout = 0;
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const size = Number(request.headers[SIZE_HEADER] ?? 0);
    const whole = (): void => {
      if (!response.destroyed) response.writeHead(200, { 'content-length': size }).end('x'.repeat(size));
    };
    switch (this.history.now) {
      case 'slow':
        setTimeout(whole, SLOW_MS);
        break;
      case 'failing':
        response.writeHead(503, { 'content-length': 0 }).end();
        break;
      case 'cutting':
        response.writeHead(200, { 'content-length': size + 2 }).write('x'.repeat(size + 1));
        setTimeout(() => request.socket.destroy(), CUT_AFTER_MS);
        break;
      case 'resetting':
        request.socket.resetAndDestroy();
        break;
      case 'well':
        whole();
        break;
    }
  }
}

export class GrpcHost extends ChaoticHost {
  protected readonly server = http2.createServer() as unknown as net.Server;

  constructor(ip: string) {
    super(ip);
    this.server.on('session', (session: http2.ServerHttp2Session) => session.on('error', () => undefined));
    this.server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      stream.on('error', () => undefined);
      this.arrived(String(headers[ID_HEADER]));
      stream.resume().on('end', () => this.#answer(stream, Number(headers[SIZE_HEADER] ?? 0)));
    });
  }

  #answer(stream: http2.ServerHttp2Stream, size: number): void {
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    const whole = (): void => {
      if (stream.destroyed) return;
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end('x'.repeat(size));
    };
    switch (this.history.now) {
      case 'slow':
        setTimeout(whole, SLOW_MS);
        break;
      case 'failing':
        stream.respond({ ...head, 'grpc-status': '14' }, { endStream: true });
        break;
      case 'cutting':
        stream.respond(head);
        stream.write('x'.repeat(size));
        // close() would end the body in order first.
        setTimeout(() => stream.destroy(new Error('cut')), CUT_AFTER_MS);
        break;
      case 'resetting':
        stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
        break;
      case 'well':
        whole();
        break;
    }
  }
}

export class EchoHost extends ChaoticHost {
  protected readonly server = net.createServer((socket) => {
    socket.on('data', (bytes) => {
      if (this.history.now === 'cutting' || this.history.now === 'resetting') socket.resetAndDestroy();
      else socket.write(bytes);
    });
  });
}
