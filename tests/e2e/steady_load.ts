// Requests at a constant rate, far below what a proxy can take, and how long each takes: a child process of the benchmark of the
// dashboard. Takes a SteadyLoadPlan as JSON; told 'begin' it forgets what was before, told 'end' it answers a SteadyLoadReport.

import net from 'node:net';
import { MessageReader } from '../perf/message_reader.ts';

export interface SteadyLoadPlan {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly requestsPerSecond: number;
}

export interface SteadyLoadReport {
  /** ms, of the requests that were due since 'begin'. */
  readonly times: readonly number[];
  readonly errors: number;
}

const CONNECTIONS = 16;

const plan = JSON.parse(process.argv[2]!) as SteadyLoadPlan;
const request = `GET ${plan.path} HTTP/1.1\r\nhost: ${plan.host}\r\n\r\n`;
let times: number[] = [];
let errors = 0;

/** One request at a time on a connection that stays. */
class Caller {
  readonly #socket: net.Socket;
  #due = 0;

  constructor() {
    const reader = new MessageReader((head) => {
      if (!head.startsWith('HTTP/1.1 200 ')) errors++;
      times.push(performance.now() - this.#due);
      idle.push(this);
    });
    this.#socket = net.connect({ port: plan.port, host: '127.0.0.1' }).setNoDelay();
    this.#socket.on('data', (bytes) => reader.read(bytes as Buffer));
    this.#socket.on('error', () => errors++);
  }

  call(due: number): void {
    this.#due = due;
    this.#socket.write(request);
  }
}

const idle: Caller[] = [];
for (let i = 0; i < CONNECTIONS; i++) idle.push(new Caller());

let next = performance.now();
setInterval(() => {
  // Who comes late because this process got no turn is not the proxy's doing; who finds no connection free is.
  const now = performance.now();
  for (; next <= now; next += 1000 / plan.requestsPerSecond) {
    const caller = idle.shift();
    if (caller === undefined) break;
    caller.call(now);
  }
}, 1);

process.on('message', (what) => {
  if (what === 'end') process.send!({ times, errors } satisfies SteadyLoadReport);
  times = [];
  errors = 0;
});
process.on('disconnect', () => process.exit());
