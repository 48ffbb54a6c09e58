// A client that behaves: it keeps its connection, goes when it is told `connection: close`, and opens another when the
// server has closed an idle one. A request that gets no whole answer is a failure; a refused connection is the end.

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ClientReport {
  answered: number;
  /** Of them: told to close. */
  told: number;
  /** What went wrong, a line per request. */
  readonly failures: string[];
}

const REQUEST = 'GET /work HTTP/1.1\r\nhost: test\r\n\r\n';

type Outcome = 'keep' | 'close' | 'refused' | 'closed before' | { readonly failure: string };

/** Sends one request after the other, with `thinkMs` between, until the port refuses. */
export async function runClient(port: number, thinkMs: number): Promise<ClientReport> {
  const report: ClientReport = { answered: 0, told: 0, failures: [] };
  let connection: Connection | undefined;
  for (;;) {
    connection ??= new Connection(port);
    const outcome = await connection.request();
    if (outcome === 'refused') return report;
    if (typeof outcome === 'object') report.failures.push(outcome.failure);
    else if (outcome !== 'closed before') report.answered++;
    if (outcome === 'close') report.told++;
    if (outcome !== 'keep') {
      connection.end();
      connection = undefined;
    }
    if (thinkMs > 0) await sleep(thinkMs);
  }
}

class Connection {
  readonly #socket: net.Socket;
  #received = '';
  #requests = 0;
  #connected = false;
  #closed: string | undefined;
  #settle: (outcome: Outcome) => void = () => undefined;

  constructor(port: number) {
    this.#socket = net.connect(port, '127.0.0.1', () => {
      this.#connected = true;
    });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => this.#onData(text));
    this.#socket.on('end', () => this.#onClosed('end'));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#onClosed(error.code ?? error.message));
  }

  request(): Promise<Outcome> {
    return new Promise((resolve) => {
      // Known to be closed: nothing was sent on it.
      if (this.#closed !== undefined) {
        resolve(this.#connected ? 'closed before' : 'refused');
        return;
      }
      this.#settle = resolve;
      this.#requests++;
      this.#received = '';
      this.#socket.write(REQUEST);
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #onData(text: string): void {
    this.#received += text;
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? Number.NaN);
    if (this.#received.length < headEnd + 4 + length) return;
    if (!head.startsWith('http/1.1 200 ') || Number.isNaN(length)) this.#settle({ failure: head });
    else this.#settle(/\r\nconnection: close/.test(head) ? 'close' : 'keep');
  }

  #onClosed(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    this.#settle(
      why === 'ECONNREFUSED'
        ? 'refused'
        : {
            failure: `${why} in request ${this.#requests} of a connection, after ${this.#received.length} bytes`,
          },
    );
  }
}
