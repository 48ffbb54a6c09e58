// Pick one host of a list: in turn, by weight, the least busy, or any. Made anew when the list changes.
// Envoy: source/extensions/load_balancing_policies/{round_robin,least_request,random}.

import type { Runtime } from '../../api/runtime.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import type { Host } from '../upstream/host.ts';
import { EdfScheduler } from './edf_scheduler.ts';
import type { LeastRequestConfig, PickingConfig } from './load_balancer_config.ts';
import { randomBelow } from './random.ts';
import type { SlowStart } from './slow_start.ts';

export interface HostPicker {
  /** Undefined when the list is empty. */
  pick(): Host | undefined;
}

export function createPicker(
  config: PickingConfig,
  hosts: readonly Host[],
  slowStart: SlowStart | undefined,
  runtime: Runtime,
): HostPicker {
  if (hosts.length <= 1) return new OnlyHost(hosts[0]);
  if (config.policy === 'RANDOM') return new RandomPicker(hosts);
  const slow = slowStart?.active(monotonicNow()) === true ? slowStart : undefined;
  if (config.policy === 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN') return createWeightedByLoad(hosts, slow);
  const weighted = slow !== undefined || hosts.some((host) => host.weight !== hosts[0].weight);
  if (config.policy === 'ROUND_ROBIN')
    return weighted ? new WeightedPicker(hosts, roundRobinWeight(slow)) : new Rotation(hosts);
  if (weighted) return new WeightedPicker(hosts, leastRequestWeight(config, slow, runtime));
  return config.fullScan ? new LeastRequestScan(hosts) : new LeastRequestChoice(hosts, config.choiceCount);
}

type WeightOf = (host: Host) => number;

function createWeightedByLoad(hosts: readonly Host[], slow: SlowStart | undefined): HostPicker {
  const weightOf: WeightOf = (host) => host.load?.weight ?? 1;
  const first = weightOf(hosts[0]);
  if (slow === undefined && hosts.every((host) => weightOf(host) === first)) return new Rotation(hosts);
  if (slow === undefined) return new WeightedPicker(hosts, weightOf);
  return new WeightedPicker(hosts, (host) => weightOf(host) * slow.factor(host, monotonicNow()));
}

function roundRobinWeight(slow: SlowStart | undefined): WeightOf {
  if (slow === undefined) return (host) => host.weight;
  return (host) => host.weight * slow.factor(host, monotonicNow());
}

/** weight / (active requests + 1)^bias; the runtime's bias is that of the moment the hosts changed, as in Envoy. */
function leastRequestWeight(
  { activeRequestBias, biasKey }: LeastRequestConfig,
  slow: SlowStart | undefined,
  runtime: Runtime,
): WeightOf {
  const set = biasKey === '' ? activeRequestBias : runtime.getDouble(biasKey, activeRequestBias);
  const bias = set >= 0 ? set : 1;
  const weightOf: WeightOf =
    bias === 1
      ? (host) => host.weight / (host.activeRequests + 1)
      : (host) => host.weight / (host.activeRequests + 1) ** bias;
  return slow === undefined ? weightOf : (host) => weightOf(host) * slow.factor(host, monotonicNow());
}

class OnlyHost implements HostPicker {
  private readonly host: Host | undefined;
  constructor(host: Host | undefined) {
    this.host = host;
  }
  pick(): Host | undefined {
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
  private readonly weightOf: WeightOf;
  constructor(hosts: readonly Host[], weightOf: WeightOf) {
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
