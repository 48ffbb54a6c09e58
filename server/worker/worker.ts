// A worker thread: applies what main sends, in order, and serves users. It never talks to the control plane.
// Envoy: source/server/worker_impl.cc.

import type { MessagePort } from 'node:worker_threads';
import { decode } from '../../xds-protos/load.ts';
import { FileLogManager } from '../common/access_log/file_log_manager.ts';
import { requestCapture } from '../common/capture/request_capture.ts';
import { releaseStartupGarbage } from '../common/event/startup_garbage.ts';
import { watchEventLoop } from '../common/event/watchdog.ts';
import { onStreamFailure } from '../common/http/stream_failure.ts';
import { WorkloadIndex } from '../common/istio/workload_index.ts';
import { logger, setLogLevel, setLogSink } from '../common/log.ts';
import { onConnectionFailure, setConnectionIdRange } from '../common/network/connection.ts';
import { ExtensionRegistry } from '../common/registry.ts';
import { allRouteHits } from '../common/router/route_hits.ts';
import { RuntimeSnapshot } from '../common/runtime/runtime.ts';
import { serverHealth } from '../common/server_health.ts';
import { ThreadStatStore } from '../common/stats/store.ts';
import { setSessionTicketSecret } from '../common/tls/session_ticket_keys.ts';
import { ALL_EXTENSIONS } from '../extensions/all_extensions.ts';
import type {
  AskedQuestion,
  MainToWorker,
  ResourceUpdate,
  WorkerAnswers,
  WorkerOptions,
  WorkerQuestion,
  WorkerToMain,
} from '../messages.ts';
import { WorkerClusterDiscoveries } from './cluster_discoveries.ts';
import { WorkerClusterManager } from './cluster_manager.ts';
import { WorkerDnsCaches } from './dns_caches.ts';
import { WorkerListenerManager } from './listener_manager.ts';
import { WorkerRouteDiscoveries } from './route_discoveries.ts';
import { WorkerSharedCounters } from './shared_counters.ts';
import { WorkerResources } from './worker_factory_context.ts';

const log = logger('main');
type Failures = { readonly kind: string; readonly name: string; readonly reason: string }[];

export class Worker {
  private readonly port: MessagePort;
  private readonly clusters = new WorkerClusterManager((cluster, slot, event) =>
    this.post({ type: 'host_event', cluster, slot, event }),
  );
  private readonly sharedCounters = new WorkerSharedCounters();
  private readonly dnsCaches = new WorkerDnsCaches((cache, key) =>
    this.post({ type: 'dns_host_used', cache, key }),
  );
  private readonly clusterDiscoveries = new WorkerClusterDiscoveries((source, cluster) =>
    this.post({ type: 'discover_cluster', source, cluster }),
  );
  private readonly routeDiscoveries = new WorkerRouteDiscoveries((of, owner, name) =>
    this.post({ type: 'discover_route', of, owner, name }),
  );
  private readonly workloads = new WorkloadIndex();
  private readonly listeners: WorkerListenerManager;
  private readonly resources: WorkerResources;
  private readonly logFiles: FileLogManager;
  private readonly stats: ThreadStatStore;
  private readonly runtime: RuntimeSnapshot;
  private started = false;

  constructor(port: MessagePort, options: WorkerOptions) {
    this.port = port;
    setConnectionIdRange(options.index);
    setSessionTicketSecret(options.sessionTicketSecret);
    setLogSink((record) => this.post({ type: 'log', ...record }));
    onConnectionFailure((error) => log.critical(`exception on a connection: ${describe(error)}`));
    onStreamFailure((error) => log.critical(`exception in a filter: ${describe(error)}`));
    requestCapture.workerIndex = options.index;
    requestCapture.onLive = (record) => this.post({ type: 'captured_request', record });
    const stats = new ThreadStatStore((message) => this.post({ type: 'stats', message }));
    this.stats = stats;
    watchEventLoop(stats, ['workers.', `server.worker_${options.index}.`]);
    for (const [name, level] of Object.entries(options.logLevels)) setLogLevel(name, level);
    const { server } = options;
    this.logFiles = new FileLogManager(server, stats);
    this.runtime = new RuntimeSnapshot(options.runtime);
    this.resources = new WorkerResources({
      server,
      stats,
      runtime: this.runtime,
      registry: new ExtensionRegistry(ALL_EXTENSIONS),
      clusterManager: this.clusters,
      workloads: this.workloads,
      sharedCounter: (name) => this.sharedCounters.get(name),
      dnsCaches: this.dnsCaches,
      clusterDiscoveries: this.clusterDiscoveries,
      routeDiscoveries: this.routeDiscoveries,
      logFiles: this.logFiles,
    });
    this.clusters.setContext(this.resources.context, options.index);
    this.listeners = new WorkerListenerManager(this.resources.context, options.index, options);
    port.on('message', (message: MainToWorker) => this.onMessage(message));
    this.post({ type: 'ready' });
  }

