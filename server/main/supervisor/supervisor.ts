// Runs the worker threads: starts them, sends them configuration, replaces one that died, ends them in order.
// Envoy: source/server/server.cc (workers) and source/server/drain_manager_impl.cc.

import { Worker as Thread } from 'node:worker_threads';
import type { Counter, StatStore } from '../../api/stats.ts';
import { type LogLevel, type LogRecord, logger } from '../../common/log.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { MainToWorker, ResourceUpdate, WorkerOptions, WorkerToMain } from '../../messages.ts';
import type { ListenSockets, WorkerSocket } from './listen_sockets.ts';

const log = logger('main');
/** ms to wait before a worker that died right after its start is started again. */
const RESTART_DELAY_MS = 1000;

export interface SupervisorOptions {
  readonly concurrency: number;
  /** What every worker starts with; the index is added. */
  workerOptions(index: number): WorkerOptions;
  /** Everything current, for a worker that starts late. */
  snapshot(): readonly ResourceUpdate[];
  /** All pieces of the shared tables. */
  pieces(): readonly Omit<Extract<MainToWorker, { type: 'table' }>, 'type'>[];
  readonly aggregator: StatAggregator;
  readonly stats: StatStore;
  /** A worker's log record. */
  onLog(record: LogRecord, worker: number): void;
}

interface Running {
  readonly index: number;
  readonly thread: Thread;
  readonly startedAt: number;
  ready: boolean;
}

export class Supervisor {
  readonly sockets: ListenSockets;
  readonly #options: SupervisorOptions;
  readonly #workers: (Running | undefined)[] = [];
  readonly #crashes: Counter;
  readonly #restarts = new Set<NodeJS.Timeout>();
  #sequence = 0;
  #ending = false;
  #published = false;
  #onDrained: (index: number) => void = () => {};

  constructor(sockets: ListenSockets, options: SupervisorOptions) {
    this.sockets = sockets;
    this.#options = options;
    this.#crashes = options.stats.counter('server.worker_crashes');
  }

  /** Starts all workers; resolves when each can take configuration. */
  async start(): Promise<void> {
    const started: Promise<void>[] = [];
    for (let index = 0; index < this.#options.concurrency; index++) {
      started.push(new Promise((resolve) => this.#startWorker(index, resolve)));
    }
    await Promise.all(started);
  }

  #startWorker(index: number, onReady: () => void): void {
    const thread = new Thread(new URL('../../worker.ts', import.meta.url), {
      workerData: this.#options.workerOptions(index),
      name: `worker_${index}`,
    });
    const running: Running = { index, thread, startedAt: performance.now(), ready: false };
    this.#workers[index] = running;
    thread.on('message', (message: WorkerToMain) => this.#onMessage(running, message, onReady));
    thread.on('error', (error: Error) =>
      log.critical(`worker_${index} died: ${error.stack ?? error.message}`),
    );
    thread.on('exit', () => this.#onExit(running));
    // Messages wait in the port until the thread reads them, so nothing that follows is lost.
    for (const piece of this.#options.pieces()) thread.postMessage({ type: 'table', ...piece });
    if (!this.#published) return;
    this.#sendSockets(index, this.sockets.rebind(index));
    this.#send(index, { type: 'update', sequence: ++this.#sequence, updates: this.#options.snapshot() });
  }

  #onMessage(running: Running, message: WorkerToMain, onReady: () => void): void {
    switch (message.type) {
      case 'ready':
        running.ready = true;
        onReady();
        break;
      case 'stats':
        this.#options.aggregator.apply(`worker_${running.index}`, message.message);
        break;
      case 'applied':
        for (const { kind, name, reason } of message.failures)
          log.critical(`worker_${running.index} could not apply ${kind} ${name}: ${reason}`);
        break;
      case 'log':
        this.#options.onLog(message, running.index);
        break;
      case 'drained':
        this.#onDrained(running.index);
        break;
    }
  }

  /** The last good configuration serves on: the other workers go on, and a new one takes this one's place. */
  #onExit(running: Running): void {
    const { index } = running;
    if (this.#workers[index] !== running) return;
    this.#workers[index] = undefined;
    this.#options.aggregator.removeThread(`worker_${index}`);
    this.#onDrained(index);
    if (this.#ending) return;
    this.#crashes.add(1);
    const young = performance.now() - running.startedAt < RESTART_DELAY_MS;
    const timer = setTimeout(
      () => {
        this.#restarts.delete(timer);
        this.#startWorker(index, () => log.warning(`worker_${index} was replaced`));
      },
      young ? RESTART_DELAY_MS : 0,
    );
    this.#restarts.add(timer);
  }

  // ---- configuration -------------------------------------------------------------------------------------------------

  /** Sends updates to all workers. Sockets of new listeners go first. */
  publish(updates: readonly ResourceUpdate[]): void {
    this.#published = true;
    for (const update of updates) {
      if (update.kind === 'listener') {
        for (const [index, sockets] of this.sockets.publish(update.name, update.bytes).entries())
          this.#sendSockets(index, sockets);
      } else if (update.kind === 'remove' && update.resource === 'listener') this.sockets.remove(update.name);
    }
    this.#broadcast({ type: 'update', sequence: ++this.#sequence, updates });
  }

  addPiece(table: 'hosts' | 'circuit_breakers', index: number, memory: SharedArrayBuffer): void {
    this.#broadcast({ type: 'table', table, index, memory });
  }

  runtime(values: Extract<MainToWorker, { type: 'runtime' }>['values']): void {
    this.#broadcast({ type: 'runtime', values });
  }

  setLogLevel(name: string | undefined, level: LogLevel): void {
    this.#broadcast({ type: 'log_level', logger: name, level });
  }

  reopenLogs(): void {
    this.#broadcast({ type: 'reopen_logs' });
  }

  drain(scope: 'all' | 'inboundonly', graceful: boolean, stopAccepting: boolean): void {
    this.#broadcast({ type: 'drain', scope, graceful, stopAccepting });
  }

  // ---- end -----------------------------------------------------------------------------------------------------------

  /** Lets requests finish within `graceMs` ms, then ends the threads. */
  async shutdown(graceMs: number): Promise<void> {
    this.#ending = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    this.sockets.close();
    const left = new Set(this.#workers.filter((one) => one?.ready === true).map((one) => one!.index));
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = (index) => {
        left.delete(index);
        if (left.size === 0) resolve();
      };
      if (left.size === 0) resolve();
    });
    this.#broadcast({ type: 'shutdown', graceMs });
    await drained;
    await Promise.all(this.#workers.map((one) => one?.thread.terminate()));
  }

  #broadcast(message: MainToWorker): void {
    for (const one of this.#workers) one?.thread.postMessage(message);
  }

  #send(index: number, message: MainToWorker): void {
    this.#workers[index]?.thread.postMessage(message);
  }

  #sendSockets(index: number, sockets: readonly WorkerSocket[]): void {
    for (const { key, socket } of sockets) {
      const message: MainToWorker = { type: 'listen_socket', key, socket };
      this.#workers[index]?.thread.postMessage(message, [socket as never]);
    }
  }
}
