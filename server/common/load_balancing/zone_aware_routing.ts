// Zone-aware routing: requests stay in the proxy's own locality as far as that leaves every host with the same load, and
// the rest goes where there is capacity left. Only for priority 0. Envoy: ZoneAwareLoadBalancerBase of load_balancer_impl.cc;
// document: arch_overview/upstream/load_balancing/zone_aware.

import { CLUSTER_LB_STATS } from '../stats/families/cluster.ts';
import { type HostSet, localityKey } from '../upstream/host_set.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';
import type { ZoneAwareConfig } from './load_balancer_config.ts';
import type { LoadBalancerEnvironment } from './load_balancer_environment.ts';
import { randomBelow } from './random.ts';

const STAT = CLUSTER_LB_STATS.offset;
/** Shares are in hundredths of a percent. */
export const WHOLE = 10_000;

/** What `choose` says when localities do not matter. */
export const NO_LOCALITY = -1;
/** The proxies panic, and traffic is to fail then. */
export const FAIL = -2;

export class ZoneAwareRouting {
  readonly hosts: HostSet;
  private readonly panicPercent: number;
  readonly config: ZoneAwareConfig;
  private readonly environment: LoadBalancerEnvironment;
  private local: PrioritySet | undefined = undefined;
  state: 'none' | 'direct' | 'residual' = 'none';
  /** Of WHOLE: what stays in the own locality. */
  localShare = 0;
  /** Capacity left in the localities, summed up from the first one on. */
  residual: readonly number[] = [];

  /** `panicPercent`: the threshold of the cluster, which its proxies are held to as well. */
  constructor(
    hosts: HostSet,
    panicPercent: number,
    config: ZoneAwareConfig,
    environment: LoadBalancerEnvironment,
  ) {
    this.hosts = hosts;
    this.panicPercent = panicPercent;
    this.config = config;
    this.environment = environment;
  }

  /** The index of a locality of the hosts, NO_LOCALITY or FAIL. */
  choose(): number {
    const { environment, config } = this;
    const local = environment.localPrioritySet();
    if (local === undefined) return NO_LOCALITY;
    if (local !== this.local) this.recalculate(local);
    if (this.state === 'none') return NO_LOCALITY;
    const { runtime } = environment;
    if (
      !runtime.featureEnabled(
        'upstream.zone_routing.enabled',
        config.routingPercent,
        100,
        randomBelow(2 ** 32),
      )
    )
      return NO_LOCALITY;
    if (this.inPanic(local.sets[0])) {
      environment.count(STAT.lb_local_cluster_not_ok);
      return config.failTrafficOnPanic ? FAIL : NO_LOCALITY;
    }
    return this.state === 'direct' ? this.direct() : this.sample();
  }

  private direct(): number {
    this.environment.count(STAT.lb_zone_routing_all_directly);
    return 0;
  }

  private sample(): number {
    const { environment, residual } = this;
    if (randomBelow(WHOLE) < this.localShare) {
      environment.count(STAT.lb_zone_routing_sampled);
      return 0;
    }
    environment.count(STAT.lb_zone_routing_cross_zone);
    const capacity = residual[residual.length - 1];
    if (capacity === 0) {
      environment.count(STAT.lb_zone_no_capacity_left);
      return randomBelow(residual.length);
    }
    const threshold = randomBelow(capacity);
    let i = 0;
    while (threshold >= residual[i]) i++;
    return i;
  }

  /** The proxies' own cluster has other hosts now. */
  private recalculate(local: PrioritySet): void {
    this.local = local;
    this.environment.count(STAT.lb_recalculate_zone_structures);
    this.state = 'none';
    if (!this.isPossible(local.sets[0])) return;
    const shares = this.shares(local.sets[0]);
    const { hasLocalLocality } = this.hosts;
    const [own] = shares;
    if (hasLocalLocality && own.upstream > 0 && own.upstream >= own.local) {
      this.state = 'direct';
      return;
    }
    this.state = 'residual';
    this.localShare = hasLocalLocality && own.local > 0 ? Math.floor((own.upstream * WHOLE) / own.local) : 0;
    let sum = 0;
    this.residual = shares.map(({ local: ours, upstream }, i) => {
      if ((i > 0 || !hasLocalLocality) && upstream > ours) sum += upstream - ours;
      return sum;
    });
  }

  private isPossible(local: HostSet): boolean {
    const { hosts, environment, config } = this;
    if (hosts.localities.length < 2 || local.localities.length < 2) return false;
    if (!local.hasLocalLocality) {
      environment.count(STAT.lb_local_cluster_not_ok);
      return false;
    }
    const least = environment.runtime.getInteger(
      'upstream.zone_routing.min_cluster_size',
      config.minClusterSize,
    );
    if (hosts.healthy.length >= least) return true;
    environment.count(STAT.lb_zone_cluster_too_small);
    return false;
  }

  /** What part of the proxies and of the hosts is in each locality. */
  private shares(local: HostSet): readonly { readonly local: number; readonly upstream: number }[] {
    const proxies = new Map<string, number>();
    for (const { locality, healthy } of local.localities) proxies.set(localityKey(locality), healthy.length);
    const share = (part: number, whole: number): number =>
      whole === 0 ? 0 : Math.floor((WHOLE * part) / whole);
    return this.hosts.localities.map(({ locality, healthy }) => ({
      local: healthy.length === 0 ? 0 : share(proxies.get(localityKey(locality)) ?? 0, local.healthy.length),
      upstream: share(healthy.length, this.hosts.healthy.length),
    }));
  }

  private inPanic(set: HostSet): boolean {
    const whole = set.hosts.length - set.excluded.length;
    const available = set.healthy.length + set.degraded.length;
    return (whole === 0 ? 0 : (100 * available) / whole) < this.panicPercent;
  }
}
