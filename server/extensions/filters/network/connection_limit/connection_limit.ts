// Closes connections above a number, at once or after a while. All workers count together, each version of a filter chain
// for itself. Envoy: source/extensions/filters/network/connection_limit/connection_limit.cc.

import {
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { Runtime } from '../../../../api/runtime.ts';
import type { SharedCounter } from '../../../../api/shared_counter.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { statSchema } from '../../../../common/stats/schema.ts';

export const CONNECTION_LIMIT_STATS = statSchema('connection_limit', {
  active_connections: 'gauge',
  limited_connections: 'counter',
});
const { active_connections: ACTIVE, limited_connections: LIMITED } = CONNECTION_LIMIT_STATS.offset;

export interface ConnectionLimitOptions {
  readonly maxConnections: number;
  readonly connections: SharedCounter;
  /** ms between refusing a connection and closing it; 0 = at once. */
  readonly delayMs: number;
  readonly runtime: Runtime;
  /** '' when there is no runtime key. */
  readonly runtimeKey: string;
  readonly enabledByDefault: boolean;
  readonly stats: StatBlock;
}

export class ConnectionLimitConfig implements NetworkFilterConfig {
  readonly isTerminal = false;
  readonly options: ConnectionLimitOptions;

  constructor(options: ConnectionLimitOptions) {
    this.options = options;
  }

  get enabled(): boolean {
    const { runtime, runtimeKey, enabledByDefault } = this.options;
    return runtimeKey === '' ? enabledByDefault : runtime.getBoolean(runtimeKey, enabledByDefault);
  }

  /** One connection more. False: there are as many as may be. */
  acquire(): boolean {
    const { stats, connections, maxConnections } = this.options;
    if (!connections.tryAcquire(maxConnections)) return false;
    stats.values[stats.base + ACTIVE]++;
    return true;
  }

  /** One that was acquired is gone. */
  release(): void {
    const { stats, connections } = this.options;
    connections.release();
    stats.values[stats.base + ACTIVE]--;
  }

  createFilter(): NetworkFilter {
    return new ConnectionLimitFilter(this);
  }
}

class ConnectionLimitFilter implements NetworkFilter, TimerOwner {
  readonly #config: ConnectionLimitConfig;
  #callbacks: ReadFilterCallbacks | undefined = undefined;
  #counted = false;
  #delay: Timer | undefined = undefined;

  constructor(config: ConnectionLimitConfig) {
    this.#config = config;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    const config = this.#config;
    if (!config.enabled) return NetworkFilterStatus.Continue;
    const { delayMs, stats } = config.options;
    if (config.acquire()) {
      this.#counted = true;
      return NetworkFilterStatus.Continue;
    }
    stats.values[stats.base + LIMITED]++;
    const { connection } = this.#callbacks!;
    if (delayMs === 0) {
      connection.close('NoFlush', 'over_connection_limit');
    } else {
      // What it sends meanwhile stays in the kernel.
      connection.readDisable(true);
      this.#delay = new Timer(this);
      this.#delay.enable(delayMs, monotonicNow());
    }
    return NetworkFilterStatus.StopIteration;
  }

  onTimeout(): void {
    this.#callbacks!.connection.close('NoFlush', 'over_connection_limit');
  }

  onDestroy(): void {
    this.#delay?.disable();
    if (this.#counted) this.#config.release();
    this.#counted = false;
  }
}
