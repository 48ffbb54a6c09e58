// Which hosts of a cluster a request may go to, how likely each is, and why: the cold twin of LoadBalancer.chooseHost. Shares of
// priorities, localities and weights are computed as the balancers do; what cannot be (a hash without a key, policies over
// policies) is asked of the balancer itself, many times. Loaded when somebody asks.

import type { LoadBalancer, LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import type { Host } from '../upstream/host.ts';
import type { HostSet } from '../upstream/host_set.ts';
import type { PrioritySet } from '../upstream/priority_set.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import { createLoadBalancer } from './create_load_balancer.ts';
import { hostHealthNames } from './host_health_names.ts';
import type {
  BalancingConfig,
  LeastRequestConfig,
  LoadBalancerConfig,
  RandomConfig,
  RoundRobinConfig,
} from './load_balancer_config.ts';
import type { LoadBalancerEnvironment } from './load_balancer_environment.ts';
import { effectiveWeight } from './locality_scheduler.ts';
import { SlowStart } from './slow_start.ts';
import { SubsetLoadBalancer } from './subset_load_balancer.ts';
import { FAIL, NO_LOCALITY, WHOLE, ZoneAwareRouting } from './zone_aware_routing.ts';

export interface ExplainedHost {
  readonly host: Host;
  /** 0 to 1. */
  readonly share: number;
  readonly reason: string;
  /** A hash, the connection or a session decides for this one. */
  readonly chosen: boolean;
}

export interface HostsExplanation {
  /** `ROUND_ROBIN`, ...; of a subset, that within it. */
  readonly policy: string;
  /** What was decided on the way, in order: subset, priorities, panic. */
  readonly notes: readonly string[];
  /** Every host of the cluster, also those that get nothing. */
  readonly hosts: readonly ExplainedHost[];
}

/** Picks that are counted where shares cannot be computed. */
const SAMPLES = 4000;

export function explainHosts(cluster: ThreadLocalCluster, context: LoadBalancerContext): HostsExplanation {
  const { prioritySet, environment } = cluster;
  const loadBalancer = cluster.config.loadBalancer as LoadBalancerConfig;
  const override = context.overrideHost === undefined ? undefined : cluster.chooseHost(context);
  if (override !== undefined) {
    return {
      policy: loadBalancer.policy,
      notes: [],
      hosts: only(prioritySet, override, 'its session is bound to this host'),
    };
  }
  if (loadBalancer.policy === 'CLUSTER_PROVIDED') return provided(cluster, context);
  if (loadBalancer.policy !== 'SUBSET') return balanced(prioritySet, loadBalancer, environment, context);
  const asked: Asked[] = [];
  const recording = new SubsetLoadBalancer(prioritySet, loadBalancer, environment, (set, config) => {
    const balancer = createLoadBalancer(set, config, environment);
    return { chooseHost: (each) => noted(asked, set, config, balancer, each) };
  });
  const host = recording.chooseHost(context);
  const last = asked.at(-1);
  const wanted = JSON.stringify(context.metadataMatch ?? {});
  if (last === undefined) {
    const text =
      host === undefined
        ? `no subset for ${wanted}, and no fallback`
        : `the one host of the subset ${wanted}`;
    return { policy: 'SUBSET', notes: [text], hosts: only(prioritySet, host, text) };
  }
  const inside = balanced(last.set, last.config, environment, context);
  const members = new Set(last.set.hosts);
  const found = new Map(inside.hosts.map((each) => [each.host, each]));
  const which = asked.length === 1 ? '' : `, after ${asked.length - 1} that had no host`;
  return {
    policy: inside.policy,
    notes: [
      `the request asks for ${wanted}: ${last.set.hosts.length} of ${prioritySet.hosts.length} hosts${which}`,
      ...inside.notes,
    ],
    hosts: prioritySet.hosts.map((each) =>
      members.has(each)
        ? (found.get(each) as ExplainedHost)
        : { host: each, share: 0, reason: `not in the subset ${wanted}`, chosen: false },
    ),
  };
}

interface Asked {
  readonly set: PrioritySet;
  readonly config: BalancingConfig;
}

function noted(
  asked: Asked[],
  set: PrioritySet,
  config: BalancingConfig,
  balancer: LoadBalancer,
  context: LoadBalancerContext | undefined,
) {
  asked.push({ set, config });
  return balancer.chooseHost(context);
}

function provided(cluster: ThreadLocalCluster, context: LoadBalancerContext): HostsExplanation {
  const host = cluster.chooseHost(context);
  const reason = 'where the client wanted to go before it was redirected';
  const hosts = host === undefined ? [] : [{ host, share: 1, reason, chosen: true }];
  const notes = host === undefined ? ['no destination is known: the connection was not redirected'] : [];
  return { policy: 'CLUSTER_PROVIDED', notes, hosts };
}

function only(set: PrioritySet, host: Host | undefined, reason: string): ExplainedHost[] {
  return set.hosts.map((each) =>
    each === host
      ? { host: each, share: 1, reason, chosen: true }
      : {
          host: each,
          share: 0,
          reason: host === undefined ? reason : 'another host is decided for',
          chosen: false,
        },
  );
}

function balanced(
  set: PrioritySet,
  config: BalancingConfig,
  environment: LoadBalancerEnvironment,
  context: LoadBalancerContext,
): HostsExplanation {
  const notes = priorityNotes(set);
  const { policy } = config;
  if (policy === 'ROUND_ROBIN' || policy === 'LEAST_REQUEST' || policy === 'RANDOM') {
    const shares = new Shares(set, config, environment);
    return {
      policy,
      notes: [...notes, ...shares.notes],
      hosts: set.hosts.map((host) => shares.explain(host)),
    };
  }
  const balancer = createLoadBalancer(set, config, environment);
  const hash = context.hashKey();
  if (hash !== undefined && (policy === 'RING_HASH' || policy === 'MAGLEV')) {
    const host = balancer.chooseHost(context) as Host | undefined;
    const reason = `the hash ${hash} of the request leads to it`;
    return {
      policy,
      notes: [...notes, `hash ${hash}`],
      hosts: only(set, host, host === undefined ? 'no host can be used' : reason),
    };
  }
  if (policy === 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN')
    notes.push('each worker weighs hosts by the load that they report to it: here all are taken as equal');
  return { policy, notes, hosts: sampled(set, balancer, context) };
}

function sampled(set: PrioritySet, balancer: LoadBalancer, context: LoadBalancerContext): ExplainedHost[] {
  const counts = new Map<Host, number>();
  for (let i = 0; i < SAMPLES; i++) {
    const host = balancer.chooseHost(context) as Host | undefined;
    if (host !== undefined) counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return set.hosts.map((host) => {
    const share = (counts.get(host) ?? 0) / SAMPLES;
    const reason = share > 0 ? 'chosen so often when the balancer was asked' : idleReason(set, host);
    return { host, share, reason, chosen: false };
  });
}

function priorityNotes({ sets, load }: PrioritySet): string[] {
  return sets.flatMap((set, priority) => {
    if (set.hosts.length === 0) return [];
    const health = `${set.healthy.length} healthy and ${set.degraded.length} degraded of ${set.hosts.length} hosts`;
    const gets = `${load.healthy[priority]} % of requests to healthy, ${load.degraded[priority]} % to degraded hosts`;
    const panic = load.panic[priority] ? '; it panics: all its hosts are used, whatever their health' : '';
    return [`priority ${priority}: ${health}, gets ${gets}${panic}`];
  });
}

/** Why a host gets nothing. */
function idleReason({ load }: PrioritySet, host: Host): string {
  const names = hostHealthNames(Atomics.load(host.table, host.slot + HostSlot.HealthFlags));
  if (host.health === 'unhealthy') return `unhealthy: ${names.join(', ')}`;
  const { priority } = host;
  if (load.healthy[priority] === 0 && load.degraded[priority] === 0)
    return `priority ${priority} gets no traffic: others can carry all of it`;
  if (host.health === 'degraded')
    return `degraded (${names.join(', ')}), and healthy hosts can carry all of it`;
  return 'the balancer gives it nothing';
}

/** Policies whose shares the configuration and the hosts tell. */
type SharedByWeight = RoundRobinConfig | LeastRequestConfig | RandomConfig;

/** What each host gets under a policy that picks from a list. */
class Shares {
  readonly notes: string[] = [];
  readonly #set: PrioritySet;
  readonly #config: SharedByWeight;
  readonly #environment: LoadBalancerEnvironment;
  readonly #slowStart: SlowStart | undefined;
  readonly #shares = new Map<Host, number>();
  readonly #reasons = new Map<Host, string>();

  constructor(set: PrioritySet, config: SharedByWeight, environment: LoadBalancerEnvironment) {
    this.#set = set;
    this.#config = config;
    this.#environment = environment;
    const slowStart = config.policy === 'RANDOM' ? undefined : config.slowStart;
    this.#slowStart = slowStart && new SlowStart(slowStart, environment.runtime, set, monotonicNow());
    set.sets.forEach((each, priority) => {
      const { healthy, degraded, panic } = set.load;
      if (panic[priority]) this.#panic(each, (healthy[priority] as number) / 100);
      else {
        this.#spread(each, priority, (healthy[priority] as number) / 100, false);
        this.#spread(each, priority, (degraded[priority] as number) / 100, true);
      }
    });
  }

  explain(host: Host): ExplainedHost {
    const share = this.#shares.get(host) ?? 0;
    const reason = this.#reasons.get(host) ?? idleReason(this.#set, host);
    return { host, share, reason, chosen: false };
  }

  #panic({ hosts }: HostSet, share: number): void {
    if (share === 0) return;
    if (this.#config.locality.zoneAware.failTrafficOnPanic) {
      this.notes.push('in panic, traffic is to fail (fail_traffic_on_panic)');
      return;
    }
    this.#pick(hosts, share, 'in panic all hosts are used');
  }

  /** `share` of all requests is for the healthy (or degraded) hosts of a priority. */
  #spread(set: HostSet, priority: number, share: number, degraded: boolean): void {
    if (share === 0) return;
    const which = degraded ? 'degraded' : 'healthy';
    if (this.#config.locality.weighted && this.#byLocalityWeight(set, share, degraded)) return;
    const zones = priority === 0 ? this.#zones(set) : new Map([[NO_LOCALITY, 1]]);
    for (const [locality, part] of zones) {
      if (locality === FAIL || part === 0) continue;
      const from = locality === NO_LOCALITY ? set : set.localities[locality]!;
      const where = locality === NO_LOCALITY ? '' : ` of locality ${localityName(set, locality)}`;
      this.#pick(
        degraded ? from.degraded : from.healthy,
        share * part,
        `${which} host of priority ${priority}${where}`,
      );
    }
  }

  /** False where no locality has both a weight and hosts. */
  #byLocalityWeight(set: HostSet, share: number, degraded: boolean): boolean {
    if (set.options.localityWeightOf === undefined) return false;
    const factor = set.options.overprovisioningFactor / 100;
    const weights = set.localities.map((each) =>
      effectiveWeight(each, degraded ? each.degraded.length : each.healthy.length, factor),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total === 0) return false;
    weights.forEach((weight, i) => {
      const locality = set.localities[i]!;
      const part = weight / total;
      const text = `locality ${localityName(set, i)} gets ${percent(part)} by its weight ${locality.weight}`;
      if (weight > 0) this.#pick(degraded ? locality.degraded : locality.healthy, share * part, text);
      else this.#idle(locality.hosts, `${text}, or by its health`);
    });
    return true;
  }

  /** Shares of localities under zone-aware routing. */
  #zones(set: HostSet): ReadonlyMap<number, number> {
    const zones = new ZoneAwareRouting(
      set,
      this.#set.panicPercent,
      this.#config.locality.zoneAware,
      this.#environment,
    );
    const first = zones.choose();
    const everywhere = new Map([[NO_LOCALITY, 1]]);
    if (zones.state === 'none') return everywhere;
    if (first === FAIL) {
      this.notes.push('the proxies of the own cluster panic, and traffic is to fail then');
      return new Map();
    }
    const on = this.#zoneRoutingOn();
    if (on === 0) return everywhere;
    const shares = new Map([[NO_LOCALITY, 1 - on]]);
    const add = (locality: number, share: number): void => {
      shares.set(locality, (shares.get(locality) ?? 0) + on * share);
    };
    if (zones.state === 'direct') {
      this.notes.push('zone-aware routing keeps all requests in the own locality');
      add(0, 1);
      return shares;
    }
    const local = zones.localShare / WHOLE;
    this.notes.push(`zone-aware routing keeps ${percent(local)} of requests in the own locality`);
    add(0, local);
    const capacity = zones.residual.at(-1) ?? 0;
    zones.residual.forEach((sum, i) => {
      const own = sum - (zones.residual[i - 1] ?? 0);
      add(i, (1 - local) * (capacity === 0 ? 1 / zones.residual.length : own / capacity));
    });
    return shares;
  }

  #zoneRoutingOn(): number {
    const { routingPercent } = this.#config.locality.zoneAware;
    const { runtime } = this.#environment;
    let on = 0;
    for (let i = 0; i < 100; i++)
      if (runtime.featureEnabled('upstream.zone_routing.enabled', routingPercent, 100, i)) on++;
    return on / 100;
  }

  /** `share` of all requests goes to one of these. */
  #pick(hosts: readonly Host[], share: number, why: string): void {
    const weights = this.#weights(hosts);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    hosts.forEach((host, i) => {
      const weight = weights[i] as number;
      this.#shares.set(host, (this.#shares.get(host) ?? 0) + (share * weight) / total);
      const same = weights.every((each) => each === weight);
      const text = same
        ? `one of ${hosts.length} with equal shares`
        : `${rounded(weight)} of ${rounded(total)} by weight`;
      this.#reasons.set(host, hosts.length === 1 ? `the only ${why}` : `${why}: ${text}`);
    });
  }

  #idle(hosts: readonly Host[], why: string): void {
    for (const host of hosts)
      if (!this.#reasons.has(host) && host.health === 'healthy') this.#reasons.set(host, why);
  }

  /** As host_pickers.ts: the policies differ in what they make of weights. */
  #weights(hosts: readonly Host[]): number[] {
    const config = this.#config;
    if (config.policy === 'RANDOM') return hosts.map(() => 1);
    const now = monotonicNow();
    const slow = this.#slowStart?.active(now) === true ? this.#slowStart : undefined;
    const factor = (host: Host): number => (slow === undefined ? 1 : slow.factor(host, now));
    const weighted = slow !== undefined || hosts.some((host) => host.weight !== hosts[0]!.weight);
    if (slow !== undefined) this.notes.push('slow start: hosts that are new get less');
    if (!weighted) {
      if (config.policy === 'LEAST_REQUEST') this.#noteLeastRequest(config.fullScan, config.choiceCount);
      return hosts.map(() => 1);
    }
    if (config.policy === 'ROUND_ROBIN') return hosts.map((host) => host.weight * factor(host));
    const { runtime } = this.#environment;
    const set =
      config.biasKey === ''
        ? config.activeRequestBias
        : runtime.getDouble(config.biasKey, config.activeRequestBias);
    const bias = set >= 0 ? set : 1;
    this.notes.push('weights are divided by the requests that a host has now');
    return hosts.map((host) => (host.weight / (host.activeRequests + 1) ** bias) * factor(host));
  }

  #noteLeastRequest(fullScan: boolean, choices: number): void {
    const text = fullScan ? 'all hosts' : `${choices} hosts taken at random`;
    const note = `of ${text} the one with the fewest active requests: equal shares in the long run`;
    if (!this.notes.includes(note)) this.notes.push(note);
  }
}

function localityName(set: HostSet, index: number): string {
  const { region, zone, subZone } = set.localities[index]!.locality;
  return `'${[region, zone, subZone].filter((each) => each !== '').join('/')}'`;
}

function percent(share: number): string {
  return `${rounded(100 * share)} %`;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
