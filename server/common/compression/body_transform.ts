// Takes one body through a compressor on its way along the filter chain. The work is done on node's thread
// pool, so a big body never holds up other streams; what waits is bounded by the filter's buffer limit.
// In Envoy this is synchronous: source/extensions/compression/common.

import type { Transform } from 'node:stream';
import {
  FilterDataStatus,
  FilterTrailersStatus,
  type StreamDecoderFilterCallbacks,
  type StreamEncoderFilterCallbacks,
} from '../../api/http/filter.ts';
import { copyBytes } from '../buffer/copy_bytes.ts';
import { enter, leave } from '../event/dispatcher.ts';

/** The filter chain beyond the filter, in one direction. */
export interface BodyDirection {
  inject(bytes: Uint8Array, start: number, end: number, endStream: boolean): void;
  /** The trailers may go on. */
  continue(): void;
  /** Pauses (or no longer) whoever sends the body. */
  pause(paused: boolean): void;
  bufferLimit(): number;
  reset(details: string): void;
}

/** Told how many bytes went in and came out. */
export interface ByteTracker {
  onInput(bytes: number): void;
  onOutput(bytes: number): void;
}

const EMPTY = new Uint8Array(0);

export class BodyTransform {
  private readonly stream: Transform;
  private readonly direction: BodyDirection;
  private readonly tracker: ByteTracker;
  /** Bytes written that the library has not taken yet. */
  private pending = 0;
  private paused = false;
  private trailers = false;
  private destroyed = false;

  constructor(stream: Transform, direction: BodyDirection, tracker: ByteTracker) {
    this.stream = stream;
    this.direction = direction;
    this.tracker = tracker;
    stream.on('data', (bytes: Uint8Array) => this.onOutput(bytes));
    stream.on('end', () => this.onEnd());
    stream.on('error', () => this.onError());
  }

  /** For a filter's `decodeData` or `encodeData`. */
  write(bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus {
    const length = end - start;
    this.tracker.onInput(length);
    if (endStream) {
      this.stream.end(copyBytes(bytes, start, end));
    } else if (length > 0) {
      this.pending += length;
      this.stream.write(copyBytes(bytes, start, end), () => this.onTaken(length));
      const limit = this.direction.bufferLimit();
      if (!this.paused && limit > 0 && this.pending > limit) {
        this.paused = true;
        this.direction.pause(true);
      }
    }
    return FilterDataStatus.StopIterationNoBuffer;
  }

  /** For a filter's `decodeTrailers` or `encodeTrailers`: they wait for the body. */
  onTrailers(): FilterTrailersStatus {
    this.trailers = true;
    this.stream.end();
    return FilterTrailersStatus.StopIteration;
  }

  /** The stream is gone. */
  destroy(): void {
    this.destroyed = true;
    this.stream.destroy();
    if (this.paused) this.direction.pause(false);
  }

  private onTaken(length: number): void {
    this.pending -= length;
    if (!this.paused || this.destroyed || this.pending > this.direction.bufferLimit() / 2) return;
    this.paused = false;
    enter();
    try {
      this.direction.pause(false);
    } finally {
      leave();
    }
  }

  private onOutput(bytes: Uint8Array): void {
    if (this.destroyed) return;
    this.tracker.onOutput(bytes.length);
    enter();
    try {
      this.direction.inject(bytes, 0, bytes.length, false);
    } finally {
      leave();
    }
  }

  private onEnd(): void {
    if (this.destroyed) return;
    enter();
    try {
      if (this.trailers) this.direction.continue();
      else this.direction.inject(EMPTY, 0, 0, true);
    } finally {
      leave();
    }
  }

  private onError(): void {
    if (this.destroyed) return;
    enter();
    try {
      this.direction.reset('compression_failed');
    } finally {
      leave();
    }
  }
}

/** The way of responses. */
export class ResponseBody implements BodyDirection {
  private readonly callbacks: StreamEncoderFilterCallbacks;

  constructor(callbacks: StreamEncoderFilterCallbacks) {
    this.callbacks = callbacks;
  }

  inject(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.callbacks.injectEncodedDataToFilterChain(bytes, start, end, endStream);
  }
  continue(): void {
    this.callbacks.continueEncoding();
  }
  pause(paused: boolean): void {
    if (paused) this.callbacks.onEncoderFilterAboveWriteBufferHighWatermark();
    else this.callbacks.onEncoderFilterBelowWriteBufferLowWatermark();
  }
  bufferLimit(): number {
    return this.callbacks.encoderBufferLimit();
  }
  reset(details: string): void {
    this.callbacks.resetStream(details);
  }
}

/** The way of requests. */
export class RequestBody implements BodyDirection {
  private readonly callbacks: StreamDecoderFilterCallbacks;

  constructor(callbacks: StreamDecoderFilterCallbacks) {
    this.callbacks = callbacks;
  }

  inject(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.callbacks.injectDecodedDataToFilterChain(bytes, start, end, endStream);
  }
  continue(): void {
    this.callbacks.continueDecoding();
  }
  pause(paused: boolean): void {
    if (paused) this.callbacks.onDecoderFilterAboveWriteBufferHighWatermark();
    else this.callbacks.onDecoderFilterBelowWriteBufferLowWatermark();
  }
  bufferLimit(): number {
    return this.callbacks.decoderBufferLimit();
  }
  reset(details: string): void {
    this.callbacks.resetStream(details);
  }
}
