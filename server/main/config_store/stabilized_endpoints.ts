// Hosts that stay as long as their health checks pass, whatever discovery says: it may be late, or wrong for a moment.
// Envoy: BaseDynamicClusterImpl::updateDynamicHostList and EdsClusterImpl::reloadHealthyHostsHelper.

import type {
  ClusterLoadAssignment,
  LbEndpoint,
  LocalityLbEndpoints,
} from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { decode, encode, type Init } from '../../../xds-protos/load.ts';
import { HostHealthFlag } from '../../api/upstream/host.ts';
import { compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import type { EndpointSource, Endpoints } from './endpoint_source.ts';
import { edsHealthFlags } from './load_assignment.ts';
import { TYPE_NAMES } from './resource.ts';
import { Observable } from './warming.ts';

interface KnownHost {
  readonly group: LocalityLbEndpoints;
  readonly endpoint: LbEndpoint;
  readonly priority: number;
}

const NOBODY: ReadonlyMap<string, KnownHost> = new Map();

/** Does the host at this address pass its checks? */
export type Passes = (priority: number, address: string) => boolean;

export class StabilizedEndpoints extends Observable implements EndpointSource {
  readonly #source: EndpointSource;
  readonly #stop: () => void;
  #passes: Passes = () => false;
  /** By address: those that discovery names, and those that are kept. */
  #named: ReadonlyMap<string, KnownHost> = NOBODY;
  #kept: ReadonlyMap<string, KnownHost> = NOBODY;
  /** Where the kept ones begin. */
  #firstKept = 0;
  /** Undefined: just what the source says. */
  #effective: Endpoints | undefined;

  constructor(source: EndpointSource) {
    super();
    this.#source = source;
    this.#stop = source.observe(() => {
      this.#update();
      this.changed();
    });
    this.#update();
  }

  get name(): string {
    return this.#source.name;
  }

  get ready(): boolean {
    return this.#source.ready;
  }

  checkedBy(passes: Passes): void {
    this.#passes = passes;
  }

  endpoints(): Endpoints {
    return this.#effective ?? this.#source.endpoints();
  }

  /** Is the i-th endpoint one that discovery does not name any more? */
  isKept(index: number): boolean {
    return this.#effective !== undefined && index >= this.#firstKept;
  }

  /** The health of hosts has changed: some of those that were kept may go. */
  onHealthChange(): void {
    if (this.#effective === undefined) return;
    if ([...this.#kept].every(([address, host]) => this.#stays(address, host))) return;
    this.#update();
    this.changed();
  }

  close(): void {
    this.#stop();
    this.#source.close();
  }

  #update(): void {
    if (!this.#source.ready) return;
    const given = this.#source.endpoints();
    const named = hostsOf(given.assignment);
    const kept = new Map<string, KnownHost>();
    for (const [address, host] of [...this.#named, ...this.#kept])
      if (!named.has(address) && this.#stays(address, host)) kept.set(address, host);
    this.#named = named;
    this.#kept = kept;
    this.#firstKept = given.assignment.endpoints.reduce((sum, group) => sum + group.lb_endpoints.length, 0);
    this.#effective = kept.size === 0 ? undefined : withHosts(given, [...kept.values()]);
  }

  #stays(address: string, { endpoint, priority }: KnownHost): boolean {
    return (
      (edsHealthFlags(endpoint) & HostHealthFlag.FailedEdsHealth) === 0 && this.#passes(priority, address)
    );
  }
}

function hostsOf(assignment: ClusterLoadAssignment): Map<string, KnownHost> {
  const { endpoints } = compileLoadAssignment(assignment, '');
  const hosts = new Map<string, KnownHost>();
  let i = 0;
  for (const group of assignment.endpoints) {
    for (const endpoint of group.lb_endpoints) {
      const { address, locality } = endpoints[i++]!;
      if (!hosts.has(address.text)) hosts.set(address.text, { group, endpoint, priority: locality.priority });
    }
  }
  return hosts;
}

function withHosts({ assignment, version }: Endpoints, kept: readonly KnownHost[]): Endpoints {
  const groups = kept.map(({ group, endpoint }) => ({ ...group, lb_endpoints: [endpoint] }));
  const all = { ...assignment, endpoints: [...assignment.endpoints, ...groups] };
  const bytes = encode(TYPE_NAMES.endpoints, all as Init<ClusterLoadAssignment>);
  // Decoded again: copies of messages do not have the defaults of absent fields.
  return { bytes, version, assignment: decode(TYPE_NAMES.endpoints, bytes) };
}
