// Counts responses by status code and class. Envoy names these stats with the first response of a kind
// (`upstream_rq_503`, `upstream_rq_5xx`), so the common codes cost an array read and an add, and unseen ones nothing.
// Envoy: source/common/http/codes.cc.

import type { Counter, StatBlock, StatStore } from '../../api/stats.ts';
import { RESPONSE_CODE_STATS } from './families/cluster.ts';
import { HTTP_LISTENER_STATS, HTTP_STATS } from './families/http.ts';

const { upstream_rq_completed, upstream_rq_1xx, upstream_rq_time } = RESPONSE_CODE_STATS.offset;

/** Where a response's status is counted. */
export interface ResponseCodeCounters {
  /** A response of `status` was finished: 100 to 599, others count as completed only. */
  charge(status: number): void;
}

/** The response stats below one prefix: `cluster.<name>.`, `cluster.<name>.external.`, `vhost.<name>.vcluster.<name>.` ... */
export class ResponseCodeStats implements ResponseCodeCounters {
  readonly #store: StatStore;
  readonly #prefix: string;
  readonly #block: StatBlock;
  readonly #byStatus: (Counter | undefined)[] = [];

  constructor(store: StatStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#block = store.block(RESPONSE_CODE_STATS, prefix);
  }

  charge(status: number): void {
    chargeClass(this.#block, upstream_rq_completed, upstream_rq_1xx, status);
    if (status < 100 || status > 599) return;
    (this.#byStatus[status - 100] ?? this.#makeCounter(status)).add(1);
  }

  /** `upstream_rq_time`, in milliseconds. */
  recordTime(ms: number): void {
    this.#block.record(upstream_rq_time, ms);
  }

  release(): void {
    this.#store.release(this.#block);
    for (const counter of this.#byStatus) {
      if (counter !== undefined) this.#store.release(counter);
    }
  }

  #makeCounter(status: number): Counter {
    const counter = this.#store.counter(`${this.#prefix}upstream_rq_${status}`);
    // Filled up to the status, so that the array stays dense.
    while (this.#byStatus.length <= status - 100) this.#byStatus.push(undefined);
    this.#byStatus[status - 100] = counter;
    return counter;
  }
}

/** The `downstream_rq_2xx`, ... of a connection manager and of its listener. */
export class DownstreamResponseCodes implements ResponseCodeCounters {
  readonly #http: StatBlock;
  readonly #listener: StatBlock;

  /** Blocks of HTTP_STATS and HTTP_LISTENER_STATS. */
  constructor(http: StatBlock, listener: StatBlock) {
    this.#http = http;
    this.#listener = listener;
  }

  charge(status: number): void {
    chargeClass(
      this.#http,
      HTTP_STATS.offset.downstream_rq_completed,
      HTTP_STATS.offset.downstream_rq_1xx,
      status,
    );
    const { offset } = HTTP_LISTENER_STATS;
    chargeClass(this.#listener, offset.downstream_rq_completed, offset.downstream_rq_1xx, status);
  }
}

/** `firstClass` is the offset of `..._1xx`; the other classes follow it in their schema. */
function chargeClass(
  { values, base }: StatBlock,
  completed: number,
  firstClass: number,
  status: number,
): void {
  values[base + completed] = (values[base + completed] as number) + 1;
  if (status < 100 || status > 599) return;
  const slot = base + firstClass + ((status / 100) | 0) - 1;
  values[slot] = (values[slot] as number) + 1;
}
