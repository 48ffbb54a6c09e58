// PINGs that find out whether the peer is still there.
// Envoy: sendKeepalive in source/common/http/http2/codec_impl.cc; core.v3.KeepaliveSettings.

import { monotonicNow } from '../../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../event/timer.ts';
import type { Http2Keepalive } from './settings.ts';

export interface KeepaliveOwner {
  sendPing(): void;
  /** A PING was not answered in time. */
  onKeepaliveTimeout(): void;
}

export class Keepalive implements TimerOwner {
  private readonly owner: KeepaliveOwner;
  private readonly settings: Http2Keepalive;
  private readonly sendTimer = new Timer(this);
  private readonly timeoutTimer = new Timer(this);
  private receivedAt = monotonicNow();

  constructor(owner: KeepaliveOwner, settings: Http2Keepalive) {
    this.owner = owner;
    this.settings = settings;
    this.scheduleNext();
  }

  /** Bytes came, so the peer is there; its answer may only be late behind them. */
  onReceived(): void {
    this.receivedAt = monotonicNow();
    if (this.timeoutTimer.enabled) this.timeoutTimer.enable(this.settings.timeoutMs, this.receivedAt);
  }

  onPingAck(): void {
    this.timeoutTimer.disable();
    this.scheduleNext();
  }

  /** A stream is about to begin. After a long silence the peer is asked first. */
  onNewStream(): void {
    const { idleIntervalMs } = this.settings;
    if (idleIntervalMs > 0 && monotonicNow() - this.receivedAt > idleIntervalMs) this.send();
  }

  stop(): void {
    this.sendTimer.disable();
    this.timeoutTimer.disable();
  }

  onTimeout(timer: Timer): void {
    if (timer === this.sendTimer) this.send();
    else this.owner.onKeepaliveTimeout();
  }

  private send(): void {
    if (this.timeoutTimer.enabled) return;
    this.owner.sendPing();
    this.timeoutTimer.enable(this.settings.timeoutMs, monotonicNow());
  }

  private scheduleNext(): void {
    const { intervalMs, jitterPercent } = this.settings;
    if (intervalMs === 0) return;
    const jitter = (Math.random() * jitterPercent * intervalMs) / 100;
    this.sendTimer.enable(intervalMs + jitter, monotonicNow());
  }
}
