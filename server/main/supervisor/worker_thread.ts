// One worker thread as main sees it: the thread, what it was sent, and what it holds of the shared tables.
// Envoy: source/server/worker_impl.cc.

import type { EventLoopUtilization } from 'node:perf_hooks';
import type { HeapInfo, HeapProfileOptions } from 'node:v8';
import { setFlagsFromString } from 'node:v8';
import { Worker as Thread } from 'node:worker_threads';
import type { MainToWorker, WorkerOptions, WorkerToMain } from '../../messages.ts';
import type { WorkerSocket } from './listen_sockets.ts';

/** A piece of a table that all threads share. */
export type TablePiece = Pick<Extract<MainToWorker, { type: 'table' }>, 'table' | 'index' | 'memory'>;
/** What one worker has added to a piece of a shared table. */
export type HeldPiece = Pick<Extract<MainToWorker, { type: 'table' }>, 'table' | 'index' | 'held'>;

/**
 * MB of a worker's young generation. 4 stay in the processor's cache: measured as fast as 16 or 32, and 20 smaller. With 2, what
 * 500 streams under way hold does not fit and is taken for old: gRPC then costs 10 µs a call instead of 6, and 50 MB more. It
 * has this size from the start, since after the collection that ends the start V8 would not let it grow again.
 */
const YOUNG_GENERATION_MB = 4;

export interface WorkerThreadCallbacks {
  onMessage(message: WorkerToMain): void;
  /** An exception that nothing caught; `onExit` follows. */
  onError(error: Error): void;
  onExit(): void;
}

export class WorkerThread {
  readonly index: number;
  /** `performance.now()` ms. */
  readonly startedAt = performance.now();
  readonly held: HeldPiece[] = [];
  ready = false;
  /** Sequence of the last update that is in force on it. */
  applied = 0;
  readonly #thread: Thread;
  #lastUtilization: EventLoopUtilization | undefined = undefined;

  constructor(entry: URL, options: WorkerOptions, callbacks: WorkerThreadCallbacks) {
    this.index = options.index;
    // V8 reads these when a thread begins; those of the main thread stay as they were.
    setFlagsFromString(`--min-semi-space-size=${YOUNG_GENERATION_MB}`);
    setFlagsFromString(`--max-semi-space-size=${YOUNG_GENERATION_MB}`);
    this.#thread = new Thread(entry, { workerData: options, name: this.name });
    this.#thread.on('message', (message: WorkerToMain) => callbacks.onMessage(message));
    this.#thread.on('error', (error: Error) => callbacks.onError(error));
    this.#thread.on('exit', () => callbacks.onExit());
  }

  /** Messages wait in the port until the thread reads them, so nothing is lost before it is ready. */
  send(message: MainToWorker): void {
    this.#thread.postMessage(message);
  }

  addPiece({ table, index, memory }: TablePiece): void {
    const held = new SharedArrayBuffer(memory.byteLength);
    this.held.push({ table, index, held });
    this.send({ type: 'table', table, index, memory, held });
  }

  /** Hands listening sockets over; they are this worker's alone from now on. */
  giveSockets(sockets: readonly WorkerSocket[]): void {
    for (const one of sockets) {
      const message: MainToWorker = { type: 'listen_socket', ...one };
      this.#thread.postMessage(message, 'socket' in one ? [one.socket as never] : []);
    }
  }

  get name(): string {
    return `worker_${this.index}`;
  }

  startCpuProfile(): ReturnType<Thread['startCpuProfile']> {
    return this.#thread.startCpuProfile();
  }

  startHeapProfile(options: HeapProfileOptions): ReturnType<Thread['startHeapProfile']> {
    return this.#thread.startHeapProfile(options);
  }

  heapStatistics(): Promise<HeapInfo> {
    return this.#thread.getHeapStatistics();
  }

  /** Share of the time that its event loop was busy since the last call, 0 to 1. */
  utilization(): number {
    const { performance: loop } = this.#thread;
    const now = loop.eventLoopUtilization();
    const before = this.#lastUtilization;
    this.#lastUtilization = now;
    return before === undefined ? now.utilization : loop.eventLoopUtilization(now, before).utilization;
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate();
  }
}