  private onMessage(message: MainToWorker): void {
    switch (message.type) {
      case 'update':
        this.update(message.sequence, message.updates);
        break;
      case 'table':
        (message.table === 'shared_counters' ? this.sharedCounters : this.clusters).addPiece(message);
        break;
      case 'listen_socket':
        this.listeners.addBoundSocket(message.key, 'socket' in message ? message.socket : message.fd);
        break;
      case 'runtime':
        this.runtime.update(message.values);
        this.clusters.onRuntimeUpdate();
        break;
      case 'drain':
        this.listeners.drainAll(message.scope, message.stopAccepting, message.graceful);
        break;
      case 'evict_stats':
        this.stats.evict(message.stats);
        break;
      case 'log_level':
        setLogLevel(message.logger, message.level);
        break;
      case 'server_health':
        serverHealth.failed = message.failed;
        break;
      case 'reopen_logs':
        this.logFiles.reopen();
        break;
      case 'question':
        this.answer(message).then(
          (answer) => this.post({ type: 'answer', id: message.id, answer }),
          (error) => log.error(`no answer to ${message.question}: ${describe(error)}`),
        );
        break;
      case 'watch_requests':
        requestCapture.watch(message.settings);
        break;
      case 'shutdown':
        this.listeners.shutdown(message.graceMs, () => this.end());
        break;
    }
  }

  private update(sequence: number, updates: readonly ResourceUpdate[]): void {
    if (!this.started) {
      this.started = true;
      releaseStartupGarbage();
    }
    const cpuBefore = performance.now();
    const failures: Failures = [];
    for (const update of updates) {
      try {
        this.apply(update);
      } catch (error) {
        // Main has compiled the same bytes: this is a bug or a resource of this thread that is missing. The old version serves on.
        failures.push({ kind: update.kind, name: update.name, reason: describe(error) });
      }
    }
    // When all is applied: a cluster comes before its hosts.
    for (const update of updates) {
      const { kind, name } = update;
      if (kind === 'cluster' || kind === 'cluster_missing') this.clusterDiscoveries.settle(name);
      else if (kind === 'route_discovered') this.routeDiscoveries.settle(update.of, update.owner, name);
    }
    this.post({ type: 'applied', sequence, failures, cpuMs: performance.now() - cpuBefore });
  }

  private apply(update: ResourceUpdate): void {
    switch (update.kind) {
      case 'shared_counter':
        this.sharedCounters.apply(update.name, update.slot);
        break;
      case 'scoped_routes':
        this.resources.applyScopedRoutes(update.name, update.bytes);
        break;
      case 'dns_host':
        this.dnsCaches.applyHost(update.name, update.host);
        break;
      case 'shared_memory':
        this.resources.applySharedMemory(update.name, update.memory);
        break;
      case 'secret':
        this.resources.applySecret(update.name, update.bytes);
        break;
      case 'cluster':
        this.clusters.applyCluster(update);
        break;
      case 'endpoints':
        this.clusters.applyEndpoints(update);
        break;
      case 'host_health':
        this.clusters.updateHealth(update.name);
        break;
      case 'host_load':
        this.clusters.takeHostLoad(update.name, update.weights);
        break;
      case 'route':
        this.resources.applyRoute(update.name, update.bytes);
        break;
      case 'extension':
        this.resources.applyExtension(update.name, update.bytes);
        break;
      case 'listener':
        this.listeners.apply(update);
        break;
      case 'cluster_missing':
      case 'route_discovered':
        break;
      case 'workloads':
        for (const { addresses, bytes } of update.changed) {
          this.workloads.set(addresses, decode('istio.workload.Workload', bytes));
        }
        for (const address of update.removed) this.workloads.delete(address);
        break;
      case 'remove':
        this.remove(update.resource, update.name);
        break;
    }
  }

  /** What answers is loaded with the first question. */
  private async answer(asked: AskedQuestion): Promise<WorkerAnswers[WorkerQuestion]> {
    if (asked.question === 'response_time') return true;
    if (asked.question === 'captured_requests') return requestCapture.records();
    if (asked.question === 'route_hits') return allRouteHits();
    if (asked.question === 'hosts') {
      const { workerHosts } = await import('./worker_hosts.ts');
      return workerHosts(this.clusters.inflated(asked.subject));
    }
    const table = await import('./connection_table.ts');
    const listeners = this.listeners.allListeners();
    switch (asked.question) {
      case 'connections':
        return table.connectionPage(listeners, asked.subject);
      case 'chain_connections':
        return table.chainConnections(listeners, asked.subject);
      case 'drain_connection':
        return table.drainConnection(listeners, asked.subject);
    }
  }

  private remove(resource: Extract<ResourceUpdate, { kind: 'remove' }>['resource'], name: string): void {
    if (resource === 'cluster') this.clusters.removeCluster(name);
    else if (resource === 'listener') this.listeners.remove(name);
    else if (resource === 'dns_host') this.dnsCaches.removeHost(name);
    else if (resource === 'shared_counter') this.sharedCounters.remove(name);
    else if (resource !== 'endpoints') this.resources.remove(resource, name);
  }

  private end(): void {
    this.listeners.close();
    this.logFiles.flushSync();
    this.post({ type: 'drained' });
  }

  private post(message: WorkerToMain): void {
    this.port.postMessage(message);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
