// A cluster's hosts by priority, and how much traffic each priority gets. Priority 0 is used while enough of it is
// healthy; what it cannot carry spills to the next. Envoy: source/common/upstream/load_balancer_impl.cc (LoadBalancerBase);
// document: docs/intro/arch_overview/upstream/load_balancing/priority.

import type { Host } from './host.ts';

/** Hosts of one priority. */
export interface HostSet {
  readonly hosts: readonly Host[];
  readonly healthy: readonly Host[];
  readonly degraded: readonly Host[];
}

/** Traffic of the priorities in percent; both lists together sum to 100 (or to 0 when there is no host at all). */
export interface PriorityLoad {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  /** Priorities in panic: all their hosts are used whatever their health. */
  readonly panic: readonly boolean[];
}

export class PrioritySet {
  readonly sets: readonly HostSet[];
  readonly load: PriorityLoad;
  readonly hosts: readonly Host[];
  private readonly overprovisioningFactor: number;
  private readonly panicPercent: number;

  /** `panicPercent`: share of healthy hosts below which a priority panics; 0 = never. */
  constructor(hosts: readonly Host[], overprovisioningFactor: number, panicPercent: number) {
    this.hosts = hosts;
    this.overprovisioningFactor = overprovisioningFactor;
    this.panicPercent = panicPercent;
    let count = 1;
    for (const host of hosts) count = Math.max(count, host.priority + 1);
    const sets = Array.from({ length: count }, () => ({
      hosts: [] as Host[],
      healthy: [] as Host[],
      degraded: [] as Host[],
    }));
    for (const host of hosts) {
      const set = sets[host.priority];
      set.hosts.push(host);
      if (host.health === 'healthy') set.healthy.push(host);
      else if (host.health === 'degraded') set.degraded.push(host);
    }
    this.sets = sets;
    this.load = priorityLoad(sets, overprovisioningFactor, panicPercent);
  }

  /** The load without some priorities, as if they had no hosts; undefined when no other has any that can be used. */
  loadBeside(excluded: ReadonlySet<number>): PriorityLoad | undefined {
    const sets = this.sets.map((set, priority) => (excluded.has(priority) ? NO_HOSTS : set));
    if (!sets.some((set) => set.healthy.length > 0 || set.degraded.length > 0)) return undefined;
    return priorityLoad(sets, this.overprovisioningFactor, this.panicPercent);
  }

  /** The priority and kind of host for a random number in [0, 100). */
  choose(random: number, load = this.load): { readonly priority: number; readonly degraded: boolean } {
    const { healthy, degraded } = load;
    let sum = 0;
    for (let i = 0; i < healthy.length; i++) {
      sum += healthy[i];
      if (random < sum) return { priority: i, degraded: false };
    }
    for (let i = 0; i < degraded.length; i++) {
      sum += degraded[i];
      if (random < sum) return { priority: i, degraded: true };
    }
    return FIRST;
  }
}

const NO_HOSTS: HostSet = Object.freeze({ hosts: [], healthy: [], degraded: [] });
const FIRST = { priority: 0, degraded: false } as const;

/** Integer percents as Envoy computes them: health(P) = min(100, factor × healthy / total), normalized to 100 in all. */
export function priorityLoad(sets: readonly HostSet[], factor: number, panicPercent: number): PriorityLoad {
  const health = sets.map((set) => share(set.healthy.length, set.hosts.length, factor));
  const degradedHealth = sets.map((set) => share(set.degraded.length, set.hosts.length, factor));
  const total = Math.min(100, sum(health) + sum(degradedHealth));
  const healthy = sets.map(() => 0);
  const degraded = sets.map(() => 0);
  const panic = sets.map((set) => inPanic(set, total, panicPercent));
  if (total === 0) {
    // Nothing is healthy: all priorities panic and share by their numbers of hosts; without panic the first one answers for all.
    const hosts = sets.reduce((n, set) => n + set.hosts.length, 0);
    if (hosts > 0 && panicPercent > 0) {
      let left = 100;
      for (let i = 0; i < sets.length; i++)
        left -= healthy[i] = Math.floor((100 * sets[i].hosts.length) / hosts);
      healthy[sets.findIndex((set) => set.hosts.length > 0)] += left;
    } else healthy[0] = 100;
    return { healthy, degraded, panic };
  }
  let left = 100;
  for (let i = 0; i < sets.length; i++)
    left -= healthy[i] = Math.min(left, Math.floor((health[i] * 100) / total));
  for (let i = 0; i < sets.length; i++)
    left -= degraded[i] = Math.min(left, Math.floor((degradedHealth[i] * 100) / total));
  if (left > 0) {
    // Rounding leaves a few percent: the first priority with any load takes them.
    const first = healthy.findIndex((load) => load > 0);
    if (first >= 0) healthy[first] += left;
    else degraded[degraded.findIndex((load) => load > 0)] += left;
  }
  return { healthy, degraded, panic };
}

function share(part: number, whole: number, factor: number): number {
  return whole === 0 ? 0 : Math.min(100, Math.floor((factor * part) / whole));
}

/** A priority panics only when all priorities together cannot carry the traffic. */
function inPanic(set: HostSet, total: number, panicPercent: number): boolean {
  if (total >= 100) return false;
  const available = set.healthy.length + set.degraded.length;
  return (set.hosts.length === 0 ? 0 : (100 * available) / set.hosts.length) < panicPercent;
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
