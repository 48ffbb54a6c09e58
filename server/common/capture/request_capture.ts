// Where requests that ended are offered for keeping: the failed ones, the slowest, and all while somebody watches. A stream
// asks two or three comparisons; what is kept, and the code that keeps it, is loaded with the first one that is.

import { createRequire } from 'node:module';
import type { LogContext } from '../../api/access_log.ts';
import { ResponseFlag, type StreamInfo } from '../../api/stream_info.ts';
import { connectionLogContext } from '../access_log/connection_log_context.ts';
import type { CaptureSettings } from './captured_request.ts';
import type { RequestRecorder } from './request_recorder.ts';

const require = createRequire(import.meta.url);

export class RequestCapture {
  /** ms: a request that took longer is offered. Below zero while somebody watches. */
  thresholdMs = 0;
  /** Of this worker. */
  workerIndex = 0;
  /** Gets what is captured while somebody watches, as JSON of a CapturedRequest. */
  onLive: (record: string) => void = () => {};
  #recorder: RequestRecorder | undefined = undefined;

  /** Is the stream to be offered? Not all that are will be kept. */
  wants(flags: number, status: number, tookMs: number): boolean {
    return flags !== 0 || status >= 400 || tookMs > this.thresholdMs;
  }

  /** A stream has ended. */
  offer(context: LogContext, tookMs: number): void {
    this.#open().offer(context, tookMs);
  }

  /** A connection that carried no requests has ended, with response flags: offered unless the client merely went. */
  offerConnection(info: StreamInfo): void {
    if ((info.responseFlags & ~ResponseFlag.DownstreamConnectionTermination) === 0) return;
    const now = performance.now();
    info.requestComplete = now;
    this.#open().offer(connectionLogContext(info), now - info.startTimeMonotonic);
  }

  /** All that are kept, as JSON of CapturedRequest each. */
  records(): readonly string[] {
    return this.#recorder?.records() ?? [];
  }

  /** Begins, changes or (undefined) ends what somebody watches. */
  watch(settings: CaptureSettings | undefined): void {
    if (settings !== undefined || this.#recorder !== undefined) this.#open().watch(settings);
  }

  #open(): RequestRecorder {
    if (this.#recorder === undefined) {
      const module = require('./request_recorder.ts') as typeof import('./request_recorder.ts');
      this.#recorder = new module.RequestRecorder(this);
    }
    return this.#recorder;
  }
}

/** This thread's. */
export const requestCapture = new RequestCapture();
