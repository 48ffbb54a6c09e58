// The counters `cluster.<name>.grpc.[<service>.<method>.]...`, found by one lookup. Envoy: source/common/grpc/context_impl.cc.

import type { Counter, Histogram, StatStore } from '../../../../api/stats.ts';

/** The counters of one method, or of all methods of a cluster that are not counted by name. */
export class GrpcMethodCounters {
  readonly success: Counter;
  readonly failure: Counter;
  readonly total: Counter;
  readonly requestMessageCount: Counter;
  readonly responseMessageCount: Counter;
  private readonly stats: StatStore;
  private readonly prefix: string;
  private readonly byStatus = new Map<string, Counter>();
  private time: Histogram | undefined = undefined;

  constructor(stats: StatStore, prefix: string) {
    this.stats = stats;
    this.prefix = prefix;
    this.success = stats.counter(`${prefix}success`);
    this.failure = stats.counter(`${prefix}failure`);
    this.total = stats.counter(`${prefix}total`);
    this.requestMessageCount = stats.counter(`${prefix}request_message_count`);
    this.responseMessageCount = stats.counter(`${prefix}response_message_count`);
  }

  /** Counts a call that ended with `status`, the text of grpc-status. */
  chargeStatus(status: string): void {
    // A status is a number; anything else an upstream makes up must not become a stat name.
    const name = /^\d{1,3}$/.test(status) ? status : '2';
    let counter = this.byStatus.get(name);
    if (counter === undefined) this.byStatus.set(name, (counter = this.stats.counter(this.prefix + name)));
    counter.add(1);
    (status === '0' ? this.success : this.failure).add(1);
    this.total.add(1);
  }

  /** Milliseconds from the last byte sent upstream to the last byte received. */
  upstreamTime(ms: number): void {
    this.time ??= this.stats.histogram(`${this.prefix}upstream_rq_time`, 'ms');
    this.time.record(ms);
  }
}

/** All methods of one filter configuration. As many as are configured, or, with stats_for_all_methods, as clients ask for. */
export class GrpcMethodStats {
  private readonly stats: StatStore;
  private readonly counters = new Map<string, GrpcMethodCounters>();

  constructor(stats: StatStore) {
    this.stats = stats;
  }

  /** `method` is `service.method`, or '' for calls that are not counted by name. */
  get(clusterStatName: string, method: string): GrpcMethodCounters {
    const prefix =
      method === '' ? `cluster.${clusterStatName}.grpc.` : `cluster.${clusterStatName}.grpc.${method}.`;
    let counters = this.counters.get(prefix);
    if (counters === undefined)
      this.counters.set(prefix, (counters = new GrpcMethodCounters(this.stats, prefix)));
    return counters;
  }
}
