// Runs the worker threads: starts them, sends them configuration, replaces one that died, ends them in order.
// Envoy: source/server/server.cc (workers) and source/server/drain_manager_impl.cc.

import type { RouteDiscoveryKind } from '../../api/router.ts';
import type { Counter, StatStore } from '../../api/stats.ts';
import type { CaptureSettings } from '../../common/capture/captured_request.ts';
import { type LogLevel, type LogRecord, logger } from '../../common/log.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { EvictedStat } from '../../common/stats/messages.ts';
import type { HostEvent } from '../../common/upstream/host_event.ts';
import type {
  MainToWorker,
  ResourceUpdate,
  WorkerAnswers,
  WorkerOptions,
  WorkerQuestion,
  WorkerQuestionSubjects,
  WorkerToMain,
} from '../../messages.ts';
import { discard, type ListenSockets, type WorkerSocket } from './listen_sockets.ts';
import { Questions } from './questions.ts';
import { type TablePiece, WorkerThread } from './worker_thread.ts';

const log = logger('main');
/** ms to wait before a worker that died right after its start is started again. */
const RESTART_DELAY_MS = 1000;

const ENTRY = new URL('../../worker.ts', import.meta.url);

export interface SupervisorOptions {
  readonly concurrency: number;
  /** The module that a worker thread runs; server/worker.ts by default. */
  readonly entry?: URL | undefined;
  /** What every worker starts with; the index is added. */
  workerOptions(index: number): WorkerOptions;
  /** Everything current, for a worker that starts late. What has gathered for the others must have been published. */
  snapshot(): readonly ResourceUpdate[];
  /** All pieces of the shared tables. */
  pieces(): readonly TablePiece[];
  /** A worker died that held this much of a piece. */
  reclaim(table: TablePiece['table'], index: number, held: SharedArrayBuffer): void;
  readonly aggregator: StatAggregator;
  readonly stats: StatStore;
  /** Outlier detection or health checks have something to judge. */
  onHostEvent(cluster: string, slot: number, event: HostEvent): void;
  /** A worker wants a cluster. */
  onDiscoverCluster(source: string, cluster: string): void;
  onDiscoverRoute(of: RouteDiscoveryKind, owner: string, name: string): void;
  /** A host of a DNS cache is asked for. */
  onDnsHostUsed(cache: string, key: string): void;
  /** A worker's log record. */
  onLog(record: LogRecord, worker: number): void;
}

