// A cluster's hosts by priority, and how much traffic each priority gets. Priority 0 is used while enough of it is
// healthy; what it cannot carry spills to the next. Envoy: LoadBalancerBase of
// source/extensions/load_balancing_policies/common/load_balancer_impl.cc; document: arch_overview/upstream/load_balancing/priority.

import type { PriorityChoice } from '../../api/upstream/cluster.ts';
import type { Host } from './host.ts';
import { HostSet, type HostSetOptions, ownLocalityWeight } from './host_set.ts';

/** Traffic of the priorities in percent; both lists together sum to 100. */
export interface PriorityLoad {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  /** Priorities in panic: all their hosts are used whatever their health. */
  readonly panic: readonly boolean[];
}

/** Source of the numbers: ClusterLoadAssignment.Policy. */
export const DEFAULT_HOST_SET_OPTIONS: HostSetOptions = Object.freeze({
  overprovisioningFactor: 140,
  weightedPriorityHealth: false,
  localLocality: undefined,
  localityWeightOf: ownLocalityWeight,
});

export class PrioritySet {
  readonly sets: readonly HostSet[];
  readonly load: PriorityLoad;
  readonly hosts: readonly Host[];
  readonly options: HostSetOptions;
  readonly panicPercent: number;
  /** By random number in [0, 100); made with the first choice between priorities. */
  private choices: readonly PriorityChoice[] | undefined = undefined;
  private byAddress: ReadonlyMap<string, Host> | undefined = undefined;

  /** `panicPercent`: share of healthy hosts below which a priority panics; 0 = never. `priorities`: how many there are at least. */
  constructor(
    hosts: readonly Host[],
    panicPercent: number,
    options: HostSetOptions = DEFAULT_HOST_SET_OPTIONS,
    priorities = 1,
  ) {
    this.hosts = hosts;
    this.options = options;
    this.panicPercent = panicPercent;
    let count = priorities;
    for (const host of hosts) count = Math.max(count, host.priority + 1);
    const byPriority: Host[][] = Array.from({ length: count }, () => []);
    for (const host of hosts) byPriority[host.priority].push(host);
    this.sets = byPriority.map((each) => new HostSet(each, options));
    this.load = priorityLoad(this.sets, panicPercent);
  }

  /** The host at an address, whatever its priority and health. Envoy: crossPriorityHostMap. */
  hostAt(address: string): Host | undefined {
    this.byAddress ??= new Map(this.hosts.map((host) => [host.address.text, host]));
    return this.byAddress.get(address);
  }

  /** The load without some priorities, as if they had no hosts; undefined when no other has any that can be used. */
  loadBeside(excluded: ReadonlySet<number>): PriorityLoad | undefined {
    return loadBeside(this.sets, excluded, this.panicPercent);
  }

  /** The priority and kind of host for a random number in [0, 100). */
  choose(random: number): PriorityChoice {
    return (this.choices ??= choicesOf(this.load))[random];
  }
}

/** As PrioritySet.loadBeside, for priorities of several clusters. */
export function loadBeside(
  all: readonly HostSet[],
  excluded: ReadonlySet<number>,
  panicPercent: number,
): PriorityLoad | undefined {
  const sets = all.map((set, priority) => (excluded.has(priority) ? new HostSet([], set.options) : set));
  if (!sets.some((set) => set.healthy.length > 0 || set.degraded.length > 0)) return undefined;
  return priorityLoad(sets, panicPercent);
}

/** The choice for a random number in [0, 100) under a load that is not a set's own. */
export function chooseBy({ healthy, degraded }: PriorityLoad, random: number): PriorityChoice {
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

const FIRST: PriorityChoice = Object.freeze({ priority: 0, degraded: false });

function choicesOf(load: PriorityLoad): readonly PriorityChoice[] {
  return Array.from({ length: 100 }, (_, random) => chooseBy(load, random));
}

/** Integer percents as Envoy computes them: health(P) = min(100, factor × healthy / total), normalized to 100 in all. */
export function priorityLoad(sets: readonly HostSet[], panicPercent: number): PriorityLoad {
  const health = sets.map((set) => availability(set, set.healthy));
  const degradedHealth = sets.map((set) => availability(set, set.degraded));
  const total = Math.min(100, sum(health) + sum(degradedHealth));
  const panic = sets.map((set) => inPanic(set, total, panicPercent));
  const healthy = sets.map(() => 0);
  const degraded = sets.map(() => 0);
  if (panic.every((each) => each)) {
    // Nobody is better than the others: all share by their numbers of hosts.
    const hosts = sets.reduce((n, set) => n + set.hosts.length, 0);
    if (hosts === 0) healthy[0] = 100;
    else {
      let left = 100;
      for (let i = 0; i < sets.length; i++)
        left -= healthy[i] = Math.floor((100 * sets[i].hosts.length) / hosts);
      healthy[sets.findIndex((set) => set.hosts.length > 0)] += left;
    }
    return { healthy, degraded, panic };
  }
  if (total === 0) {
    // No host, and no panic that would use any: the first priority answers that for all.
    healthy[0] = 100;
    return { healthy, degraded, panic };
  }
  let left = 100;
  for (let i = 0; i < sets.length; i++)
    left -= healthy[i] = Math.min(left, Math.floor((health[i] * 100) / total));
  for (let i = 0; i < sets.length; i++)
    left -= degraded[i] = Math.min(left, Math.floor((degradedHealth[i] * 100) / total));
  if (left > 0) {
    // Rounding leaves a few percent: the first priority that is available takes them.
    const first = health.findIndex((each) => each > 0);
    if (first >= 0) healthy[first] += left;
    else degraded[degradedHealth.findIndex((each) => each > 0)] += left;
  }
  return { healthy, degraded, panic };
}

/** Percent of a priority that `part` of its hosts can carry, at most 100. */
function availability(set: HostSet, part: readonly Host[]): number {
  if (set.hosts.length === set.excluded.length) return 0;
  const { overprovisioningFactor, weightedPriorityHealth } = set.options;
  const whole = weightedPriorityHealth
    ? weight(set.hosts) - weight(set.excluded)
    : set.hosts.length - set.excluded.length;
  const some = weightedPriorityHealth ? weight(part) : part.length;
  return Math.min(100, Math.floor((overprovisioningFactor * some) / whole));
}

/** A priority panics only when all priorities together cannot carry the traffic. */
function inPanic(set: HostSet, total: number, panicPercent: number): boolean {
  if (total >= 100) return false;
  const whole = set.hosts.length - set.excluded.length;
  const available = set.healthy.length + set.degraded.length;
  return (whole === 0 ? 0 : (100 * available) / whole) < panicPercent;
}

function weight(hosts: readonly Host[]): number {
  let total = 0;
  for (const host of hosts) total += host.weight;
  return total;
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
