// What one worker keeps of requests that ended: the last that failed, the slowest of the last minutes, and, while somebody watches,
// a sample of all of them, which goes to the main thread at once. Bounded in number, size and in how often it works.

import type { LogContext } from '../../api/access_log.ts';
import { ResponseFlag, type StreamInfo } from '../../api/stream_info.ts';
import { type CaptureFilter, type CaptureSettings, captureRequest } from './captured_request.ts';
import type { RequestCapture } from './request_capture.ts';

const FAILED = 100;
const SLOWEST = 25;
/** ms after which the slowest are looked for anew; those of the time before are shown beside them. */
const SLOWEST_PERIOD_MS = 5 * 60_000;
/** A record costs some 20 us: when everything fails, a few of each second tell as much. */
const FAILED_PER_SECOND = 50;
/** An injected delay, or an answer from a cache, is none. */
const NO_FAILURE = ResponseFlag.DelayInjected | ResponseFlag.ResponseFromCacheFilter;

interface Slow {
  readonly tookMs: number;
  readonly record: string;
}

/** So many of each second. */
class PerSecond {
  limit: number;
  #second = 0;
  #count = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  take(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    return ++this.#count <= this.limit;
  }
}

export class RequestRecorder {
  readonly #capture: RequestCapture;
  readonly #failed: string[] = [];
  #nextFailed = 0;
  readonly #failures = new PerSecond(FAILED_PER_SECOND);
  #slowest: Slow[] = [];
  #slowestBefore: readonly Slow[] = [];
  #watched: CaptureSettings | undefined = undefined;
  readonly #watchedPerSecond = new PerSecond(0);
  #count = 0;

  constructor(capture: RequestCapture) {
    this.#capture = capture;
    // Lives as long as the thread, which does not wait for it.
    setInterval(() => this.#turn(), SLOWEST_PERIOD_MS).unref();
  }

  offer(context: LogContext, tookMs: number): void {
    const failed = isFailure(context.streamInfo);
    if (this.#watched !== undefined) this.#offerWatched(context, this.#watched, failed);
    if (failed && this.#failures.take()) this.#keepFailed(this.#record(context, 'failed'));
    else if (!failed && this.#isSlow(tookMs))
      this.#keepSlow({ tookMs, record: this.#record(context, 'slow') });
  }

  records(): readonly string[] {
    return [...this.#failed, ...this.#slowest.map(record), ...this.#slowestBefore.map(record)];
  }

  watch(settings: CaptureSettings | undefined): void {
    this.#watched = settings;
    this.#watchedPerSecond.limit = settings?.maxPerSecond ?? 0;
    this.#setThreshold();
  }

  #offerWatched(context: LogContext, settings: CaptureSettings, failed: boolean): void {
    if (Date.now() > settings.until) {
      this.watch(undefined);
      return;
    }
    if (!passes(settings.filter, context, failed)) return;
    if (Math.random() * 100 >= settings.samplePercent) return;
    if (this.#watchedPerSecond.take()) this.#capture.onLive(this.#record(context, 'live'));
  }

  #record(context: LogContext, set: 'failed' | 'slow' | 'live'): string {
    return captureRequest(context, set, this.#capture.workerIndex, ++this.#count);
  }

  #keepFailed(record: string): void {
    this.#failed[this.#nextFailed] = record;
    this.#nextFailed = (this.#nextFailed + 1) % FAILED;
  }

  #isSlow(tookMs: number): boolean {
    return this.#slowest.length < SLOWEST || tookMs > (this.#slowest[0] as Slow).tookMs;
  }

  /** The list is sorted, the fastest first. */
  #keepSlow(slow: Slow): void {
    const all = this.#slowest;
    if (all.length === SLOWEST) all.shift();
    let place = all.length;
    while (place > 0 && (all[place - 1] as Slow).tookMs > slow.tookMs) place--;
    all.splice(place, 0, slow);
    this.#setThreshold();
  }

  #turn(): void {
    this.#slowestBefore = this.#slowest;
    this.#slowest = [];
    this.#setThreshold();
  }

  #setThreshold(): void {
    const full = this.#slowest.length === SLOWEST;
    if (this.#watched !== undefined) this.#capture.thresholdMs = -1;
    else this.#capture.thresholdMs = full ? (this.#slowest[0] as Slow).tookMs : 0;
  }
}

function record(slow: Slow): string {
  return slow.record;
}

/** Flags say so, the upstream does (5xx), nobody answered, or the proxy refused it itself. */
export function isFailure(info: StreamInfo): boolean {
  if ((info.responseFlags & ~NO_FAILURE) !== 0 || info.responseCode >= 500 || info.responseCode === 0)
    return true;
  return info.responseCode >= 400 && info.responseCodeDetails !== 'via_upstream';
}

function passes(filter: CaptureFilter, { requestHeaders, streamInfo }: LogContext, failed: boolean): boolean {
  const { authority, path_prefix, method, cluster, route, min_status, failed_only } = filter;
  if (failed_only === true && !failed) return false;
  if (min_status !== undefined && streamInfo.responseCode < min_status) return false;
  if (cluster !== undefined && streamInfo.upstreamClusterName !== cluster) return false;
  if (route !== undefined && streamInfo.routeName !== route) return false;
  if (requestHeaders === undefined)
    return authority === undefined && path_prefix === undefined && method === undefined;
  if (method !== undefined && requestHeaders.method !== method) return false;
  const original = requestHeaders.get('x-envoy-original-path') ?? requestHeaders.path;
  if (path_prefix !== undefined && !original.startsWith(path_prefix)) return false;
  const host = requestHeaders.get('x-envoy-original-host') ?? requestHeaders.host;
  return authority === undefined || host?.toLowerCase() === authority.toLowerCase();
}
