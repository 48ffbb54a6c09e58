// The only types that cross threads. Configuration goes from main to workers as proto bytes with a version; workers
// answer with stat directories and events. Everything else that is shared is in shared memory.

import type { CachedDnsHost } from './api/dns_cache.ts';
import type { ServerInfo } from './api/registry.ts';
import type { RouteDiscoveryKind } from './api/router.ts';
import type { CaptureSettings } from './common/capture/captured_request.ts';
import type { LogLevel } from './common/log.ts';
import type { ChainConnections, ConnectionPage, ConnectionQuery } from './common/network/connection_table.ts';
import type { RouteHits } from './common/router/route_hits.ts';
import type { RuntimeValues } from './common/runtime/runtime.ts';
import type { EvictedStat, StatsMessage } from './common/stats/messages.ts';
import type { HostEvent } from './common/upstream/host_event.ts';
import type { WorkerHost } from './common/upstream/worker_host.ts';

/** A resource for a worker: apply it now, what it refers to has already been sent. */
export type ResourceUpdate =
  | { readonly kind: 'secret'; readonly name: string; readonly version: string; readonly bytes: Uint8Array }
  /** `circuitBreakerSlot` is the cluster's run in the shared breaker table. */
  | {
      readonly kind: 'cluster';
      readonly name: string;
      readonly version: string;
      readonly bytes: Uint8Array;
      readonly circuitBreakerSlot: number;
    }
  /**
   * Hosts of a cluster as a ClusterLoadAssignment: from EDS, DNS, or (bytes undefined) the cluster's own load_assignment.
   * `hostSlots[i]` is the shared-table slot of the i-th endpoint in the order of the message (endpoints, then lb_endpoints); -1
   * where an earlier one has the same address.
   */
  | {
      readonly kind: 'endpoints';
      readonly name: string;
      readonly version: string;
      readonly bytes: Uint8Array | undefined;
      readonly hostSlots: Int32Array;
    }
  /** A cluster that was asked for (`discover_cluster`) does not exist. */
  | { readonly kind: 'cluster_missing'; readonly name: string }
  /** What was asked for by `discover_route` has come, or does not exist. */
  | {
      readonly kind: 'route_discovered';
      readonly of: RouteDiscoveryKind;
      readonly owner: string;
      readonly name: string;
    }
  /** The flags of the cluster's hosts in the shared table have changed. */
  | { readonly kind: 'host_health'; readonly name: string }
  /** Weights of the cluster's hosts by slot, from what they report out of band. */
  | { readonly kind: 'host_load'; readonly name: string; readonly weights: ReadonlyMap<number, number> }
  | { readonly kind: 'route'; readonly name: string; readonly version: string; readonly bytes: Uint8Array }
  /** ScopedRoutes with the scopes of a collection in its list. */
  | {
      readonly kind: 'scoped_routes';
      readonly name: string;
      readonly version: string;
      readonly bytes: Uint8Array;
    }
  /** A slot of the table `shared_counters`, for what asks for a counter of that name. */
  | { readonly kind: 'shared_counter'; readonly name: string; readonly slot: number }
  /** For what asks for memory of that name (FactoryContext.sharedMemory). */
  /** What the DNS cache in the first part of the name knows of the host in the second. */
  | { readonly kind: 'dns_host'; readonly name: string; readonly host: CachedDnsHost }
  | { readonly kind: 'shared_memory'; readonly name: string; readonly memory: SharedArrayBuffer }
  /** A TypedExtensionConfig. */
  | {
      readonly kind: 'extension';
      readonly name: string;
      readonly version: string;
      readonly bytes: Uint8Array;
    }
  /** Its TCP sockets have come as `listen_socket` messages before. */
  | { readonly kind: 'listener'; readonly name: string; readonly version: string; readonly bytes: Uint8Array }
  /** Workloads of the mesh (istio.workload.Workload, what peers' metadata needs) by their IP addresses, and addresses that nobody has. */
  | {
      readonly kind: 'workloads';
      readonly name: string;
      readonly changed: readonly { readonly addresses: readonly string[]; readonly bytes: Uint8Array }[];
      readonly removed: readonly string[];
    }
  | {
      readonly kind: 'remove';
      readonly resource:
        | 'shared_counter'
        | 'shared_memory'
        | 'dns_host'
        | 'secret'
        | 'cluster'
        | 'endpoints'
        | 'route'
        | 'scoped_routes'
        | 'extension'
        | 'listener';
      readonly name: string;
    };

/** What a worker is started with (workerData). */
export interface WorkerOptions {
  readonly index: number;
  /** Of the BroadcastChannel on which workers give each other connections. */
  readonly exchange: string;
  readonly server: ServerInfo;
  readonly runtime: RuntimeValues;
  /** ms. */
  readonly drainTimeMs: number;
  readonly drainStrategy: 'gradual' | 'immediate';
  /** Random; keys of TLS session tickets are made of it where none are configured. */
  readonly sessionTicketSecret: Uint8Array;
  /** Levels by logger name. */
  readonly logLevels: Readonly<Record<string, LogLevel>>;
}

