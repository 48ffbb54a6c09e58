// Counts the requests of a connection that their client took back before there was an answer. A client that does little else
// makes work for nothing (rapid reset, CVE-2023-44487), and loses its connection.
// Envoy: isPrematureRstStream and maybeDrainDueToPrematureResets (source/common/http/conn_manager_impl.cc).

import type { Runtime } from '../../api/runtime.ts';
import type { StreamInfo } from '../../api/stream_info.ts';

const TOTAL_STREAM_COUNT = 'overload.premature_reset_total_stream_count';
const DEFAULT_TOTAL_STREAM_COUNT = 500;
const MIN_STREAM_LIFETIME_SECONDS = 'overload.premature_reset_min_stream_lifetime_seconds';
const DEFAULT_MIN_STREAM_LIFETIME_SECONDS = 1;

export class PrematureResets {
  private streams = 0;
  private premature = 0;

  /** A stream is over. True when the connection has had too many that were taken back: half of the first 500, or of all. */
  onStreamEnded(info: StreamInfo, runtime: Runtime): boolean {
    this.streams++;
    if (info.responseCode !== 0) return false;
    const lifetimeMs = info.requestComplete - info.startTimeMonotonic;
    const minSeconds = runtime.getInteger(MIN_STREAM_LIFETIME_SECONDS, DEFAULT_MIN_STREAM_LIFETIME_SECONDS);
    if (Math.trunc(lifetimeMs / 1000) > minSeconds) return false;
    this.premature++;
    const limit = runtime.getInteger(TOTAL_STREAM_COUNT, DEFAULT_TOTAL_STREAM_COUNT);
    return this.premature * 2 >= Math.max(limit, this.streams);
  }
}
