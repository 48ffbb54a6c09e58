// Gathers finished spans and sends them to the collector, when there are enough of them or they are old enough.
// Facts: Envoy's ReporterImpl in source/extensions/tracers/zipkin/zipkin_tracer_impl.cc.

import type { RequestHeaderMap } from '../../../api/http/header_map.ts';
import type { FactoryContext } from '../../../api/registry.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { monotonicNow } from '../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../common/event/timer.ts';
import { type AsyncCallbacks, sendRequest } from '../../../common/http/async_client.ts';
import { RequestHeaders } from '../../../common/http/header_map.ts';
import { ZIPKIN_STATS } from '../../../common/stats/families/tracing.ts';
import type { ThreadLocalCluster } from '../../../common/upstream/thread_local_cluster.ts';

const STAT = ZIPKIN_STATS.offset;
/** Source of these: Envoy's documentation of the runtime keys `tracing.zipkin.*`. */
const MIN_FLUSH_SPANS = 5;
const FLUSH_INTERVAL_MS = 5000;
const REQUEST_TIMEOUT_MS = 5000;
/** However large min_flush_spans is: what waits has a bound. */
const MAX_PENDING_SPANS = 4096;

/** Where reports go. */
export interface Collector {
  readonly cluster: string;
  readonly hostname: string;
  readonly path: string;
  /** Names (lower-case) and values. */
  readonly headers: readonly (readonly [string, string])[];
}

export class ZipkinReporter implements TimerOwner, AsyncCallbacks {
  private readonly collector: Collector;
  private readonly context: FactoryContext;
  private readonly stats: StatBlock;
  private readonly timer = new Timer(this);
  private pending: string[] = [];

  constructor(collector: Collector, context: FactoryContext) {
    this.collector = collector;
    this.context = context;
    this.stats = context.stats.block(ZIPKIN_STATS, 'tracing.zipkin.');
  }

  /** `span` is JSON. */
  report(span: string): void {
    const { runtime } = this.context;
    this.pending.push(span);
    const enough = runtime.getInteger('tracing.zipkin.min_flush_spans', MIN_FLUSH_SPANS);
    if (this.pending.length >= Math.min(enough, MAX_PENDING_SPANS)) this.flush();
    else if (!this.timer.enabled) {
      const interval = runtime.getInteger('tracing.zipkin.flush_interval_ms', FLUSH_INTERVAL_MS);
      this.timer.enable(Math.max(interval, 1), monotonicNow());
    }
  }

  onTimeout(): void {
    this.count(STAT.timer_flushed, 1);
    this.flush();
  }

  private flush(): void {
    this.timer.disable();
    const { clusterManager, runtime, server } = this.context;
    const spans = this.pending;
    this.pending = [];
    this.count(STAT.spans_sent, spans.length);
    const cluster = clusterManager.getCluster(this.collector.cluster) as ThreadLocalCluster | undefined;
    if (cluster === undefined) {
      this.count(STAT.reports_skipped_no_cluster, 1);
      return;
    }
    const timeoutMs = runtime.getInteger('tracing.zipkin.request_timeout', REQUEST_TIMEOUT_MS);
    const body = Buffer.from(`[${spans.join(',')}]`, 'utf8');
    sendRequest(cluster, this.head(), body, timeoutMs, server.localIp, this);
  }

  private head(): RequestHeaderMap {
    const { hostname, path, headers } = this.collector;
    const head = new RequestHeaders('POST', path, hostname, 'http', []);
    head.set('content-type', 'application/json');
    for (const [name, value] of headers) head.set(name, value);
    return head;
  }

  /** Zipkin says 202; anything else means that the spans are lost. */
  onSuccess(status: number): void {
    this.count(status === 202 ? STAT.reports_sent : STAT.reports_dropped, 1);
  }

  onFailure(): void {
    this.count(STAT.reports_failed, 1);
  }

  private count(stat: number, n: number): void {
    const { values, base } = this.stats;
    values[base + stat] += n;
  }
}
