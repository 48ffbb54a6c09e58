// Hosts of a STRICT_DNS or LOGICAL_DNS cluster: the cluster's load assignment with every name replaced by its addresses
// (STRICT: all, LOGICAL: the first), as if EDS had sent it. Envoy: source/extensions/clusters/{strict,logical}_dns/.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  ClusterLoadAssignment,
  LbEndpoint,
} from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { create, decode, encode } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StatBlock, StatStore } from '../../api/stats.ts';
import { CLUSTER_CONFIG_UPDATE_STATS, CLUSTER_UPDATE_STATS } from '../../common/stats/families/cluster.ts';
import { statName } from '../../common/upstream/cluster_config.ts';
import type { ClusterDiscovery } from '../../common/upstream/cluster_discovery.ts';
import type { EndpointSource, Endpoints } from '../config_store/endpoint_source.ts';
import { equalBytes } from '../config_store/resource.ts';
import { Observable } from '../config_store/warming.ts';
import { compileDnsConfig, type DnsConfig } from './dns_config.ts';
import { DnsResolver } from './dns_resolver.ts';
import { ResolveTarget } from './resolve_target.ts';

const TYPE = 'envoy.config.endpoint.v3.ClusterLoadAssignment';
const AT = CLUSTER_UPDATE_STATS.offset;
const NO_REBUILD = CLUSTER_CONFIG_UPDATE_STATS.offset.update_no_rebuild;
const NO_ASSIGNMENT = create(TYPE);

/** Throws ConfigError; resolution starts at once. */
export function dnsEndpoints(
  cluster: Cluster,
  discovery: ClusterDiscovery,
  stats: StatStore,
  path: string,
): EndpointSource {
  const assignment = cluster.load_assignment ?? NO_ASSIGNMENT;
  if (discovery.type === 'LOGICAL_DNS') checkLogical(assignment, at(path, 'load_assignment'));
  return new DnsEndpoints(cluster, assignment, compileDnsConfig(cluster, discovery, path), stats);
}

function checkLogical(assignment: ClusterLoadAssignment, path: string): void {
  const only = assignment.endpoints[0];
  if (assignment.endpoints.length === 0) {
    throw new ConfigError(path, 'LOGICAL_DNS clusters must have a single host');
  }
  if (assignment.endpoints.length !== 1 || only?.lb_endpoints.length !== 1) {
    const reason = 'LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint';
    throw new ConfigError(path, reason);
  }
}

export class DnsEndpoints extends Observable implements EndpointSource {
  readonly name: string;
  ready = false;
  readonly #assignment: ClusterLoadAssignment;
  readonly #firstOnly: boolean;
  readonly #resolver: DnsResolver;
  readonly #targets = new Map<string, ResolveTarget>();
  readonly #store: StatStore;
  readonly #stats: StatBlock;
  readonly #configStats: StatBlock;
  #bytes: Uint8Array;

  constructor(cluster: Cluster, assignment: ClusterLoadAssignment, config: DnsConfig, stats: StatStore) {
    super();
    this.name = `Cluster ${cluster.name}`;
    this.#assignment = assignment;
    this.#firstOnly = config.firstOnly;
    this.#resolver = new DnsResolver(config.resolver);
    this.#store = stats;
    const prefix = `cluster.${statName(cluster)}.`;
    this.#stats = stats.block(CLUSTER_UPDATE_STATS, prefix);
    this.#configStats = stats.block(CLUSTER_CONFIG_UPDATE_STATS, prefix);
    for (const name of names(assignment)) {
      this.#targets.set(
        name,
        new ResolveTarget(name, config, this.#resolver, (_, succeeded) => this.#resolved(succeeded)),
      );
    }
    this.#bytes = this.#synthesize();
    this.ready = !config.waitForWarm || this.#targets.size === 0;
    for (const target of this.#targets.values()) {
      bump(this.#stats, AT.update_attempt);
      target.start();
    }
  }

  endpoints(): Endpoints {
    return { bytes: this.#bytes, version: '', assignment: decode(TYPE, this.#bytes) };
  }

  close(): void {
    for (const target of this.#targets.values()) target.close();
    this.#resolver.close();
    this.#store.release(this.#stats);
    this.#store.release(this.#configStats);
  }

  #resolved(succeeded: boolean): void {
    bump(this.#stats, succeeded ? AT.update_success : AT.update_failure);
    const bytes = this.#synthesize();
    const changed = !equalBytes(bytes, this.#bytes);
    if (changed) this.#bytes = bytes;
    else if (succeeded) bump(this.#configStats, NO_REBUILD);
    const wasReady = this.ready;
    this.ready ||= [...this.#targets.values()].every((target) => target.attempted);
    if (changed || !wasReady) this.changed();
  }

  #synthesize(): Uint8Array {
    return encode(TYPE, {
      ...this.#assignment,
      endpoints: this.#assignment.endpoints.map((locality) => ({
        ...locality,
        lb_endpoints: locality.lb_endpoints.flatMap((endpoint) => this.#expand(endpoint)),
      })),
    });
  }

  #expand(lbEndpoint: LbEndpoint): object[] {
    const { endpoint } = lbEndpoint;
    const socket = endpoint?.address?.socket_address;
    if (socket === undefined) return [lbEndpoint];
    const addresses = this.#targets.get(socket.address)?.addresses ?? [];
    const hostname = endpoint!.hostname === '' ? socket.address : endpoint!.hostname;
    const at = (address: string): object => ({ address: { socket_address: { ...socket, address } } });
    const host = (address: string, others: readonly string[]): object => ({
      ...lbEndpoint,
      endpoint: { ...endpoint, hostname, ...at(address), additional_addresses: others.map(at) },
    });
    if (!this.#firstOnly) return addresses.map((address) => host(address, []));
    const [first, ...others] = addresses;
    return first === undefined ? [] : [host(first, others)];
  }
}

function bump({ values, base }: StatBlock, offset: number): void {
  values[base + offset] = (values[base + offset] as number) + 1;
}

function names(assignment: ClusterLoadAssignment): Set<string> {
  const all = new Set<string>();
  for (const { lb_endpoints } of assignment.endpoints) {
    for (const { endpoint } of lb_endpoints) {
      const name = endpoint?.address?.socket_address?.address;
      if (name !== undefined) all.add(name);
    }
  }
  return all;
}
