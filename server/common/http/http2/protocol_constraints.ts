// Counts what a peer makes us do and hold, and says when it is too much.
// Envoy: source/common/http/http2/protocol_constraints.cc; limits are fields of Http2ProtocolOptions.

import type { ByteSink } from '../../../api/http/codec.ts';
import type { StatBlock } from '../../../api/stats.ts';
import { HTTP2_CODEC_STATS } from '../../stats/families/codec.ts';
import type { Http2Settings } from './settings.ts';

const STAT = HTTP2_CODEC_STATS.offset;

/** Frames are released in groups of 1/64 of the limit, so that few marks are kept. */
const GROUPS = 64;

/** Frames that were written and not taken by the kernel yet. */
export class OutboundFrames {
  private readonly sink: ByteSink;
  private readonly limit: number;
  private readonly groupSize: number;
  /** Where the output stood at the end of each complete group, in bytes. */
  private marks: number[] = [];
  private total = 0;
  private inGroup = 0;

  constructor(sink: ByteSink, limit: number) {
    this.sink = sink;
    this.limit = limit;
    this.groupSize = Math.max(1, Math.floor(limit / GROUPS));
  }

  /** A frame is written. True when there are too many of them. */
  add(): boolean {
    this.total++;
    if (++this.inGroup === this.groupSize) {
      this.inGroup = 0;
      this.marks.push(this.sink.wireBytesSent);
    }
    if (this.total <= this.limit) return false;
    this.release();
    return this.total > this.limit;
  }

  /** Forgets what is sent. */
  release(): void {
    if (this.total === 0) return;
    const unsent = this.sink.unsentBytes;
    if (unsent === 0) {
      this.total = 0;
      this.inGroup = 0;
      if (this.marks.length > 0) this.marks = [];
      return;
    }
    const sent = this.sink.wireBytesSent - unsent;
    let done = 0;
    while (done < this.marks.length && this.marks[done] <= sent) done++;
    if (done === 0) return;
    this.marks.splice(0, done);
    this.total -= done * this.groupSize;
  }
}

/** Told when too much waits to be sent: in the middle of writing, so it must not write or close anything there. */
export interface FloodListener {
  onOutboundFlood(message: string): void;
}

export class ProtocolConstraints {
  private readonly settings: Http2Settings;
  private readonly stats: StatBlock;
  private readonly listener: FloodListener;
  private readonly frames: OutboundFrames;
  private readonly controlFrames: OutboundFrames;
  private emptyFrames = 0;
  private priorityFrames = 0;
  private windowUpdateFrames = 0;
  private openedStreams = 0;
  private outboundDataFrames = 0;
  private flooded = false;

  constructor(sink: ByteSink, settings: Http2Settings, stats: StatBlock, listener: FloodListener) {
    this.listener = listener;
    this.settings = settings;
    this.stats = stats;
    this.frames = new OutboundFrames(sink, settings.maxOutboundFrames);
    this.controlFrames = new OutboundFrames(sink, settings.maxOutboundControlFrames);
  }

  /** Frames that the kernel has taken do not count. To be called once per read. */
  release(): void {
    this.frames.release();
    this.controlFrames.release();
  }

  onFrameSent(): void {
    if (this.frames.add())
      this.onOutboundFlood(STAT.outbound_flood, 'Too many frames in the outbound queue.');
  }

  onDataFrameSent(): void {
    this.outboundDataFrames++;
    this.onFrameSent();
  }

  /** ACKs of PING and SETTINGS, and RST_STREAM: what a peer can make us send for nothing. */
  onControlFrameSent(): void {
    this.onFrameSent();
    if (this.controlFrames.add())
      this.onOutboundFlood(STAT.outbound_control_flood, 'Too many control frames in the outbound queue.');
  }

  private onOutboundFlood(stat: number, message: string): void {
    if (this.flooded) return;
    this.flooded = true;
    this.count(stat);
    this.listener.onOutboundFlood(message);
  }

  onStreamOpened(): void {
    this.openedStreams++;
  }

  /** A HEADERS, CONTINUATION or DATA frame. `empty`: no payload and no END_STREAM. False when there were too many in a row. */
  onPayload(empty: boolean): boolean {
    if (!empty) {
      this.emptyFrames = 0;
      return true;
    }
    if (++this.emptyFrames <= this.settings.maxConsecutiveInboundFramesWithEmptyPayload) return true;
    this.count(STAT.inbound_empty_frames_flood);
    return false;
  }

  /** False when there were too many. */
  onPriorityFrame(): boolean {
    if (++this.priorityFrames <= this.settings.maxInboundPriorityFramesPerStream * (1 + this.openedStreams))
      return true;
    this.count(STAT.inbound_priority_frames_flood);
    return false;
  }

  /** False when there were too many. Source of the formula: max_inbound_window_update_frames_per_data_frame_sent. */
  onWindowUpdateFrame(): boolean {
    const perDataFrame = this.settings.maxInboundWindowUpdateFramesPerDataFrameSent;
    const most = 5 + 2 * (this.openedStreams + perDataFrame * this.outboundDataFrames);
    if (++this.windowUpdateFrames <= most) return true;
    this.count(STAT.inbound_window_update_frames_flood);
    return false;
  }

  private count(offset: number): void {
    this.stats.values[this.stats.base + offset]++;
  }
}
