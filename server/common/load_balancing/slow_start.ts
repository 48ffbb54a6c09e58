// Slow start: a host that is new gets little traffic at first, and its full share at the end of a window.
// Envoy: EdfLoadBalancerBase::applySlowStartFactor of load_balancer_impl.cc; document: arch_overview/upstream/load_balancing/slow_start.

import type { Runtime } from '../../api/runtime.ts';
import type { Host } from '../upstream/host.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';

/** Compiled SlowStartConfig. */
export interface SlowStartConfig {
  /** ms, above 0. */
  readonly windowMs: number;
  /** Above 1: weights grow fast at first. */
  readonly aggression: number;
  readonly aggressionKey: string;
  /** The least share of its weight that a host gets, 0 to 1. */
  readonly minWeight: number;
}

export class SlowStart {
  private readonly config: SlowStartConfig;
  private readonly runtime: Runtime;
  /** When the last host came that is in its window; ms. */
  private readonly latest: number;

  /** Hosts that are healthy and new begin now (`now` in ms of the monotonic clock). */
  constructor(config: SlowStartConfig, runtime: Runtime, prioritySet: PrioritySet, now: number) {
    this.config = config;
    this.runtime = runtime;
    let latest = 0;
    for (const { healthy } of prioritySet.sets) {
      for (const host of healthy) {
        if (host.slowStartSince === 0) host.slowStartSince = now;
        latest = Math.max(latest, host.slowStartSince);
      }
    }
    this.latest = latest;
  }

  /** Is any host in its window? */
  active(now: number): boolean {
    return this.latest > 0 && now - this.latest <= this.config.windowMs;
  }

  /** What part of its weight the host gets. */
  factor(host: Host, now: number): number {
    const { windowMs, aggressionKey, minWeight } = this.config;
    if (host.slowStartSince === 0) return 1;
    const age = now - host.slowStartSince;
    if (age >= windowMs || host.health !== 'healthy') return 1;
    const set =
      aggressionKey === ''
        ? this.config.aggression
        : this.runtime.getDouble(aggressionKey, this.config.aggression);
    const aggression = set > 0 ? set : 1;
    return Math.max((Math.max(1, Math.trunc(age)) / windowMs) ** (1 / aggression), minWeight);
  }
}