/** What main asks the workers, and what each answers: by the question's kind. */
export interface WorkerAnswers {
  /** Only that it answers is of interest. */
  readonly response_time: true;
  /** Requests that the worker has kept, as JSON of CapturedRequest each. */
  readonly captured_requests: readonly string[];
  readonly connections: ConnectionPage;
  /** Of a listener. */
  readonly chain_connections: ChainConnections;
  /** Was it there? */
  readonly drain_connection: boolean;
  /** What it alone knows of hosts of clusters. */
  readonly hosts: readonly WorkerHost[];
  /** Requests by route since the route came, of every route configuration. */
  readonly route_hits: readonly RouteHits[];
}
export type WorkerQuestion = keyof WorkerAnswers;

/** What a question is about. */
export interface WorkerQuestionSubjects {
  readonly response_time: undefined;
  readonly captured_requests: undefined;
  readonly connections: ConnectionQuery;
  /** A listener's name. */
  readonly chain_connections: string;
  /** A connection's id. */
  readonly drain_connection: number;
  /** Names of clusters. */
  readonly hosts: readonly string[];
  readonly route_hits: undefined;
}

/** A question with its subject. */
export type AskedQuestion = {
  readonly [Q in WorkerQuestion]: { readonly question: Q; readonly subject: WorkerQuestionSubjects[Q] };
}[WorkerQuestion];

export type MainToWorker =
  /** Applied in order, in one go. `sequence` is answered with `applied`. */
  | { readonly type: 'update'; readonly sequence: number; readonly updates: readonly ResourceUpdate[] }
  /** A piece of a shared table; index = piece number. Comes before the first update that has a slot in it. */
  | {
      readonly type: 'table';
      readonly table: 'hosts' | 'circuit_breakers' | 'shared_counters';
      readonly index: number;
      readonly memory: SharedArrayBuffer;
      /** As long as `memory`: what this worker alone has added to it. */
      readonly held: SharedArrayBuffer;
    }
  /**
   * A bound socket for a listener to come: the worker's own (net.BoundSocket, transferred), or a descriptor of one that all
   * workers listen on. `key`: see common/listener/listen_socket_key.ts.
   */
  | { readonly type: 'listen_socket'; readonly key: string; readonly socket: object }
  | { readonly type: 'listen_socket'; readonly key: string; readonly fd: number }
  | { readonly type: 'runtime'; readonly values: RuntimeValues }
  /** Answers ask clients to go from now on; with `stopAccepting` nobody new comes in. `scope` as in /drain_listeners. */
  | {
      readonly type: 'drain';
      readonly scope: 'all' | 'inboundonly';
      readonly graceful: boolean;
      readonly stopAccepting: boolean;
    }
  | { readonly type: 'evict_stats'; readonly stats: readonly EvictedStat[] }
  | { readonly type: 'log_level'; readonly logger: string | undefined; readonly level: LogLevel }
  /** /healthcheck/fail, or that it is over. */
  | { readonly type: 'server_health'; readonly failed: boolean }
  | { readonly type: 'reopen_logs' }
  /** Answered with `answer` of the same id. */
  | ({ readonly type: 'question'; readonly id: number } & AskedQuestion)
  /** Somebody watches requests from now on, or (undefined) no more. */
  | { readonly type: 'watch_requests'; readonly settings: CaptureSettings | undefined }
  | { readonly type: 'shutdown'; readonly graceMs: number };

export type WorkerToMain =
  | { readonly type: 'ready' }
  /** A request wants a cluster that is not there. `source` is the key of the config source to ask. */
  | { readonly type: 'discover_cluster'; readonly source: string; readonly cluster: string }
  /** A request wants a virtual host of the route configuration `owner`, or the routes of a scope of the collection `owner`. */
  | {
      readonly type: 'discover_route';
      readonly of: RouteDiscoveryKind;
      readonly owner: string;
      readonly name: string;
    }
  /** The updates of `sequence` are in force. `failures` names resources that could not be applied; their old version serves on. */
  | {
      readonly type: 'applied';
      readonly sequence: number;
      readonly failures: readonly { readonly kind: string; readonly name: string; readonly reason: string }[];
      /** ms the thread spent on it. */
      readonly cpuMs: number;
    }
  /** Something about the host in this slot of the table that the main thread has to judge. */
  /** Somebody asks for a host of a DNS cache. */
  | { readonly type: 'dns_host_used'; readonly cache: string; readonly key: string }
  | {
      readonly type: 'host_event';
      readonly cluster: string;
      readonly slot: number;
      readonly event: HostEvent;
    }
  /** A new piece of this worker's stat slab, and blocks or names in it. */
  | { readonly type: 'stats'; readonly message: StatsMessage }
  | { readonly type: 'answer'; readonly id: number; readonly answer: WorkerAnswers[WorkerQuestion] }
  /** While somebody watches: JSON of a CapturedRequest. */
  | { readonly type: 'captured_request'; readonly record: string }
  /** Nothing is open any more after `shutdown`. */
  | { readonly type: 'drained' }
  | { readonly type: 'log'; readonly level: LogLevel; readonly logger: string; readonly text: string };
