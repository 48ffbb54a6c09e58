// Round robin, least request and random: the priority is chosen first, then perhaps a locality of it, then a host.
// Follows Envoy's source/extensions/load_balancing_policies/common/load_balancer_impl.cc (ZoneAwareLoadBalancerBase,
// EdfLoadBalancerBase).

import type { LoadBalancer, LoadBalancerContext, PriorityChoice } from '../../api/upstream/cluster.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { CLUSTER_LB_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { HostSet } from '../upstream/host_set.ts';
import { chooseBy, type PrioritySet } from '../upstream/priority_set.ts';
import { createPicker, type HostPicker } from './host_pickers.ts';
import type { PickingConfig } from './load_balancer_config.ts';
import type { LoadBalancerEnvironment } from './load_balancer_environment.ts';
import { LocalityScheduler } from './locality_scheduler.ts';
import { randomBelow } from './random.ts';
import { SlowStart } from './slow_start.ts';
import { FAIL, NO_LOCALITY, ZoneAwareRouting } from './zone_aware_routing.ts';

const STAT = CLUSTER_LB_STATS.offset;

/** The balancer of a cluster for one state of its hosts. */
export class PriorityLoadBalancer implements LoadBalancer {
  private readonly prioritySet: PrioritySet;
  private readonly config: PickingConfig;
  private readonly environment: LoadBalancerEnvironment;
  private readonly slowStart: SlowStart | undefined;
  private readonly zones: ZoneAwareRouting;
  private readonly pickers: readonly PriorityPickers[];
  /** Everything goes to the healthy hosts of the first priority. */
  private readonly single: boolean;

  constructor(prioritySet: PrioritySet, config: PickingConfig, environment: LoadBalancerEnvironment) {
    this.prioritySet = prioritySet;
    this.config = config;
    this.environment = environment;
    const slowStart = config.policy === 'RANDOM' ? undefined : config.slowStart;
    this.slowStart = slowStart && new SlowStart(slowStart, environment.runtime, prioritySet, monotonicNow());
    this.zones = new ZoneAwareRouting(
      prioritySet.sets[0],
      prioritySet.panicPercent,
      config.locality.zoneAware,
      environment,
    );
    this.pickers = prioritySet.sets.map((set) => new PriorityPickers(set));
    this.single = prioritySet.load.healthy[0] === 100;
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    if (context === undefined) return this.chooseOnce(undefined, undefined);
    const { excludedPriorities: excluded, forcedPriority: forced } = context;
    let host = this.chooseOnce(excluded, forced);
    for (
      let tries = context.hostSelectionRetryCount;
      tries > 0 && host !== undefined && context.shouldSelectAnotherHost(host);
      tries--
    ) {
      host = this.chooseOnce(excluded, forced);
    }
    return host;
  }

  private chooseOnce(
    excluded: Set<number> | undefined,
    forced: PriorityChoice | undefined,
  ): Host | undefined {
    if (forced !== undefined) return this.pick(forced.priority, forced.degraded);
    if (excluded === undefined) {
      if (this.single) return this.pick(0, false);
      const { priority, degraded } = this.prioritySet.choose(randomBelow(100));
      return this.pick(priority, degraded);
    }
    const { priority, degraded } = this.choiceBeside(excluded);
    return this.pick(priority, degraded);
  }

  private choiceBeside(excluded: Set<number>): PriorityChoice {
    const load = this.prioritySet.loadBeside(excluded);
    if (load !== undefined) return chooseBy(load, randomBelow(100));
    excluded.clear();
    return this.prioritySet.choose(randomBelow(100));
  }

  private pick(priority: number, degraded: boolean): Host | undefined {
    const pickers = this.pickers[priority];
    // A subset may have no hosts in a priority that its cluster has.
    if (pickers === undefined) return undefined;
    const { set } = pickers;
    if (this.prioritySet.load.panic[priority]) {
      this.environment.count(STAT.lb_healthy_panic);
      if (this.config.locality.zoneAware.failTrafficOnPanic) return undefined;
      return (pickers.all ??= this.createPicker(set.hosts)).pick();
    }
    const locality = this.chooseLocality(pickers, priority, degraded);
    if (locality === FAIL) return undefined;
    if (locality === NO_LOCALITY) {
      if (degraded) return (pickers.degraded ??= this.createPicker(set.degraded)).pick();
      return (pickers.healthy ??= this.createPicker(set.healthy)).pick();
    }
    const byLocality = degraded ? pickers.degradedOf : pickers.healthyOf;
    const hosts = set.localities[locality];
    return (byLocality[locality] ??= this.createPicker(degraded ? hosts.degraded : hosts.healthy)).pick();
  }

  private chooseLocality(pickers: PriorityPickers, priority: number, degraded: boolean): number {
    if (this.config.locality.weighted) {
      const locality = pickers.locality(degraded);
      if (locality !== NO_LOCALITY) return locality;
    }
    return priority === 0 ? this.zones.choose() : NO_LOCALITY;
  }

  private createPicker(hosts: readonly Host[]): HostPicker {
    return createPicker(this.config, hosts, this.slowStart, this.environment.runtime);
  }
}

/** The pickers of one priority, each made on first use. */
class PriorityPickers {
  readonly set: HostSet;
  all: HostPicker | undefined = undefined;
  healthy: HostPicker | undefined = undefined;
  degraded: HostPicker | undefined = undefined;
  readonly healthyOf: (HostPicker | undefined)[] = [];
  readonly degradedOf: (HostPicker | undefined)[] = [];
  private healthyLocalities: LocalityScheduler | undefined = undefined;
  private degradedLocalities: LocalityScheduler | undefined = undefined;

  constructor(set: HostSet) {
    this.set = set;
  }

  /** The next locality by weight. */
  locality(degraded: boolean): number {
    if (this.set.options.localityWeightOf === undefined) return NO_LOCALITY;
    if (degraded) return (this.degradedLocalities ??= new LocalityScheduler(this.set, true)).next();
    return (this.healthyLocalities ??= new LocalityScheduler(this.set, false)).next();
  }
}
