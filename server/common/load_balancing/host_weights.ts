// What share of the keys each host of a priority is to get: weights of hosts and localities, normalized to 1 in all.
// Envoy: source/extensions/load_balancing_policies/common/thread_aware_lb_impl.cc (normalizeWeights).

import { latin1Of } from '../matcher/latin1.ts';
import type { Host } from '../upstream/host.ts';
import type { HostSet } from '../upstream/host_set.ts';

/** Hosts and their shares, in the order that Envoy has them. */
export interface NormalizedHostWeights {
  readonly hosts: readonly Host[];
  readonly weights: Float64Array;
  readonly min: number;
  readonly max: number;
}

/** `byLocality`: localities get their weights' shares first. In panic all hosts count. */
export function normalizedHostWeights(
  set: HostSet,
  panic: boolean,
  byLocality: boolean,
): NormalizedHostWeights {
  const hosts: Host[] = [];
  const weights: number[] = [];
  if (!byLocality || set.options.localityWeightOf === undefined) {
    addHosts(panic ? set.hosts : set.healthy, 1, hosts, weights);
  } else {
    let sum = 0;
    for (const { weight } of set.localities) sum += weight;
    for (const locality of set.localities) {
      if (locality.weight > 0)
        addHosts(panic ? locality.hosts : locality.healthy, locality.weight / sum, hosts, weights);
    }
  }
  let min = 1;
  let max = 0;
  for (const weight of weights) {
    min = Math.min(min, weight);
    max = Math.max(max, weight);
  }
  return { hosts, weights: Float64Array.from(weights), min, max };
}

function addHosts(from: readonly Host[], share: number, hosts: Host[], weights: number[]): void {
  let sum = 0;
  for (const host of from) sum += host.weight;
  for (const host of from) {
    hosts.push(host);
    weights.push((host.weight * share) / sum);
  }
}

/** What a host is known by: `hash_key` of its metadata (namespace envoy.lb), its name or its address. As latin1. */
export function hostHashKey(host: Host, useHostname: boolean): string {
  const own = host.metadata?.['envoy.lb']?.hash_key;
  if (typeof own === 'string' && own !== '') return latin1Of(own);
  return useHostname ? latin1Of(host.hostname) : host.address.text;
}
