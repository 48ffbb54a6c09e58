// How each worker does: its connections, how busy its event loop is, how long it takes to answer, its heap.

import type { StatAggregator } from '../../common/stats/aggregator.ts';
import { PER_HANDLER_LISTENER_STATS } from '../../common/stats/families/listener.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import type { WorkerThread } from '../supervisor/worker_thread.ts';

export interface WorkerNumbers {
  readonly index: number;
  readonly uptimeMs: number;
  /** Now, and since the start of the process. */
  readonly connections: number;
  readonly connectionsTotal: number;
  /** Share of the time that its event loop was busy since the last look, or since its start; 0 to 1. */
  readonly utilization: number;
  /** ms until it answered a message, as a client that has just sent something waits. Undefined: it does not answer. */
  readonly responseMs: number | undefined;
  /** Bytes. */
  readonly heapUsed: number;
  readonly heapLimit: number;
}

export async function workerNumbers(
  supervisor: Supervisor,
  stats: StatAggregator,
): Promise<readonly WorkerNumbers[]> {
  const asked = performance.now();
  const responses = new Map<number, number>();
  await supervisor.ask('response_time', undefined, (index) => {
    responses.set(index, performance.now() - asked);
  });
  return Promise.all(
    supervisor.workers.map((worker) => numbersOf(worker, responses.get(worker.index), stats)),
  );
}

async function numbersOf(
  worker: WorkerThread,
  responseMs: number | undefined,
  stats: StatAggregator,
): Promise<WorkerNumbers> {
  const heap = await worker.heapStatistics();
  const { active, total } = connectionsOf(worker.name, stats);
  return {
    index: worker.index,
    uptimeMs: performance.now() - worker.startedAt,
    connections: active,
    connectionsTotal: total,
    utilization: worker.utilization(),
    responseMs,
    heapUsed: heap.used_heap_size,
    heapLimit: heap.heap_size_limit,
  };
}

/** Of all listeners, as Envoy counts them by worker. */
function connectionsOf(
  worker: string,
  stats: StatAggregator,
): { readonly active: number; readonly total: number } {
  const { downstream_cx_active: activeAt, downstream_cx_total: totalAt } = PER_HANDLER_LISTENER_STATS.offset;
  let [active, total] = [0, 0];
  for (const family of stats.familiesOf(PER_HANDLER_LISTENER_STATS)) {
    if (!family.prefix.endsWith(`.${worker}.`)) continue;
    active += family.value(activeAt);
    total += family.value(totalAt);
  }
  return { active, total };
}
