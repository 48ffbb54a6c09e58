// Bytes still on their way to an upstream whose client is gone: the connection stays until they are sent, or until nothing
// has moved for the idle timeout. Follows Envoy's UpstreamDrainManager and Drainer (source/common/tcp_proxy/tcp_proxy.cc).

import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { TCP_PROXY_STATS } from '../../../../common/stats/families/tcp_proxy.ts';
import type { TcpProxyConfig } from './config.ts';
import type { GenericUpstream } from './generic_upstream.ts';

const STAT = TCP_PROXY_STATS.offset;

export class Drainer implements TimerOwner {
  private readonly config: TcpProxyConfig;
  private readonly connection: GenericUpstream;
  private readonly idleTimeoutMs: number;
  private readonly timer: Timer | undefined;
  private unsent: number;

  /** `connection` is flushing already. */
  constructor(config: TcpProxyConfig, connection: GenericUpstream, idleTimeoutMs: number) {
    this.config = config;
    this.connection = connection;
    this.idleTimeoutMs = idleTimeoutMs;
    this.unsent = connection.unsentBytes;
    const { values, base } = config.stats;
    values[base + STAT.upstream_flush_total]++;
    values[base + STAT.upstream_flush_active]++;
    this.timer = idleTimeoutMs > 0 ? new Timer(this) : undefined;
    this.timer?.enable(idleTimeoutMs, monotonicNow());
  }

  onTimeout(): void {
    const { unsentBytes } = this.connection;
    if (unsentBytes < this.unsent) {
      this.unsent = unsentBytes;
      this.timer!.enable(this.idleTimeoutMs, monotonicNow());
      return;
    }
    const { values, base } = this.config.stats;
    values[base + STAT.idle_timeout]++;
    this.connection.close('NoFlush', 'tcp_session_idle_timeout');
  }

  /** The connection is closed, one way or the other. */
  onClosed(): void {
    this.timer?.disable();
    const { values, base } = this.config.stats;
    values[base + STAT.upstream_flush_active]--;
  }
}
