// What the admin endpoints show and do. Whoever owns a thing plugs it in here; the endpoints only know these interfaces.

import type {
  Certificate,
  CommandLineOptions,
  ServerInfo_State,
} from '../../../xds-protos/generated/envoy/admin/v3.ts';
import type { StatStore } from '../../api/stats.ts';
import type { Address } from '../../api/stream_info.ts';
import type { HostDescription } from '../../api/upstream/host.ts';
import type {
  ChainConnections,
  ConnectionPage,
  ConnectionQuery,
} from '../../common/network/connection_table.ts';
import type { StatAggregator } from '../../common/stats/aggregator.ts';
import type { StatsSettings } from '../../common/stats/stats_config.ts';
import type { RequestCaptures } from '../capture/request_captures.ts';
import type { ResourceHistory } from '../config_store/history.ts';
import type { ResourceKind, ResourceVersion, UpdateFailure } from '../config_store/resource.ts';
import type { CompiledConfiguration } from '../explain/configuration.ts';
import type { StatSeries } from '../stats/stat_series.ts';
import type { CertificateUse } from '../status/certificates_in_use.ts';
import type { ClusterNumbers } from '../status/cluster_numbers.ts';
import type { RouteHitCounts } from '../status/route_hits.ts';
import type { WorkerHosts } from '../status/worker_hosts.ts';
import type { WorkerNumbers } from '../status/worker_numbers.ts';
import type { StreamSnapshot } from '../xds/stream_state.ts';
import type { AccessRules } from './access.ts';

export interface AdminContext {
  readonly stats: StatAggregator;
  /** Where the admin port counts its own traffic. */
  readonly ownStats: StatStore;
  readonly statsSettings: StatsSettings;
  readonly access: AccessRules;
  readonly configTracker: ConfigTracker;
  readonly server: ServerStatus;
  readonly logging: Logging;
  readonly runtime: AdminRuntime;
  readonly profiler: Profiler;
  /** For /api/. */
  readonly resources: ResourceView;
  readonly history: ResourceHistory;
  readonly series: StatSeries;
  /** Requests that workers have kept. Made with the first question. */
  requests(): Promise<RequestCaptures>;
  readonly connections: ConnectionView;
  /** Throws ConfigError where a control plane that sent this listener would be told so. Takes nothing. */
  checkListener(bytes: Uint8Array): void;
  /** The configuration that serves, for questions about it. Made with the first one. */
  configuration(): Promise<CompiledConfiguration>;
  /** Requests by route, of all workers. */
  routeHits(): Promise<RouteHitCounts>;
  xdsStreams(): readonly StreamSnapshot[];
  /** Those that `wanted` says true to, by their names and those in their stats. Without `ownHosts` some have none. */
  clusters(
    wanted?: (name: string, observabilityName: string) => boolean,
    ownHosts?: WorkerHosts,
  ): Iterable<ClusterStatus>;
  /** Of clusters whose hosts only workers know; undefined where there are none. */
  ownHosts(): Promise<WorkerHosts | undefined>;
  /** What workers alone know of the hosts of these clusters. */
  workerHosts(clusters: readonly string[]): Promise<WorkerHosts>;
  /** The active clusters, for lists. */
  clusterNumbers(): Iterable<ClusterNumbers>;
  /** Those that are active or warming, in the order they came. */
  listeners(): Iterable<{ readonly name: string; readonly localAddress: Address }>;
  /** What the start or a warming resource still waits for: of `listener foo`, its targets. Nothing once all is ready. */
  unreadyTargets(): Iterable<{ readonly name: string; readonly targetNames: readonly string[] }>;
  /** Certificates with who uses each. */
  certificateUses(): Iterable<CertificateUse>;
  workers(): Promise<readonly WorkerNumbers[]>;
  /** One per TLS certificate or CA in use, of both sides. */
  certificates(): Iterable<Certificate>;
  drainListeners(options: {
    readonly inboundOnly: boolean;
    readonly graceful: boolean;
    readonly skipExit: boolean;
  }): void;
  /** True: health check filters answer 503 and /ready is DRAINING, false: back to normal. */
  failHealthChecks(fail: boolean): void;
  reopenLogs(): void;
  /** Ends the process in order. The answer has been written by then. */
  quit(): void;
}

export type ConfigDumpKey =
  | 'bootstrap'
  | 'clusters'
  | 'ecds'
  | 'endpoint'
  | 'listeners'
  | 'routes'
  | 'route_scopes'
  | 'secrets';

/**
 * Gives the dump of a section as an `envoy.admin.v3.*ConfigDump` message, sensitive fields still in it.
 * Elements whose resource name `matches` says false to are left out. Lists may be any iterables, to be read once: their
 * elements are made when their turn comes, and '' among them is for others to have a turn of the event loop.
 */
