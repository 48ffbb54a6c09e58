// A connection to a host that has several addresses: the next one is tried when an attempt fails or takes its time, and those
// before go on beside it. The first that is there, TLS and all, is the connection (RFC 8305).
// Follows Envoy's source/common/network/happy_eyeballs_connection_impl.cc and multi_connection_base_impl.cc.

import type { ConnectionEvent } from '../../api/network/filter.ts';
import type { UpstreamTransportSocketOptions } from '../../api/network/transport_socket.ts';
import type { Priority } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import type { HappyEyeballsConfig } from '../upstream/upstream_connection_options.ts';
import { UpstreamConnection, type UpstreamConnectionOwner } from './upstream_connection.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;
/** Source: RFC 8305 5, and MultiConnectionBaseImpl's next_attempt_timer. */
const NEXT_ATTEMPT_MS = 300;

/** Who wants a connection. Exactly one of the two is called, once. */
export interface HappyEyeballsCallbacks {
  /** The connection is there, and nobody has been told: returns who owns it, who then is. */
  ownerOf(upstream: UpstreamConnection): UpstreamConnectionOwner;
  onConnectFailed(timeout: boolean, event: ConnectionEvent, transportFailure: string): void;
}

export class HappyEyeballs implements TimerOwner {
  readonly connectStart: number;
  private readonly cluster: ThreadLocalCluster;
  private readonly host: Host;
  private readonly priority: Priority;
  private readonly options: UpstreamTransportSocketOptions | undefined;
  private readonly bulk: boolean;
  private readonly callbacks: HappyEyeballsCallbacks;
  private readonly ips: readonly string[];
  private tried = 0;
  private readonly attempts: UpstreamConnection[] = [];
  private readonly connectTimer = new Timer(this);
  private readonly nextTimer = new Timer(this);

  /** Begins. Parameters are those of UpstreamConnection. */
  constructor(
    cluster: ThreadLocalCluster,
    host: Host,
    priority: Priority,
    options: UpstreamTransportSocketOptions | undefined,
    bulk: boolean,
    callbacks: HappyEyeballsCallbacks,
  ) {
    this.cluster = cluster;
    this.host = host;
    this.priority = priority;
    this.options = options;
    this.bulk = bulk;
    this.callbacks = callbacks;
    this.connectStart = monotonicNow();
    const { happyEyeballs, connectTimeoutMs } = cluster.config;
    this.ips = inOrder([host.address.ip, ...host.otherIps], happyEyeballs);
    UpstreamConnection.countBegin(cluster, host);
    this.connectTimer.enable(connectTimeoutMs, this.connectStart);
    this.tryNext();
  }

  private tryNext(): void {
    const { cluster, host, priority, options, bulk } = this;
    const ip = this.ips[this.tried++];
    // Each attempt counts as a connection, as in Envoy; the first is counted already.
    if (this.tried > 1) {
      cluster.stats.values[cluster.stats.base + STAT.upstream_cx_total]++;
      host.add(HostSlot.ConnectionTotal, 1);
    }
    if (this.tried < this.ips.length) this.nextTimer.enable(NEXT_ATTEMPT_MS, monotonicNow());
    else this.nextTimer.disable();
    this.attempts.push(
      new UpstreamConnection(cluster, host, priority, options, bulk, NOBODY, { race: this, ip }),
    );
  }

  onTimeout(timer: Timer): void {
    if (timer === this.nextTimer) {
      this.tryNext();
      return;
    }
    const { values, base } = this.cluster.stats;
    values[base + STAT.upstream_cx_connect_timeout]++;
    this.fail(true, 'LocalClose', '');
  }

  /** An attempt has succeeded: the others end. */
  onWon(attempt: UpstreamConnection): void {
    this.stop(attempt);
    attempt.owner = this.callbacks.ownerOf(attempt);
  }

  onLost(attempt: UpstreamConnection, event: ConnectionEvent): void {
    const at = this.attempts.indexOf(attempt);
    if (at < 0) return;
    this.attempts.splice(at, 1);
    if (this.tried < this.ips.length) this.tryNext();
    else if (this.attempts.length === 0) this.fail(false, event, attempt.connection.transportFailureReason);
  }

  /** Gives all attempts up. `onConnectFailed` is called. */
  close(): void {
    this.fail(false, 'LocalClose', '');
  }

  private fail(timeout: boolean, event: ConnectionEvent, transportFailure: string): void {
    const { cluster, host, priority, connectStart } = this;
    this.stop(undefined);
    UpstreamConnection.countEnd(cluster, host, priority, event, connectStart);
    UpstreamConnection.countConnectFailed(cluster, host);
    this.callbacks.onConnectFailed(timeout, event, transportFailure);
    cluster.letGo();
  }

  private stop(winner: UpstreamConnection | undefined): void {
    this.connectTimer.disable();
    this.nextTimer.disable();
    for (const attempt of this.attempts.splice(0))
      if (attempt !== winner) attempt.connection.close('NoFlush');
  }
}

const NOBODY: UpstreamConnectionOwner = {
  onUpstreamConnected: () => {},
  onUpstreamConnectFailed: () => {},
  onUpstreamClosed: () => {},
};

/** Envoy: HappyEyeballsConnectionProvider::sortAddressesWithConfig. */
export function inOrder(ips: readonly string[], { family, count }: HappyEyeballsConfig): string[] {
  const isSix = (ip: string): boolean => ip.includes(':');
  const sixFirst = family === 'first' ? isSix(ips[0]) : family === 'IPv6';
  const preferred = ips.filter((ip) => isSix(ip) === sixFirst);
  const others = ips.filter((ip) => isSix(ip) !== sixFirst);
  const sorted: string[] = [];
  while (sorted.length < ips.length) sorted.push(...preferred.splice(0, count), ...others.splice(0, 1));
  return sorted;
}
