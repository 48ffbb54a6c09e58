// Clients that behave, as long as they are told to: each keeps its connection, goes when an answer says `connection: close`,
// and opens another when an idle one was closed. A request without a whole good answer is a failure.

import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadReport {
  /** Whole answers with status 200. */
  answered: number;
  /** Connections opened. */
  connections: number;
  /** What went wrong, one line a request. */
  readonly failures: string[];
  /** How often each body came. */
  readonly bodies: Map<string, number>;
}

export interface LoadOptions {
  /** Opens a connection. */
  connect(): net.Socket;
  readonly clients: number;
  /** ms between an answer and the next request. */
  readonly thinkMs: number;
}

/** Sends requests until `stop`. */
export class Load {
  readonly report: LoadReport = { answered: 0, connections: 0, failures: [], bodies: new Map() };
  readonly #options: LoadOptions;
  readonly #clients: readonly Promise<void>[];
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.clients }, () => this.#run());
  }

  /** Lets the requests under way finish. */
  async stop(): Promise<LoadReport> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    return this.report;
  }

  async #run(): Promise<void> {
    const { report } = this;
    let connection: ClientConnection | undefined;
    while (!this.#stopped) {
      if (connection === undefined || connection.closed) {
        connection = new ClientConnection(this.#options.connect());
        report.connections++;
      }
      const answer = await connection.request('/load');
      if (answer.status === 200) {
        report.answered++;
        report.bodies.set(answer.body, (report.bodies.get(answer.body) ?? 0) + 1);
      } else report.failures.push(`${answer.status} ${answer.body}`);
      if (answer.close) connection.end();
      await sleep(this.#options.thinkMs);
    }
    connection?.end();
  }
}

export interface ClientAnswer {
  /** 0: the connection ended before the answer did. */
  readonly status: number;
  readonly body: string;
  /** The connection will not be used again. */
  readonly close: boolean;
}

/** An HTTP/1.1 connection, one request at a time. */
export class ClientConnection {
  /** It cannot be used any more. */
  closed = false;
  readonly socket: net.Socket;
  #received = '';
  #requests = 0;
  #settle: ((answer: ClientAnswer) => void) | undefined;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#onData(text));
    socket.on('end', () => this.#onClosed('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#onClosed(error.code ?? error.message));
  }

  request(path: string): Promise<ClientAnswer> {
    if (this.closed) return Promise.resolve({ status: 0, body: 'closed before', close: true });
    this.#requests++;
    this.#received = '';
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.socket.write(`GET ${path} HTTP/1.1\r\nhost: test\r\n\r\n`);
    });
  }

  end(): void {
    this.closed = true;
    this.socket.destroy();
  }

  #onData(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf('\r\n\r\n') + 4;
    if (end < 4) return;
    const head = this.#received.slice(0, end).toLowerCase();
    const body = this.#received.slice(end);
    if (body.length < Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0)) return;
    const status = Number(head.slice('http/1.1 '.length, 'http/1.1 200'.length));
    this.#settle?.({ status, body, close: head.includes('\r\nconnection: close\r\n') });
    this.#settle = undefined;
  }

  #onClosed(why: string): void {
    this.closed = true;
    const body = `${why} in request ${this.#requests} of a connection, after ${this.#received.length} bytes`;
    this.#settle?.({ status: 0, body, close: true });
    this.#settle = undefined;
  }
}
