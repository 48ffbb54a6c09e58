// A socket between accept and connection: listener filters look at its addresses and peek at its first bytes.
// What they read is given back before the filter chain sees the connection.
// Follows Envoy's source/common/listener_manager/active_tcp_socket.cc.

import type { Socket } from 'node:net';
import {
  type ListenerFilter,
  type ListenerFilterCallbacks,
  NetworkFilterStatus,
} from '../api/network/filter.ts';
import type { StreamInfo } from '../api/stream_info.ts';
import { enter, leave, monotonicNow } from '../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../common/event/timer.ts';
import type { ListenerConfig } from '../common/listener/listener_config.ts';
import { reportConnectionFailure } from '../common/network/connection.ts';
import { type SocketHandle, socketOf } from '../common/network/socket.ts';
import { LISTENER_STATS } from '../common/stats/families/listener.ts';
import { type ConnectionInfoRecord, setDynamicMetadata } from '../common/stream_info/stream_info.ts';
import type { ActiveListener } from './active_listener.ts';

const STAT = LISTENER_STATS.offset;

export class AcceptedSocket implements ListenerFilterCallbacks, TimerOwner {
  readonly info: ConnectionInfoRecord;
  /** Bytes read so far that the connection has not seen. */
  peeked: Buffer | undefined = undefined;
  /** Passed on by another listener because of its original destination. */
  handedOff = false;
  private listener: ActiveListener;
  private config!: ListenerConfig;
  private current: ListenerFilter | undefined = undefined;
  private index = 0;
  private waitingForBytes = false;
  private timer: Timer | undefined = undefined;
  private done = false;
  private readonly onReadable = (): void => this.readMore();
  private readonly onError = (): void => this.fail(STAT.downstream_listener_filter_remote_close);
  private readonly onEnd = (): void => this.remoteClosed();
  /** The connection as the kernel gave it; undefined once a socket was made around it. */
  private handle: SocketHandle | undefined;
  private made: Socket | undefined = undefined;

  constructor(handle: SocketHandle, info: ConnectionInfoRecord, listener: ActiveListener) {
    this.handle = handle;
    this.info = info;
    this.listener = listener;
  }

  /** An ordinary socket, made when somebody needs one: for peeking and for TLS. */
  get socket(): Socket {
    if (this.made === undefined) {
      this.made = socketOf(this.handle!);
      this.handle = undefined;
      this.made.on('error', this.onError);
    }
    return this.made;
  }

  /** The bare connection, if no socket was made around it; the caller has it then. */
  takeHandle(): SocketHandle | undefined {
    const { handle } = this;
    this.handle = undefined;
    return handle;
  }

  get streamInfo(): StreamInfo {
    return this.info.streamInfo;
  }

  get fd(): number {
    if (this.handle !== undefined) return this.handle.fd;
    return (this.socket as unknown as { _handle: SocketHandle | null })._handle?.fd ?? -1;
  }

  /** Runs the listener filters of `config`. Ends in `onListenerFiltersDone`. */
  start(config: ListenerConfig): void {
    this.config = config;
    this.index = 0;
    this.done = false;
    this.run();
    // Another listener may have taken it over, with a timeout of its own.
    if (this.done || this.config !== config || config.listenerFiltersTimeoutMs === 0) return;
    this.timer = new Timer(this);
    this.timer.enable(config.listenerFiltersTimeoutMs, monotonicNow());
  }

  handOffTo(listener: ActiveListener): void {
    this.listener = listener;
    this.handedOff = true;
  }

  /** A filter that throws is a bug of ours: it costs this connection, not the process. */
  private run(): void {
    try {
      this.runFilters();
    } catch (error) {
      this.crash(error);
    }
  }

  private crash(error: unknown): void {
    reportConnectionFailure(error);
    this.fail(STAT.downstream_listener_filter_error);
  }

  private runFilters(): void {
    const filters = this.config.listenerFilters;
    for (; this.index < filters.length; this.index++) {
      const entry = filters[this.index];
      if (entry.disabled?.(this.info) === true) continue;
      const filter = (this.current = entry.config.createFilter());
      if (filter.onAccept(this) === NetworkFilterStatus.Continue) continue;
      if (filter.maxReadBytes === 0) return;
      if (this.peeked !== undefined && this.offer(filter)) continue;
      if (this.done) return;
      this.waitForBytes();
      return;
    }
    this.finish(true);
  }

  /** Shows the filter what has been read. True when it is done. */
  private offer(filter: ListenerFilter): boolean {
    const result = filter.onData!(this.peeked!);
    if (result.type === 'more') {
      if (this.peeked!.length < filter.maxReadBytes) return false;
      this.fail(STAT.downstream_listener_filter_error);
      return false;
    }
    if (result.type === 'close') {
      this.fail(STAT.downstream_listener_filter_error);
      return false;
    }
    if (result.consume > 0)
      this.peeked = result.consume >= this.peeked!.length ? undefined : this.peeked!.subarray(result.consume);
    return true;
  }

  private waitForBytes(): void {
    if (this.waitingForBytes) return;
    this.waitingForBytes = true;
    this.socket.on('readable', this.onReadable);
    this.socket.on('end', this.onEnd);
  }

  private stopWaiting(): void {
    if (!this.waitingForBytes) return;
    this.waitingForBytes = false;
    this.socket.off('readable', this.onReadable);
    this.socket.off('end', this.onEnd);
  }

  private readMore(): void {
    const chunk = this.socket.read() as Buffer | null;
    if (chunk === null || this.done) return;
    this.peeked = this.peeked === undefined ? chunk : Buffer.concat([this.peeked, chunk]);
    enter();
    try {
      if (!this.offer(this.current!)) return;
      this.index++;
      this.run();
    } catch (error) {
      this.crash(error);
    } finally {
      leave();
    }
  }

  private remoteClosed(): void {
    if (!this.done) this.fail(STAT.downstream_listener_filter_remote_close);
  }

  continueFilterChain(success: boolean): void {
    if (this.done) return;
    if (!success) {
      this.fail(STAT.downstream_listener_filter_error);
      return;
    }
    this.index++;
    this.run();
  }

  setDynamicMetadata(namespace: string, value: Record<string, unknown>): void {
    setDynamicMetadata(this.streamInfo, namespace, value);
  }

  onTimeout(): void {
    const { stats } = this.listener;
    stats.values[stats.base + STAT.downstream_pre_cx_timeout]++;
    this.current?.onDestroy?.();
    this.finish(this.config.continueOnListenerFiltersTimeout);
  }

  private fail(stat: number): void {
    if (this.done) return;
    const { stats } = this.listener;
    stats.values[stats.base + stat]++;
    this.finish(false);
  }

  private finish(success: boolean): void {
    this.done = true;
    this.timer?.disable();
    this.timer = undefined;
    this.stopWaiting();
    if (!success) this.destroy();
    this.listener.onListenerFiltersDone(this, success);
  }

  /** Hands the socket over: this object no longer listens to it. */
  release(): void {
    this.made?.off('error', this.onError);
  }

  destroy(): void {
    if (!this.done) {
      this.finish(false);
      return;
    }
    if (this.made !== undefined) this.made.destroy();
    else this.takeHandle()?.close();
  }
}
