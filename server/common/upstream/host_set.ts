// The hosts of one priority, by health and by locality. Envoy: source/common/upstream/upstream_impl.cc (HostSetImpl),
// and PriorityStateManager for the order of localities.

import type { Locality } from '../../api/upstream/host.ts';
import type { Host } from './host.ts';

/** Hosts of one locality within a priority. */
export interface LocalityHosts {
  readonly locality: Locality;
  readonly hosts: readonly Host[];
  readonly healthy: readonly Host[];
  readonly degraded: readonly Host[];
  /** Hosts that do not count when availability is computed. */
  readonly excluded: number;
  readonly weight: number;
}

/** What all priorities of a cluster have in common. */
export interface HostSetOptions {
  /** Percent; 140: a priority of which 72 % are healthy still carries everything. */
  readonly overprovisioningFactor: number;
  /** Health of a priority counts the weights of its hosts, not their number. */
  readonly weightedPriorityHealth: boolean;
  /** Where this proxy is: this locality comes first. Undefined: it does not know. */
  readonly localLocality: Locality | undefined;
  /** Weight of a locality by its hosts; undefined: localities have none. */
  readonly localityWeightOf: ((hosts: readonly Host[]) => number) | undefined;
}

/** The weight that the load assignment gave: that of the last mention of the locality. */
export function ownLocalityWeight(hosts: readonly Host[]): number {
  return hosts[hosts.length - 1].localityWeight;
}

export class HostSet {
  readonly hosts: readonly Host[];
  readonly healthy: readonly Host[];
  readonly degraded: readonly Host[];
  readonly excluded: readonly Host[];
  readonly options: HostSetOptions;
  private byLocality: readonly LocalityHosts[] | undefined = undefined;

  constructor(hosts: readonly Host[], options: HostSetOptions) {
    const healthy: Host[] = [];
    const degraded: Host[] = [];
    const excluded: Host[] = [];
    for (const host of hosts) {
      const health = host.health;
      if (health === 'healthy') healthy.push(host);
      else if (health === 'degraded') degraded.push(host);
      if (host.isExcluded) excluded.push(host);
    }
    this.hosts = hosts;
    this.healthy = healthy;
    this.degraded = degraded;
    this.excluded = excluded;
    this.options = options;
  }

  /** The proxy's own locality first when it has hosts, the others in the order of their names. Made on first use. */
  get localities(): readonly LocalityHosts[] {
    return (this.byLocality ??= this.partition());
  }

  get hasLocalLocality(): boolean {
    const own = this.options.localLocality;
    return own !== undefined && this.localities.length > 0 && compare(this.localities[0].locality, own) === 0;
  }

  private partition(): readonly LocalityHosts[] {
    const { localLocality: own, localityWeightOf } = this.options;
    const groups = new Map<string, Host[]>();
    for (const host of this.hosts) {
      const key = localityKey(host.locality);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [host]);
      else group.push(host);
    }
    const healthy = new Set(this.healthy);
    const degraded = new Set(this.degraded);
    const excluded = new Set(this.excluded);
    return [...groups.values()]
      .map((hosts) => ({
        locality: hosts[0].locality,
        hosts,
        healthy: hosts.filter((host) => healthy.has(host)),
        degraded: hosts.filter((host) => degraded.has(host)),
        excluded: hosts.filter((host) => excluded.has(host)).length,
        weight: localityWeightOf === undefined ? 0 : localityWeightOf(hosts),
      }))
      .sort((a, b) => rank(a.locality, own) - rank(b.locality, own) || compare(a.locality, b.locality));
  }
}

/** Equal for equal localities. */
export function localityKey({ region, zone, subZone }: Locality): string {
  return `${region}\0${zone}\0${subZone}`;
}

function rank(locality: Locality, own: Locality | undefined): number {
  return own !== undefined && compare(locality, own) === 0 ? 0 : 1;
}

function compare(a: Locality, b: Locality): number {
  return order(a.region, b.region) || order(a.zone, b.zone) || order(a.subZone, b.subZone);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
