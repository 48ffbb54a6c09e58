// Lets a response body through at a fixed rate. Envoy: source/extensions/filters/http/common/stream_rate_limiter.cc.

import type { StreamEncoderFilterCallbacks } from '../../../../api/http/filter.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';

/** How often tokens are spent, ms (StreamRateLimiter::DefaultFillInterval). */
const FILL_INTERVAL_MS = 50;
const BYTES_PER_KB = 1024;

export class StreamRateLimiter implements TimerOwner {
  private readonly bytesPerMs: number;
  private readonly maxTokens: number;
  private readonly encoder: StreamEncoderFilterCallbacks;
  private readonly timer: Timer;
  private readonly chunks: Uint8Array[] = [];
  private buffered = 0;
  private tokens: number;
  private filledAt: number;
  private sawEndStream = false;
  private sawTrailers = false;
  private paused = false;

  /** `kbps` is KiB/s. */
  constructor(kbps: number, encoder: StreamEncoderFilterCallbacks) {
    this.maxTokens = kbps * BYTES_PER_KB;
    this.bytesPerMs = this.maxTokens / 1000;
    this.tokens = this.bytesPerMs * FILL_INTERVAL_MS;
    this.filledAt = performance.now();
    this.encoder = encoder;
    this.timer = new Timer(this);
  }

  /** Takes body bytes; they leave later, when this call is over. */
  write(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (end > start) this.chunks.push(bytes.slice(start, end));
    this.buffered += end - start;
    this.sawEndStream = endStream;
    const limit = this.encoder.encoderBufferLimit();
    if (!this.paused && limit > 0 && this.buffered > limit) {
      this.paused = true;
      this.encoder.onEncoderFilterAboveWriteBufferHighWatermark();
    }
    if (!this.timer.enabled) this.timer.enable(0, performance.now());
  }

  /** True when the trailers have to wait for body bytes. */
  onTrailers(): boolean {
    this.sawEndStream = true;
    this.sawTrailers = true;
    return this.buffered > 0;
  }

  onTimeout(): void {
    const bytes = this.take(this.consume(this.buffered));
    if (this.buffered > 0) this.timer.enable(FILL_INTERVAL_MS, performance.now());
    this.resumeWhenDrained();
    const done = this.buffered === 0;
    this.encoder.injectEncodedDataToFilterChain(
      bytes,
      0,
      bytes.length,
      this.sawEndStream && done && !this.sawTrailers,
    );
    if (done && this.sawTrailers) this.encoder.continueEncoding();
  }

  destroy(): void {
    this.timer.disable();
    this.chunks.length = 0;
  }

  private consume(wanted: number): number {
    const now = performance.now();
    this.tokens = Math.min(this.maxTokens, this.tokens + (now - this.filledAt) * this.bytesPerMs);
    this.filledAt = now;
    const granted = Math.min(Math.floor(this.tokens), wanted);
    this.tokens -= granted;
    return granted;
  }

  private take(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const chunk = this.chunks[0];
      const part = chunk.subarray(0, count - filled);
      bytes.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(part.length);
    }
    this.buffered -= count;
    return bytes;
  }

  private resumeWhenDrained(): void {
    if (!this.paused || this.buffered > this.encoder.encoderBufferLimit() / 2) return;
    this.paused = false;
    this.encoder.onEncoderFilterBelowWriteBufferLowWatermark();
  }
}
