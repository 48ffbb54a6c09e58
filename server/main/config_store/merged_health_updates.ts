// Changes of hosts' health, as the workers are told of them: the first at once, what follows within a window together at its
// end, so that a cluster whose hosts flap is not rebuilt in every worker all the time.
// Envoy: ClusterManagerImpl::scheduleUpdate (source/common/upstream/cluster_manager_impl.cc); Cluster.CommonLbConfig.update_merge_window.

export class MergedHealthUpdates {
  readonly #publish: () => void;
  readonly #windowMs: number;
  readonly #now: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** `windowMs` 0: every change at once. `now` in ms of the monotonic clock. */
  constructor(publish: () => void, windowMs: number, now: () => number = () => performance.now()) {
    this.#publish = publish;
    this.#windowMs = windowMs;
    this.#now = now;
  }

  changed(): void {
    if (this.#windowMs === 0 || this.#now() - this.#last > this.#windowMs) {
      this.superseded();
      this.#publish();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.superseded();
      this.#publish();
    }, this.#windowMs).unref();
  }

  /** The workers are told of all hosts anyway. */
  superseded(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = this.#now();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