export class Supervisor {
  readonly sockets: ListenSockets;
  readonly #options: SupervisorOptions;
  readonly #workers: (WorkerThread | undefined)[] = [];
  readonly #crashes: Counter;
  readonly #restarts = new Set<NodeJS.Timeout>();
  #sequence = 0;
  /** Sequence of the last update that went to all. */
  #broadcasted = 0;
  #unsettled: { readonly sequence: number; readonly resolve: () => void }[] = [];
  #ending = false;
  #published = false;
  /** A worker that starts late drains as the others do. */
  #drain: Extract<MainToWorker, { type: 'drain' }> | undefined = undefined;
  /** As above, after /healthcheck/fail. */
  #failed = false;
  #onDrained: (index: number) => void = () => {};
  readonly #questions = new Questions();
  /** As above, where somebody watches requests. */
  #watch: Extract<MainToWorker, { type: 'watch_requests' }> | undefined = undefined;
  /** Gets the requests that somebody watches, as JSON of CapturedRequest. */
  onCapturedRequest: (record: string) => void = () => {};

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
    const updates = this.#published ? this.#options.snapshot() : undefined;
    const worker = new WorkerThread(this.#options.entry ?? ENTRY, this.#options.workerOptions(index), {
      onMessage: (message) => this.#onMessage(worker, message, onReady),
      onError: (error) => log.critical(`worker_${index} died: ${error.stack ?? error.message}`),
      onExit: () => this.#onExit(worker, onReady),
    });
    this.#workers[index] = worker;
    for (const piece of this.#options.pieces()) worker.addPiece(piece);
    if (this.#watch !== undefined) worker.send(this.#watch);
    if (this.#failed) worker.send({ type: 'server_health', failed: true });
    if (updates === undefined) return;
    worker.giveSockets(this.sockets.rebind(index));
    worker.send({ type: 'update', sequence: ++this.#sequence, updates });
    if (this.#drain !== undefined) worker.send(this.#drain);
  }

  #onMessage(worker: WorkerThread, message: WorkerToMain, onReady: () => void): void {
    switch (message.type) {
      case 'ready':
        worker.ready = true;
        onReady();
        break;
      case 'stats':
        this.#options.aggregator.apply(`worker_${worker.index}`, message.message);
        break;
      case 'applied':
        worker.applied = message.sequence;
        this.#settle();
        for (const { kind, name, reason } of message.failures)
          log.critical(`worker_${worker.index} could not apply ${kind} ${name}: ${reason}`);
        break;
      case 'dns_host_used':
        this.#options.onDnsHostUsed(message.cache, message.key);
        break;
      case 'discover_cluster':
        this.#options.onDiscoverCluster(message.source, message.cluster);
        break;
      case 'discover_route':
        this.#options.onDiscoverRoute(message.of, message.owner, message.name);
        break;
      case 'host_event':
        this.#options.onHostEvent(message.cluster, message.slot, message.event);
        break;
      case 'log':
        this.#options.onLog(message, worker.index);
        break;
      case 'answer':
        this.#questions.onAnswer(worker.index, message.id, message.answer);
        break;
      case 'captured_request':
        this.onCapturedRequest(message.record);
        break;
      case 'drained':
        this.#onDrained(worker.index);
        break;
    }
  }

  /** The last good configuration serves on: the other workers go on, and a new one takes this one's place. */
  #onExit(worker: WorkerThread, onReady: () => void): void {
    const { index } = worker;
    if (this.#workers[index] !== worker) return;
    this.#workers[index] = undefined;
    this.#settle();
    const { aggregator, reclaim } = this.#options;
    aggregator.removeThread(`worker_${index}`);
    for (const piece of worker.held) reclaim(piece.table, piece.index, piece.held);
    this.#onDrained(index);
    this.#questions.onExit(index);
    if (this.#ending) return;
    this.#crashes.add(1);
    const restart = (): void => {
      this.#restarts.delete(timer);
      this.#startWorker(index, worker.ready ? () => log.warning(`worker_${index} was replaced`) : onReady);
    };
    const young = performance.now() - worker.startedAt < RESTART_DELAY_MS;
    const timer = setTimeout(restart, young ? RESTART_DELAY_MS : 0);
    this.#restarts.add(timer);
  }

  // ---- configuration -------------------------------------------------------------------------------------------------

  /** Sends updates to all workers. Sockets of new listeners go first. */
  publish(updates: readonly ResourceUpdate[]): void {
    this.#published = true;
    for (const update of updates) {
      if (update.kind === 'listener') {
        for (const [index, sockets] of this.sockets.publish(update.name, update.bytes).entries())
          this.#giveSockets(index, sockets);
      } else if (update.kind === 'remove' && update.resource === 'listener') this.sockets.remove(update.name);
    }
    this.#broadcasted = ++this.#sequence;
    this.#broadcast({ type: 'update', sequence: this.#broadcasted, updates });
  }

  /** Resolves once all that was published is in force on every worker. One that has died is not waited for. */
  settled(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unsettled.push({ sequence: this.#broadcasted, resolve });
    this.#settle();
    return promise;
  }

  #settle(): void {
    const slowest = Math.min(...this.#workers.map((one) => one?.applied ?? Number.POSITIVE_INFINITY));
    this.#unsettled = this.#unsettled.filter(({ sequence, resolve }) => {
      if (slowest >= sequence) resolve();
      return slowest < sequence;
    });
  }

  /** Those that run. */
  get workers(): readonly WorkerThread[] {
    return this.#workers.filter((one) => one !== undefined);
  }

  addPiece(table: TablePiece['table'], index: number, memory: SharedArrayBuffer): void {
    for (const one of this.#workers) one?.addPiece({ table, index, memory });
  }

  runtime(values: Extract<MainToWorker, { type: 'runtime' }>['values']): void {
    this.#broadcast({ type: 'runtime', values });
  }

  setLogLevel(name: string | undefined, level: LogLevel): void {
    this.#broadcast({ type: 'log_level', logger: name, level });
  }

  /** Stats that nobody has written for long, of all workers. */
  evictStats(stats: readonly EvictedStat[]): void {
    this.#broadcast({ type: 'evict_stats', stats });
  }

  reopenLogs(): void {
    this.#broadcast({ type: 'reopen_logs' });
  }

  /** After /healthcheck/fail and /healthcheck/ok. */
  setServerHealth(failed: boolean): void {
    this.#failed = failed;
    this.#broadcast({ type: 'server_health', failed });
  }

  drain(scope: 'all' | 'inboundonly', graceful: boolean, stopAccepting: boolean): void {
    if (stopAccepting) this.sockets.stop(scope);
    this.#drain = { type: 'drain', scope, graceful, stopAccepting };
    this.#broadcast(this.#drain);
  }

  // ---- questions -----------------------------------------------------------------------------------------------------

  /** Asks all workers; resolves with what each says, by its index. */
  ask<Q extends WorkerQuestion>(
    question: Q,
    subject: WorkerQuestionSubjects[Q],
    onAnswer?: (worker: number) => void,
  ): Promise<ReadonlyMap<number, WorkerAnswers[Q]>> {
    const ready = this.workers.filter((one) => one.ready).map((one) => one.index);
    const send = (index: number, id: number): void => {
      const message = { type: 'question', id, question, subject } as Extract<
        MainToWorker,
        { type: 'question' }
      >;
      this.#workers[index]?.send(message);
    };
    return this.#questions.ask<Q>(ready, send, onAnswer);
  }

  /** Somebody watches requests, or (undefined) no more. */
  watchRequests(settings: CaptureSettings | undefined): void {
    this.#watch = { type: 'watch_requests', settings };
    this.#broadcast(this.#watch);
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
    await Promise.all(this.#workers.map((one) => one?.terminate()));
  }

  #broadcast(message: MainToWorker): void {
    for (const one of this.#workers) one?.send(message);
  }

  #giveSockets(index: number, sockets: readonly WorkerSocket[]): void {
    const worker = this.#workers[index];
    if (worker !== undefined) worker.giveSockets(sockets);
    // The worker that takes the place of this dead one gets sockets of its own.
    else for (const socket of sockets) discard(socket);
  }
}