export type ConfigDumpSource = (matches: (name: string) => boolean) => object;

/** Sections of /config_dump that exist. */
export type ConfigTracker = ReadonlyMap<ConfigDumpKey, ConfigDumpSource>;

export interface ServerStatus {
  /** `<revision>/<version>/<status>/<build>/<TLS library>`. */
  readonly version: string;
  readonly hotRestartVersion: string;
  readonly commandLineOptions: CommandLineOptions;
  /** `envoy.config.core.v3.Node` as sent to control planes. */
  readonly node: object;
  state(): ServerInfo_State;
  /** Seconds of this epoch and of all hot restart epochs. */
  uptime(): { readonly currentEpoch: number; readonly allEpochs: number };
  hotRestartInitializing(): boolean;
}

export interface Logging {
  readonly levels: readonly string[];
  loggers(): Iterable<{ readonly name: string; readonly level: string }>;
  /** `name` undefined: all loggers. `level` is one of `levels`. False when there is no such logger. */
  setLevel(name: string | undefined, level: string): boolean;
}

export interface AdminRuntime {
  readonly layerNames: readonly string[];
  readonly entries: readonly {
    readonly name: string;
    readonly layerValues: readonly string[];
    readonly finalValue: string;
  }[];
  /** Sets keys of the admin layer, '' takes one back. False when there is no admin layer. */
  modify(values: ReadonlyMap<string, string>): boolean;
}

/** A resource of any kind, whatever its state. */
export interface ResourceStatus {
  readonly kind: ResourceKind;
  readonly name: string;
  /** Of the bootstrap. */
  readonly isStatic: boolean;
  readonly active: ResourceVersion | undefined;
  readonly warming: ResourceVersion | undefined;
  /** The last update that was refused, until a good one comes. */
  readonly failure: UpdateFailure | undefined;
}

export interface ResourceView {
  /** Of the kind, or all. */
  all(kind: ResourceKind | undefined): Iterable<ResourceStatus>;
}

/** The workers' connections from clients, by the index of the worker. */
export interface ConnectionView {
  list(query: ConnectionQuery): Promise<ReadonlyMap<number, ConnectionPage>>;
  /** Answers whether there was such a connection. */
  drain(id: number): Promise<ReadonlyMap<number, boolean>>;
  ofChains(listener: string): Promise<ReadonlyMap<number, ChainConnections>>;
}

/** `heap`: objects alive; `allocation`: all that were made. */
export type ProfileKind = 'cpu' | 'heap' | 'allocation';

/** A profile by the thread's name, in V8's JSON (`.cpuprofile`, `.heapprofile`). */
export type ThreadProfiles = ReadonlyMap<string, string>;

/** Bytes. */
export interface HeapFigures {
  readonly used: number;
  readonly committed: number;
  readonly physical: number;
  readonly limit: number;
  readonly external: number;
  readonly malloced: number;
}

export interface Profiler {
  /** On all threads. False when it cannot; it goes on where it runs already, but for `cpu`. */
  start(kind: ProfileKind): Promise<boolean>;
  /** Undefined when it did not run, or when the profiles are in files now. */
  stop(kind: ProfileKind): Promise<ThreadProfiles | undefined>;
  /** By the thread's name. */
  heaps(): Promise<ReadonlyMap<string, HeapFigures>>;
}

export interface CircuitBreakerLimits {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

export interface ClusterStatus {
  readonly name: string;
  /** `alt_stat_name`, or the name. */
  readonly observabilityName: string;
  readonly edsServiceName: string;
  readonly addedViaApi: boolean;
  readonly defaultPriority: CircuitBreakerLimits;
  readonly highPriority: CircuitBreakerLimits;
  /** Percent; -1 while there are too few hosts or requests. Undefined without outlier detection. */
  readonly outlier:
    | {
        readonly successRateAverage: number;
        readonly successRateEjectionThreshold: number;
        readonly localOriginSuccessRateAverage: number;
        readonly localOriginSuccessRateEjectionThreshold: number;
      }
    | undefined;
  readonly hosts: Iterable<HostStatus>;
}

/** Counters and health flags are read from the host's run in the shared table. */
export interface HostStatus {
  readonly description: HostDescription;
  /** Requests waiting for a connection to this host. */
  readonly pendingRequests: number;
  readonly canary: boolean;
  /** `envoy.config.core.v3.HealthStatus` as EDS gave it. */
  readonly edsHealthStatus: string;
  /** Percent, -1 when not known. */
  readonly successRate: number;
  readonly localOriginSuccessRate: number;
}
