// What the parts of the configuration store share.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { FactoryContext, LogFileManager } from '../../api/registry.ts';
import type { StatStore } from '../../api/stats.ts';
import type { ClusterConfig } from '../../common/upstream/cluster_config.ts';
import type { OutlierEventLogger } from '../outlier_detection/outlier_event_logger.ts';
import type { SubscriptionFactory } from '../xds/subscription.ts';
import type { ResourceHistory } from './history.ts';
import type { CompileEnvironment, Dependency } from './main_factory_context.ts';
import type { Publisher } from './publisher.ts';
import type { ResourceDecoder } from './resource_decoder.ts';
import type { SlotAllocator } from './slot_allocator.ts';
import type { Warmable } from './warming.ts';

/** What the main thread itself needs of a compiled cluster. The rest would hold secrets and TLS contexts for nothing. */
export type ClusterShape = Pick<
  ClusterConfig,
  'loadBalancer' | 'panicPercent' | 'outlierDetection' | 'updateMergeWindowMs' | 'healthCheck' | 'isSecure'
>;

/** The pure compile functions of common/; main runs them to say ACK or NACK. */
export interface ResourceCompilers {
  listener(message: Listener, context: FactoryContext, path: string): unknown;
  cluster(message: Cluster, context: FactoryContext, path: string): ClusterShape;
  route(message: RouteConfiguration, context: FactoryContext, path: string): unknown;
}

export type VirtualHostsDependency = Extract<Dependency, { kind: 'virtual_hosts' }>;

/** A held watch of something a resource depends on. */
export interface Lease {
  readonly target: Warmable;
  release(): void;
}

/** Holds the addresses of listeners. Envoy: ListenSocketFactory. */
export interface ListenSocketBinder {
  /**
   * Binds what this version of a listener needs and an older one has not got; what an older version that never served had
   * bound is closed. Throws ConfigError when an address cannot be had; everything is as before then.
   */
  bind(name: string, listener: Listener): void;
  /** The version that `bind` was last called for will not serve. */
  abandon(name: string): void;
}

export interface StoreServices {
  readonly compilers: ResourceCompilers;
  readonly environment: CompileEnvironment;
  readonly decoder: ResourceDecoder;
  readonly publisher: Publisher;
  readonly history: ResourceHistory;
  readonly subscriptions: SubscriptionFactory;
  readonly stats: StatStore;
  readonly hostSlots: SlotAllocator;
  readonly breakerSlots: SlotAllocator;
  /** Logs of the main thread; undefined where none are written. */
  readonly logFiles: LogFileManager | undefined;
  /** Of ejections; undefined without one. */
  readonly outlierLog: OutlierEventLogger | undefined;
  /** Undefined where nothing is to listen (`--mode validate`). */
  readonly sockets: ListenSocketBinder | undefined;
  /** Starts watching a dependency. Throws ConfigError when its source cannot be honoured. */
  lease(dependency: Dependency): Lease;
}

/** Leases all, or none when one of them throws. */
export function leaseAll(services: StoreServices, dependencies: readonly Dependency[]): Lease[] {
  const leases: Lease[] = [];
  try {
    for (const dependency of dependencies) leases.push(services.lease(dependency));
  } catch (error) {
    releaseAll(leases);
    throw error;
  }
  return leases;
}

export function releaseAll(leases: readonly Lease[]): void {
  for (const lease of leases) lease.release();
}
