// The requests that workers have kept, asked of them on demand, and the watch over live ones: who watches hears of a sample, never
// of more than so many a second, and it ends by itself.

import type {
  CapturedRequest,
  CaptureFilter,
  CaptureSettings,
} from '../../common/capture/captured_request.ts';

/** Of live requests, for those who come later. */
const KEPT = 200;

/** The workers, as far as they are asked: the supervisor is one. */
export interface CapturedWorkers {
  onCapturedRequest: (record: string) => void;
  ask(question: 'captured_requests', subject: undefined): Promise<ReadonlyMap<number, readonly string[]>>;
  watchRequests(settings: CaptureSettings | undefined): void;
}

export interface WatchRequest {
  /** 0: stop. */
  readonly seconds: number;
  readonly maxPerSecond: number;
  readonly samplePercent: number;
  readonly filter: CaptureFilter;
}

export interface CaptureState {
  readonly active: boolean;
  /** ms since 1970; 0 when it is not active. */
  readonly until: number;
  readonly max_per_second: number;
  readonly sample_percent: number;
  readonly filter: CaptureFilter;
  /** Requests that were seen since it began, and those of them that were left out because they were too many. */
  readonly seen: number;
  readonly dropped: number;
}

/** What happens to those who watch. */
export type CaptureEvent =
  | { readonly type: 'request'; readonly request: CapturedRequest }
  | { readonly type: 'capture'; readonly state: CaptureState };

const NOTHING: WatchRequest = { seconds: 0, maxPerSecond: 0, samplePercent: 0, filter: {} };

export class RequestCaptures {
  readonly #workers: CapturedWorkers;
  readonly #live: string[] = [];
  readonly #watchers = new Set<(event: CaptureEvent) => void>();
  #watch: WatchRequest = NOTHING;
  #until = 0;
  #end: NodeJS.Timeout | undefined = undefined;
  #seen = 0;
  #dropped = 0;
  #second = 0;
  #inSecond = 0;

  constructor(workers: CapturedWorkers) {
    this.#workers = workers;
    workers.onCapturedRequest = (record) => this.#onRequest(record);
  }

  /** All that are kept, in no order. */
  async all(): Promise<CapturedRequest[]> {
    const answers = await this.#workers.ask('captured_requests', undefined);
    const records = [...this.#live];
    for (const answer of answers.values()) records.push(...answer);
    return records.map((record) => JSON.parse(record) as CapturedRequest);
  }

  get state(): CaptureState {
    const { maxPerSecond, samplePercent, filter } = this.#watch;
    return {
      active: this.#until > 0,
      until: this.#until,
      max_per_second: maxPerSecond,
      sample_percent: samplePercent,
      filter,
      seen: this.#seen,
      dropped: this.#dropped,
    };
  }

  /** Begins to watch, or goes on with other settings, or ends. */
  watch(watch: WatchRequest): void {
    clearTimeout(this.#end);
    if (watch.seconds === 0) {
      this.#stop();
      return;
    }
    if (this.#until === 0) this.#seen = this.#dropped = 0;
    this.#watch = watch;
    this.#until = Date.now() + watch.seconds * 1000;
    this.#end = setTimeout(() => this.#stop(), watch.seconds * 1000).unref();
    const { maxPerSecond, samplePercent, filter } = watch;
    this.#workers.watchRequests({ until: this.#until, maxPerSecond, samplePercent, filter });
    this.#tell({ type: 'capture', state: this.state });
  }

  /** Hears of what is watched until the function that it returns is called. */
  subscribe(watcher: (event: CaptureEvent) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #stop(): void {
    if (this.#until === 0) return;
    this.#until = 0;
    this.#workers.watchRequests(undefined);
    this.#tell({ type: 'capture', state: this.state });
  }

  /** Each worker keeps the limit; here they keep it together. */
  #onRequest(record: string): void {
    if (this.#until === 0) return;
    this.#seen++;
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    if (++this.#inSecond > this.#watch.maxPerSecond) {
      this.#dropped++;
      return;
    }
    if (this.#live.length === KEPT) this.#live.shift();
    this.#live.push(record);
    if (this.#watchers.size > 0)
      this.#tell({ type: 'request', request: JSON.parse(record) as CapturedRequest });
  }

  #tell(event: CaptureEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }
}
