// A host of a cluster on one worker, with its connection pools. Its live numbers are in the table that all threads share.
// Envoy: source/common/upstream/upstream_impl.h (HostImpl).

import type { UpstreamTransportSocketFactory } from '../../api/network/transport_socket.ts';
import type { Address } from '../../api/stream_info.ts';
import {
  HealthStatus,
  type HostDescription,
  HostHealthFlag,
  HostSlot,
  type Locality,
} from '../../api/upstream/host.ts';
import type { HostLoad } from '../load_balancing/client_side_weights.ts';
import { HostLatency } from './host_latency.ts';
import type { FilterMetadata } from './metadata.ts';

export type HostHealth = 'healthy' | 'degraded' | 'unhealthy';

const UNHEALTHY_FLAGS =
  HostHealthFlag.FailedActiveHc |
  HostHealthFlag.FailedOutlierCheck |
  HostHealthFlag.FailedEdsHealth |
  HostHealthFlag.EdsStatusDraining;
const DEGRADED_FLAGS =
  HostHealthFlag.DegradedActiveHc |
  HostHealthFlag.DegradedEdsHealth |
  HostHealthFlag.DegradedOutlierDetection;
/** Hosts that do not count when health is computed in percent. Source: HostSetImpl::partitionHosts. */
export const EXCLUDED_FLAGS =
  HostHealthFlag.PendingActiveHc |
  HostHealthFlag.ExcludedViaImmediateHcFail |
  HostHealthFlag.EdsStatusDraining;

/** What bits of HostHealthFlag say as a whole. Envoy: Host::coarseHealth. */
export function coarseHealth(flags: number): HostHealth {
  if ((flags & UNHEALTHY_FLAGS) !== 0) return 'unhealthy';
  return (flags & DEGRADED_FLAGS) !== 0 ? 'degraded' : 'healthy';
}

const NO_OTHER_IPS: readonly string[] = [];
const NO_POOLS: readonly HostPool[] = [];

/** A pool that belongs to a host, as the host needs it. */
export interface HostPool {
  /** The object that stands for the host now. */
  host: Host;
  /** The host left its cluster or changed: idle connections close, busy ones when they are done. */
  drain(): void;
}

export interface HostOptions {
  readonly address: Address;
  /** Further IP addresses of it, on the same port. */
  readonly otherIps?: readonly string[];
  readonly hostname: string;
  readonly locality: Locality;
  readonly priority: number;
  readonly weight: number;
  /** Weight of its locality among those of its priority; 0 = no traffic by locality. */
  readonly localityWeight: number;
  readonly metadata: FilterMetadata | undefined;
  readonly clusterName: string;
  readonly transportSocket: UpstreamTransportSocketFactory | undefined;
  readonly table: Int32Array;
  /** This thread's share of `table`, see TableSlot. */
  readonly held: Int32Array;
  readonly slot: number;
  /** What the main thread calls the slot; -1 for hosts that it does not know of. */
  readonly slotNumber: number;
}

export class Host implements HostDescription {
  readonly address: Address;
  readonly otherIps: readonly string[];
  readonly hostname: string;
  readonly locality: Locality;
  readonly priority: number;
  readonly weight: number;
  readonly localityWeight: number;
  readonly metadata: FilterMetadata | undefined;
  readonly clusterName: string;
  readonly transportSocket: UpstreamTransportSocketFactory | undefined;
  readonly table: Int32Array;
  readonly slot: number;
  readonly slotNumber: number;
  private readonly held: Int32Array;
  /** When slow start began to count for it, ms of the monotonic clock; 0 = not yet. Envoy: Host::lastHcPassTime. */
  slowStartSince = 0;
  private failedActiveHc: boolean;
  /** What it says of its load, where the balancer goes by that. Envoy: Host::lbPolicyData. */
  load: HostLoad | undefined = undefined;
  /** From its first answer on. */
  latency: HostLatency | undefined = undefined;
  /** Used by HostUpdate alone: the host stays. */
  kept = false;
  /** Pools by kind and options. The two most used have a field of their own: a request looks nothing up. */
  http1Pool: HostPool | undefined = undefined;
  /** Of HTTP/2, or of whichever of the two the host agrees to. */
  http2Pool: HostPool | undefined = undefined;
  otherPools: Map<string, HostPool> | undefined = undefined;

