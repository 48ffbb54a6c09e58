// Subsets: hosts are grouped by their metadata (namespace envoy.lb); a request goes to the group that the metadata of its
// route asks for, and where there is none as the fallback policies say. Follows Envoy's
// source/extensions/load_balancing_policies/subset/subset_lb.cc; document: arch_overview/upstream/load_balancing/subsets.

import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { CLUSTER_LB_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import { localityKey, ownLocalityWeight } from '../upstream/host_set.ts';
import { PrioritySet } from '../upstream/priority_set.ts';
import type { BalancingConfig } from './load_balancer_config.ts';
import type { LoadBalancerEnvironment } from './load_balancer_environment.ts';
import type { SubsetConfig, SubsetFallback } from './subset_config.ts';
import { groupBySubset, hasMetadata, type Metadata, type SubsetHosts, subsetKey } from './subset_hosts.ts';

const STAT = CLUSTER_LB_STATS.offset;

type CreateLoadBalancer = (
  prioritySet: PrioritySet,
  config: BalancingConfig,
  environment: LoadBalancerEnvironment,
) => LoadBalancer;

/** What is done for requests with certain metadata. */
type Plan =
  | { readonly kind: 'subset'; readonly balancer: LoadBalancer }
  /** The fallback of a selector, which is final. */
  | { readonly kind: 'selector_fallback'; readonly balancer: LoadBalancer | undefined }
  | { readonly kind: 'fallback' }
  /** The first of them that has a host. */
  | { readonly kind: 'list'; readonly plans: readonly Plan[] };

const FALLBACK: Plan = Object.freeze({ kind: 'fallback' });

export class SubsetLoadBalancer implements LoadBalancer {
  private readonly prioritySet: PrioritySet;
  private readonly config: SubsetConfig;
  private readonly environment: LoadBalancerEnvironment;
  private readonly create: CreateLoadBalancer;
  private previous: SubsetLoadBalancer | undefined;
  private subsets: ReadonlyMap<string, SubsetHosts> | undefined = undefined;
  private readonly balancers = new Map<string, LoadBalancer>();
  private anyHost: LoadBalancer | undefined = undefined;
  private defaultSubset: LoadBalancer | undefined = undefined;
  /** By the metadata of routes, which are the same objects for all their requests. */
  private readonly plans = new WeakMap<Metadata, Plan>();

  /** `previous`: of the same cluster, before its hosts changed. */
  constructor(
    prioritySet: PrioritySet,
    config: SubsetConfig,
    environment: LoadBalancerEnvironment,
    create: CreateLoadBalancer,
    previous?: SubsetLoadBalancer,
  ) {
    this.prioritySet = prioritySet;
    this.config = config;
    this.environment = environment;
    this.create = create;
    // Only one that was used has counted its subsets.
    this.previous = previous?.subsets === undefined ? previous?.previous : previous;
    if (previous !== undefined) previous.previous = undefined;
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const metadata = context?.metadataMatch;
    return this.follow(metadata === undefined ? FALLBACK : this.planOf(metadata), context);
  }

  private follow(plan: Plan, context: LoadBalancerContext | undefined): Host | undefined {
    switch (plan.kind) {
      case 'subset':
        this.environment.count(STAT.lb_subsets_selected);
        return plan.balancer.chooseHost(context) as Host | undefined;
      case 'selector_fallback':
        return plan.balancer?.chooseHost(context) as Host | undefined;
      case 'list':
        for (const each of plan.plans) {
          const host = this.follow(each, context);
          if (host !== undefined) return host;
        }
        return undefined;
      default:
        return this.fallBack(context);
    }
  }

  private fallBack(context: LoadBalancerContext | undefined): Host | undefined {
    const balancer = this.fallbackBalancer(this.config.fallback);
    if (balancer === undefined) return undefined;
    const host = balancer.chooseHost(context) as Host | undefined;
    if (host !== undefined) {
      this.environment.count(STAT.lb_subsets_fallback);
      return host;
    }
    if (!this.config.panicModeAny) return undefined;
    const any = this.fallbackBalancer('ANY_ENDPOINT')!.chooseHost(context) as Host | undefined;
    if (any !== undefined) this.environment.count(STAT.lb_subsets_fallback_panic);
    return any;
  }

  private fallbackBalancer(fallback: SubsetFallback): LoadBalancer | undefined {
    if (fallback === 'ANY_ENDPOINT') return (this.anyHost ??= this.balancerOf(this.prioritySet.hosts));
    if (fallback !== 'DEFAULT_SUBSET') return undefined;
    const { defaultSubset, listAsAny } = this.config;
    return (this.defaultSubset ??= this.balancerOf(
      this.prioritySet.hosts.filter((host) => hasMetadata(host, defaultSubset, listAsAny)),
    ));
  }

  // ---- plans ---------------------------------------------------------------------------------------------------------

  private planOf(metadata: Metadata): Plan {
    let plan = this.plans.get(metadata);
    if (plan === undefined) this.plans.set(metadata, (plan = this.makePlan(metadata)));
    return plan;
  }

  private makePlan(metadata: Metadata): Plan {
    const { fallback_list: list, ...rest } = metadata;
    if (!this.config.metadataFallbackList || list === undefined) return this.planFor(metadata);
    if (!Array.isArray(list) || list.length === 0) return this.planFor(rest);
    return { kind: 'list', plans: list.map((each: Metadata) => this.planFor({ ...rest, ...each })) };
  }

  private planFor(metadata: Metadata): Plan {
    const wanted = this.config.allowRedundantKeys ? this.withoutRedundantKeys(metadata) : metadata;
    const key = subsetKey(wanted);
    const hosts = this.allSubsets().get(key);
    if (hosts !== undefined) return { kind: 'subset', balancer: this.balancerOfSubset(key, hosts) };
    const keys = Object.keys(wanted).sort();
    const selector = this.config.selectors.find((each) => equal(each.keys, keys));
    if (selector === undefined || selector.fallback === 'NOT_DEFINED') return FALLBACK;
    if (selector.fallback === 'KEYS_SUBSET') return this.planFor(only(wanted, selector.fallbackKeys));
    return { kind: 'selector_fallback', balancer: this.fallbackBalancer(selector.fallback) };
  }

  /** What the first selector needs of it whose keys are all there. */
  private withoutRedundantKeys(metadata: Metadata): Metadata {
    const selector = this.config.selectors.find(({ keys }) => keys.every((key) => key in metadata));
    return selector === undefined ? metadata : only(metadata, selector.keys);
  }

  private allSubsets(): ReadonlyMap<string, SubsetHosts> {
    return (this.subsets ??= this.findSubsets());
  }

  private findSubsets(): ReadonlyMap<string, SubsetHosts> {
    const subsets = groupBySubset(this.prioritySet.hosts, this.config);
    const before = this.previous?.subsets;
    this.previous = undefined;
    let created = 0;
    for (const key of subsets.keys()) if (before?.has(key) !== true) created++;
    const removed = (before?.size ?? 0) + created - subsets.size;
    this.environment.count(STAT.lb_subsets_created, created);
    this.environment.count(STAT.lb_subsets_removed, removed);
    this.environment.count(STAT.lb_subsets_active, created - removed);
    return subsets;
  }

  private balancerOfSubset(key: string, { hosts, single }: SubsetHosts): LoadBalancer {
    let balancer = this.balancers.get(key);
    if (balancer === undefined) {
      balancer = single ? new SingleHost(hosts) : this.balancerOf(hosts);
      this.balancers.set(key, balancer);
    }
    return balancer;
  }

  private balancerOf(hosts: readonly Host[]): LoadBalancer {
    const { options, panicPercent, sets } = this.prioritySet;
    const localityWeightOf = this.config.localityWeightAware ? this.localityWeight() : undefined;
    const subset = new PrioritySet(hosts, panicPercent, { ...options, localityWeightOf }, sets.length);
    return this.create(subset, this.config.child, this.environment);
  }

  private localityWeight(): (hosts: readonly Host[]) => number {
    if (!this.config.scaleLocalityWeight) return ownLocalityWeight;
    const { sets } = this.prioritySet;
    return (hosts) => {
      const [{ priority, locality }] = hosts;
      const key = localityKey(locality);
      const all = sets[priority].localities.find((each) => localityKey(each.locality) === key)!;
      return Math.round((all.weight * hosts.length) / all.hosts.length);
    };
  }
}

/** A subset of one host, which is used whatever its health. */
class SingleHost implements LoadBalancer {
  private readonly host: Host;
  constructor(hosts: readonly Host[]) {
    this.host = hosts.reduce((best, host) => (host.priority < best.priority ? host : best));
  }
  chooseHost(): Host {
    return this.host;
  }
}

function only(metadata: Metadata, keys: readonly string[]): Metadata {
  return Object.fromEntries(keys.filter((key) => key in metadata).map((key) => [key, metadata[key]]));
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}
