// Puts the control side together: bootstrap, extensions, runtime, xDS client, configuration store. What runs the workers
// (server/main/supervisor) and `--mode validate` both start from here.

import { createRequire } from 'node:module';
import type { Bootstrap } from '../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import type { Node } from '../../xds-protos/generated/envoy/config/core/v3.ts';
import type { LogFile, LogFileManager, ServerInfo } from '../api/registry.ts';
import type { StatStore } from '../api/stats.ts';
import { rejectOtherFields } from '../common/config/handled_fields.ts';
import { discoveryNode } from '../common/discovery_node.ts';
import { compileListener } from '../common/listener/listener_config.ts';
import { ExtensionRegistry } from '../common/registry.ts';
import { compileRouteConfiguration } from '../common/router/route_config.ts';
import type { RuntimeValues } from '../common/runtime/runtime.ts';
import { compileCluster } from '../common/upstream/cluster_config.ts';
import { ALL_EXTENSIONS } from '../extensions/all_extensions.ts';
import type { ResourceUpdate } from '../messages.ts';
import type { Options } from './bootstrap/command_line.ts';
import { identityOptions } from './bootstrap/istiod_bootstrap.ts';
import { checkOverloadManager, checkTracing, serverInfo } from './bootstrap/settings.ts';
import { ConfigStore } from './config_store/config_store.ts';
import type { ListenSocketBinder, ResourceCompilers } from './config_store/services.ts';
import type { OnPiece } from './config_store/slot_allocator.ts';
import type { HealthDiscovery } from './health_discovery/health_discovery.ts';
import { WorkloadSecrets } from './mesh_identity/workload_secrets.ts';
import { RuntimeLoader } from './runtime/runtime_loader.ts';
import { XdsSubscriptionFactory } from './xds/subscription_factory.ts';

const require = createRequire(import.meta.url);
/** Few control planes let proxies check hosts for them. */
const loadHealthDiscovery = () =>
  (
    require('./health_discovery/health_discovery.ts') as typeof import('./health_discovery/health_discovery.ts')
  ).HealthDiscovery;

const COMPILERS: ResourceCompilers = {
  cluster: compileCluster,
  listener: compileListener,
  route: compileRouteConfiguration,
};

/** What the workers are told. */
export interface ControlOutput {
  publish(updates: readonly ResourceUpdate[]): void;
  readonly onPiece: OnPiece;
  runtime(values: RuntimeValues): void;
  /** Resolves when the workers have applied what was published. */
  settled(): Promise<void>;
  /** Opens the logs of the main thread. Undefined where nothing is to be written. */
  readonly logFiles?: LogFileManager;
  /** Undefined where nothing is to listen. */
  readonly sockets?: ListenSocketBinder;
}

export interface Control {
  readonly bootstrap: Bootstrap;
  readonly server: ServerInfo;
  /** Who we are to control planes. */
  readonly node: Node;
  readonly registry: ExtensionRegistry;
  readonly runtime: RuntimeLoader;
  readonly subscriptions: XdsSubscriptionFactory;
  readonly store: ConfigStore;
  /** Undefined where the proxy's identity is not its own business. */
  readonly secrets: WorkloadSecrets | undefined;
  /** Undefined without `hds_config`. */
  readonly healthDiscovery: HealthDiscovery | undefined;
  close(): void;
}

/** Checks everything static; nothing is asked of any control plane until `start`. Throws ConfigError. */
export function buildControl(
  bootstrap: Bootstrap,
  options: Options,
  version: string,
  stats: StatStore,
  output: ControlOutput,
): Control {
  const disabled = new Set(options.disabledExtensions);
  const registry = new ExtensionRegistry(ALL_EXTENSIONS.filter(({ name }) => !disabled.has(name)));
  const server = serverInfo(bootstrap, options);
  checkOverloadManager(bootstrap);
  checkTracing(bootstrap, registry);
  const runtime = new RuntimeLoader(bootstrap, stats, (values) => output.runtime(values));
  const clusters = new Map(bootstrap.static_resources?.clusters.map((each) => [each.name, each]));
  const secrets = workloadSecrets(options, stats);
  const node = discoveryNode(bootstrap.node!, version, registry.all);
  const subscriptions = new XdsSubscriptionFactory({
    node,
    adsConfig: bootstrap.dynamic_resources?.ads_config,
    clusters: (name) => clusters.get(name),
    inProcess: secrets,
    stats,
  });
  const store = new ConfigStore({
    bootstrap,
    server,
    registry,
    runtime: runtime.snapshot,
    stats,
    compilers: COMPILERS,
    subscriptions,
    unknownFields: options.unknownDynamicFields,
    publish: (updates) => output.publish(updates),
    settled: () => output.settled(),
    onPiece: output.onPiece,
    logFiles: output.logFiles,
    outlierLog: outlierLog(bootstrap, output.logFiles),
    sockets: output.sockets,
  });
  let healthDiscovery: HealthDiscovery | undefined;
  const close = (): void => {
    healthDiscovery?.close();
    store.close();
    runtime.close();
    subscriptions.close();
    secrets?.close();
  };
  try {
    store.loadStatic();
    healthDiscovery =
      bootstrap.hds_config &&
      new (loadHealthDiscovery())({
        source: bootstrap.hds_config,
        node,
        clusters: (name) => clusters.get(name),
        services: { stats, runtime: runtime.snapshot, logFiles: output.logFiles },
        environment: store.environment,
      });
  } catch (error) {
    close();
    throw error;
  }
  return {
    bootstrap,
    server,
    node,
    registry,
    runtime,
    subscriptions,
    store,
    secrets,
    healthDiscovery,
    close,
  };
}

/** The proxy's own identity, where it joins a mesh by itself. Throws ConfigError. */
function workloadSecrets({ istiod }: Options, stats: StatStore): WorkloadSecrets | undefined {
  if (istiod?.identity === undefined) return undefined;
  return new WorkloadSecrets(identityOptions(istiod, istiod.identity), stats);
}

/** The log of ejections. Throws ConfigError. */
function outlierLog(
  { cluster_manager: manager }: Bootstrap,
  files: LogFileManager | undefined,
): LogFile | undefined {
  const config = manager?.outlier_detection;
  if (config === undefined) return undefined;
  rejectOtherFields(config, new Set(['event_log_path']), 'cluster_manager.outlier_detection');
  return config.event_log_path === '' ? undefined : files?.open(config.event_log_path);
}
