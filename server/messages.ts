// The only types that cross threads. Configuration goes from main to workers as proto bytes with a version; workers
// answer with stat directories and events. Everything else that is shared is in shared memory.

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
   * `hostSlots[i]` is the shared-table slot of the i-th endpoint in the order of the message (endpoints, then lb_endpoints).
   */
  | {
      readonly kind: 'endpoints';
      readonly name: string;
      readonly version: string;
      readonly bytes: Uint8Array | undefined;
      readonly hostSlots: Int32Array;
    }
  | { readonly kind: 'route'; readonly name: string; readonly version: string; readonly bytes: Uint8Array }
  /** A TypedExtensionConfig. */
  | {
      readonly kind: 'extension';
      readonly name: string;
      readonly version: string;
      readonly bytes: Uint8Array;
    }
  /** `fd` is a duplicate of a bound socket where workers share one (Unix sockets, reuse_port off); -1: the worker binds itself. */
  | {
      readonly kind: 'listener';
      readonly name: string;
      readonly version: string;
      readonly bytes: Uint8Array;
      readonly fds: readonly number[];
    }
  | {
      readonly kind: 'remove';
      readonly resource: 'secret' | 'cluster' | 'endpoints' | 'route' | 'extension' | 'listener';
      readonly name: string;
    };

/** The command line and bootstrap facts every worker needs. */
export interface WorkerOptions {
  readonly index: number;
  readonly concurrency: number;
  readonly drainTimeMs: number;
  readonly drainStrategy: 'gradual' | 'immediate';
  readonly fileFlushIntervalMs: number;
  readonly fileFlushMinSizeBytes: number;
  readonly logLevel: string;
}

export type MainToWorker =
  /** `bootstrap` is the Bootstrap message without its static resources (they come as updates). */
  | { readonly type: 'init'; readonly options: WorkerOptions; readonly bootstrap: Uint8Array }
  /** Applied in order, in one go. `sequence` is answered with `applied`. */
  | { readonly type: 'update'; readonly sequence: number; readonly updates: readonly ResourceUpdate[] }
  /** A piece of a shared table; index = piece number. */
  | {
      readonly type: 'table';
      readonly table: 'hosts' | 'circuit_breakers';
      readonly index: number;
      readonly memory: SharedArrayBuffer;
    }
  | { readonly type: 'runtime'; readonly values: Readonly<Record<string, string | number | boolean>> }
  /** Stop accepting and drain. `scope` as in /drain_listeners. */
  | {
      readonly type: 'drain';
      readonly scope: 'all' | 'inboundonly';
      readonly graceful: boolean;
      readonly deadlineMs: number;
    }
  | { readonly type: 'log_level'; readonly logger: string | undefined; readonly level: string }
  | { readonly type: 'reopen_logs' }
  | { readonly type: 'shutdown'; readonly graceMs: number };

export type WorkerToMain =
  | { readonly type: 'ready' }
  /** The updates of `sequence` are in force. `failures` names resources that could not be (a bind that failed). */
  | {
      readonly type: 'applied';
      readonly sequence: number;
      readonly failures: readonly { readonly kind: string; readonly name: string; readonly reason: string }[];
      readonly cpuMs: number;
    }
  /** A new piece of this worker's stat slab, and blocks or names in it. */
  | { readonly type: 'stats'; readonly message: unknown }
  /** Nothing is open any more after `drain` or `shutdown`. */
  | { readonly type: 'drained' }
  | { readonly type: 'log'; readonly level: string; readonly logger: string; readonly text: string };
