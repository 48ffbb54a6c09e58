// Locality-weighted balancing: which locality of a priority is next, by its weight and by how much of it is available.
// Envoy: source/common/upstream/locality_wrr.cc; document: arch_overview/upstream/load_balancing/locality_weight.

import type { HostSet, LocalityHosts } from '../upstream/host_set.ts';
import { EdfScheduler } from './edf_scheduler.ts';

interface WeightedLocality {
  readonly index: number;
  readonly weight: number;
}

const weightOf = ({ weight }: WeightedLocality): number => weight;

export class LocalityScheduler {
  private readonly scheduler = new EdfScheduler<WeightedLocality>();

  /** `degraded`: of degraded hosts instead of healthy ones. */
  constructor(set: HostSet, degraded: boolean) {
    const factor = set.options.overprovisioningFactor / 100;
    set.localities.forEach((locality, index) => {
      const weight = effectiveWeight(
        locality,
        degraded ? locality.degraded.length : locality.healthy.length,
        factor,
      );
      if (weight > 0) this.scheduler.add(weight, { index, weight });
    });
  }

  /** The index of a locality of the set; -1 when none has both weight and hosts. */
  next(): number {
    return this.scheduler.pickAndAdd(weightOf)?.index ?? -1;
  }
}

/** What the locality gets of the traffic, against the others; 0 = nothing. `available`: hosts of it that can be used. */
export function effectiveWeight(
  { hosts, excluded, weight }: LocalityHosts,
  available: number,
  factor: number,
): number {
  const count = hosts.length - excluded;
  return count === 0 ? 0 : weight * Math.min(1, (factor * available) / count);
}