  constructor(options: HostOptions) {
    this.address = options.address;
    this.otherIps = options.otherIps ?? NO_OTHER_IPS;
    this.hostname = options.hostname;
    this.locality = options.locality;
    this.priority = options.priority;
    this.weight = options.weight;
    this.localityWeight = options.localityWeight;
    this.metadata = options.metadata;
    this.clusterName = options.clusterName;
    this.transportSocket = options.transportSocket;
    this.table = options.table;
    this.slot = options.slot;
    this.slotNumber = options.slotNumber;
    this.held = options.held;
    this.failedActiveHc = this.hasFailedActiveHc;
  }

  get activeRequests(): number {
    return Atomics.load(this.table, this.slot + HostSlot.ActiveRequests);
  }

  get activeConnections(): number {
    return Atomics.load(this.table, this.slot + HostSlot.ActiveConnections);
  }

  /** What EDS and checks say of it now. */
  get health(): HostHealth {
    return coarseHealth(Atomics.load(this.table, this.slot + HostSlot.HealthFlags));
  }

  /** A number of HealthStatus: what its own checks and errors say, else what EDS said. Envoy: HostImplBase::healthStatus. */
  get healthStatus(): number {
    const flags = Atomics.load(this.table, this.slot + HostSlot.HealthFlags);
    if ((flags & (HostHealthFlag.FailedActiveHc | HostHealthFlag.FailedOutlierCheck)) !== 0)
      return HealthStatus.UNHEALTHY;
    if ((flags & HostHealthFlag.EdsStatusTimeout) !== 0) return HealthStatus.TIMEOUT;
    if ((flags & HostHealthFlag.FailedEdsHealth) !== 0) return HealthStatus.UNHEALTHY;
    if ((flags & HostHealthFlag.EdsStatusDraining) !== 0) return HealthStatus.DRAINING;
    if ((flags & DEGRADED_FLAGS) !== 0) return HealthStatus.DEGRADED;
    return (flags & HostHealthFlag.EdsStatusHealthy) !== 0 ? HealthStatus.HEALTHY : HealthStatus.UNKNOWN;
  }

  /** Its checks say something new: slow start begins again for a host that has passed. */
  noteHealth(): void {
    const failed = this.hasFailedActiveHc;
    if (this.failedActiveHc && !failed) this.slowStartSince = 0;
    this.failedActiveHc = failed;
  }

  private get hasFailedActiveHc(): boolean {
    const flags = Atomics.load(this.table, this.slot + HostSlot.HealthFlags);
    return (flags & HostHealthFlag.FailedActiveHc) !== 0;
  }

  get isExcluded(): boolean {
    return (Atomics.load(this.table, this.slot + HostSlot.HealthFlags) & EXCLUDED_FLAGS) !== 0;
  }

  /** Adds to one of its live numbers. `field` is an offset of HostSlot. */
  add(field: number, n: number): void {
    const at = this.slot + field;
    Atomics.add(this.table, at, n);
    this.held[at] += n;
  }

  /** `ms` as in HostLatency. */
  recordLatency(ms: number): void {
    this.latency ??= new HostLatency();
    this.latency.record(ms);
  }

  /** Takes the connections and the age of the object this one replaces (same address and security; weight or health changed). */
  takeOver(from: Host): void {
    this.slowStartSince = from.slowStartSince;
    this.load = from.load;
    this.latency = from.latency;
    this.http1Pool = from.http1Pool;
    this.http2Pool = from.http2Pool;
    this.otherPools = from.otherPools;
    from.http1Pool = undefined;
    from.http2Pool = undefined;
    from.otherPools = undefined;
    if (this.http1Pool !== undefined) this.http1Pool.host = this;
    if (this.http2Pool !== undefined) this.http2Pool.host = this;
    for (const pool of this.otherPools?.values() ?? NO_POOLS) pool.host = this;
  }

  drainPools(): void {
    const { http1Pool, http2Pool, otherPools } = this;
    this.http1Pool = undefined;
    this.http2Pool = undefined;
    this.otherPools = undefined;
    http1Pool?.drain();
    http2Pool?.drain();
    for (const pool of otherPools?.values() ?? NO_POOLS) pool.drain();
  }
}
