// Round robin, least request and random: choose a host of a cluster. The priority is chosen first, then a host of it.
// Follows Envoy's source/common/upstream/load_balancer_impl.cc and source/extensions/load_balancing_policies/*.

import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { EdfScheduler } from './edf_scheduler.ts';
import type { Host } from './host.ts';
import type { LoadBalancerConfig } from './load_balancer_config.ts';
import type { PrioritySet } from './priority_set.ts';

/** Picks among the hosts of one priority. Made anew when they change. */
interface HostPicker {
  pick(): Host;
}

/** The balancer of a cluster for one state of its hosts. */
export class PriorityLoadBalancer implements LoadBalancer {
  private readonly prioritySet: PrioritySet;
  private readonly config: LoadBalancerConfig;
  /** Pickers by priority, made on first use: [healthy, degraded, all]. */
  private readonly pickers: (HostPicker | undefined)[][];
  private readonly single: boolean;
  private readonly onPanic: () => void;

  /** `onPanic` is told of each pick made in panic (`lb_healthy_panic`). */
  constructor(prioritySet: PrioritySet, config: LoadBalancerConfig, onPanic: () => void) {
    this.prioritySet = prioritySet;
    this.config = config;
    this.onPanic = onPanic;
    this.pickers = prioritySet.sets.map(() => [undefined, undefined, undefined]);
    this.single = prioritySet.load.healthy[0] === 100;
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const excluded = context?.excludedPriorities;
    let host = this.chooseOnce(excluded);
    if (context === undefined || host === undefined) return host;
    for (
      let tries = context.hostSelectionRetryCount;
      tries > 0 && context.shouldSelectAnotherHost(host);
      tries--
    ) {
      host = this.chooseOnce(excluded) ?? host;
    }
    return host;
  }

  private chooseOnce(excluded: Set<number> | undefined): Host | undefined {
    const load = excluded === undefined ? undefined : this.prioritySet.loadBeside(excluded);
    if (load === undefined) excluded?.clear();
    if (this.single && load === undefined) return this.pick(0, false);
    const { priority, degraded } = this.prioritySet.choose(Math.floor(Math.random() * 100), load);
    return this.pick(priority, degraded);
  }

  private pick(priority: number, degraded: boolean): Host | undefined {
    const set = this.prioritySet.sets[priority];
    const panic = this.prioritySet.load.panic[priority];
    if (panic) this.onPanic();
    const kind = panic ? 2 : degraded ? 1 : 0;
    const hosts = kind === 2 ? set.hosts : kind === 1 ? set.degraded : set.healthy;
    if (hosts.length === 0) return undefined;
    return (this.pickers[priority][kind] ??= createPicker(this.config, hosts)).pick();
  }
}

function createPicker(config: LoadBalancerConfig, hosts: readonly Host[]): HostPicker {
  if (hosts.length === 1) return new OnlyHost(hosts[0]);
  const weighted = hosts.some((host) => host.weight !== hosts[0].weight);
  switch (config.policy) {
    case 'LEAST_REQUEST':
      if (weighted)
        return new WeightedPicker(
          hosts,
          (host) => host.weight / (host.activeRequests + 1) ** config.activeRequestBias,
        );
      return config.fullScan
        ? new LeastRequestScan(hosts)
        : new LeastRequestChoice(hosts, config.choiceCount);
    case 'RANDOM':
      return new RandomPicker(hosts);
    default:
      return weighted ? new WeightedPicker(hosts, (host) => host.weight) : new Rotation(hosts);
  }
}

class OnlyHost implements HostPicker {
  private readonly host: Host;
  constructor(host: Host) {
    this.host = host;
  }
  pick(): Host {
    return this.host;
  }
}

class Rotation implements HostPicker {
  private readonly hosts: readonly Host[];
  private next: number;
  constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
    // A random start, so that many proxies (and workers) do not all begin with the first host.
    this.next = randomBelow(hosts.length);
  }
  pick(): Host {
    if (this.next >= this.hosts.length) this.next = 0;
    return this.hosts[this.next++];
  }
}

class WeightedPicker implements HostPicker {
  private readonly scheduler = new EdfScheduler<Host>();
  private readonly weightOf: (host: Host) => number;
  constructor(hosts: readonly Host[], weightOf: (host: Host) => number) {
    this.weightOf = weightOf;
    for (const host of hosts) this.scheduler.add(weightOf(host), host);
    for (let skip = randomBelow(hosts.length); skip > 0; skip--) this.scheduler.pickAndAdd(weightOf);
  }
  pick(): Host {
    return this.scheduler.pickAndAdd(this.weightOf)!;
  }
}

class LeastRequestChoice implements HostPicker {
  private readonly hosts: readonly Host[];
  private readonly choices: number;
  constructor(hosts: readonly Host[], choices: number) {
    this.hosts = hosts;
    this.choices = choices;
  }
  pick(): Host {
    let best = this.hosts[randomBelow(this.hosts.length)];
    let least = best.activeRequests;
    for (let i = 1; i < this.choices; i++) {
      const host = this.hosts[randomBelow(this.hosts.length)];
      const active = host.activeRequests;
      if (active < least) {
        best = host;
        least = active;
      }
    }
    return best;
  }
}

class LeastRequestScan implements HostPicker {
  private readonly hosts: readonly Host[];
  constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
  }
  pick(): Host {
    let best = this.hosts[0];
    let least = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (const host of this.hosts) {
      const active = host.activeRequests;
      if (active < least) {
        best = host;
        least = active;
        ties = 1;
      } else if (active === least && randomBelow(++ties) === 0) best = host;
    }
    return best;
  }
}

class RandomPicker implements HostPicker {
  private readonly hosts: readonly Host[];
  constructor(hosts: readonly Host[]) {
    this.hosts = hosts;
  }
  pick(): Host {
    return this.hosts[randomBelow(this.hosts.length)];
  }
}

function randomBelow(n: number): number {
  return Math.floor(Math.random() * n);
}
