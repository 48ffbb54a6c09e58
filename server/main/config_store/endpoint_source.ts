// Where a cluster's hosts come from: its own load_assignment, EDS, or DNS (server/main/dns). A cluster is warm when its
// source is ready.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { create, decode, encode } from '../../../xds-protos/load.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';
import { PlainEndpoints } from '../../common/upstream/plain_endpoints.ts';
import { TYPE_NAMES } from './resource.ts';
import type { Warmable } from './warming.ts';
import { Observable } from './warming.ts';
import type { WatchedResource, WatchedResources } from './watched_resources.ts';

export interface Endpoints {
  /** Undefined: the cluster's own load_assignment. */
  readonly bytes: Uint8Array | undefined;
  readonly version: string;
  readonly assignment: ClusterLoadAssignment;
  /** Undefined: `assignment` has to be read. */
  readonly plain?: PlainEndpoints | undefined;
}

/** Endpoints as EDS sends them. The message is decoded when it is asked for: there may be thousands in it. */
class ReceivedEndpoints implements Endpoints {
  readonly bytes: Uint8Array;
  readonly version: string;
  readonly plain: PlainEndpoints | undefined;
  #decoded: ClusterLoadAssignment | undefined;

  constructor(bytes: Uint8Array, version: string, parsed: unknown) {
    this.bytes = bytes;
    this.version = version;
    this.plain = parsed instanceof PlainEndpoints ? parsed : PlainEndpoints.read(bytes);
  }

  get assignment(): ClusterLoadAssignment {
    return (this.#decoded ??= decode(TYPE_NAMES.endpoints, this.bytes));
  }

  get staleAfterMs(): number {
    const { policy } = this.plain?.shell ?? this.assignment;
    return durationMs(policy?.endpoint_stale_after) ?? 0;
  }
}

export interface EndpointSource extends Warmable {
  /** The hosts now. Ready with nothing (a fetch that timed out) gives an empty assignment. */
  endpoints(): Endpoints;
  close(): void;
}

/** Hosts in the cluster's message. They never change. */
export class StaticEndpoints extends Observable implements EndpointSource {
  readonly name: string;
  readonly ready = true;
  readonly #clusterBytes: Uint8Array;
  /** Kept from the dry run until the first use, which is at once unless the cluster waits for a secret. */
  #fresh: ClusterLoadAssignment | undefined;

  constructor(cluster: Cluster, bytes: Uint8Array) {
    super();
    this.name = cluster.name;
    this.#clusterBytes = bytes;
    this.#fresh = cluster.load_assignment ?? EMPTY;
  }

  endpoints(): Endpoints {
    const assignment = this.#fresh ?? decode(TYPE_NAMES.cluster, this.#clusterBytes).load_assignment ?? EMPTY;
    this.#fresh = undefined;
    return { bytes: undefined, version: '', assignment };
  }

  close(): void {}
}

const EMPTY = create('envoy.config.endpoint.v3.ClusterLoadAssignment');

/** A load assignment without hosts. */
function nothing(clusterName: string): Endpoints {
  const bytes = encode(TYPE_NAMES.endpoints, { cluster_name: clusterName });
  return { bytes, version: '', assignment: EMPTY };
}

/** Hosts by EDS. The watch is shared by name, so a cluster that is updated finds its hosts already there. */
export class EdsEndpoints extends Observable implements EndpointSource {
  readonly #resource: WatchedResource;
  readonly #resources: WatchedResources;
  readonly #stopObserving: () => void;
  #staleTimer: NodeJS.Timeout | undefined;
  #stale = false;
  /** What has just come, until everyone has been told. */
  #received: ReceivedEndpoints | undefined;
  readonly #onStale: () => void;

  /** `onStale` counts an assignment that was not renewed within its endpoint_stale_after. */
  constructor(resource: WatchedResource, resources: WatchedResources, onStale: () => void) {
    super();
    this.#resource = resource;
    this.#resources = resources;
    this.#onStale = onStale;
    this.#stopObserving = resource.observe(() => this.#updated());
    this.#read();
    this.#received = undefined;
  }

  get name(): string {
    return this.#resource.name;
  }

  get ready(): boolean {
    return this.#resource.ready;
  }

  endpoints(): Endpoints {
    const { active, resourceName, parsed } = this.#resource;
    if (active === undefined || this.#stale) return nothing(resourceName);
    return this.#received ?? new ReceivedEndpoints(active.bytes, active.version, parsed);
  }

  close(): void {
    clearTimeout(this.#staleTimer);
    this.#stopObserving();
    this.#resources.release(this.#resource);
  }

  #updated(): void {
    this.#stale = false;
    this.#read();
    this.changed();
    this.#received = undefined;
  }

  #read(): void {
    clearTimeout(this.#staleTimer);
    const { active, parsed } = this.#resource;
    if (active === undefined) return;
    this.#received = new ReceivedEndpoints(active.bytes, active.version, parsed);
    const { staleAfterMs } = this.#received;
    if (staleAfterMs === 0) return;
    this.#staleTimer = setTimeout(() => {
      this.#stale = true;
      this.#onStale();
      this.changed();
    }, staleAfterMs);
  }
}
