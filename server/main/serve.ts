// Serves: admin, control side and workers come up, and the process runs until a signal or /quitquitquit ends it.
// Envoy: source/server/server.cc (InstanceBase::run).

import { writeFileSync } from 'node:fs';
import { FileLogManager } from '../common/access_log/file_log_manager.ts';
import { crypto } from '../common/builtins.ts';
import { releaseStartupGarbage } from '../common/event/startup_garbage.ts';
import { watchEventLoop } from '../common/event/watchdog.ts';
import { allLoggers, logger } from '../common/log.ts';
import { StatAggregator } from '../common/stats/aggregator.ts';
import { LISTENER_STATS } from '../common/stats/families/listener.ts';
import { THREAD_LOCAL_CLUSTER_MANAGER_STATS } from '../common/stats/families/managers.ts';
import { ROUTER_STATS } from '../common/stats/families/router.ts';
import {
  FILESYSTEM_STATS,
  OVERLOAD_ACTION_STATS,
  OVERLOAD_MANAGER_STATS,
} from '../common/stats/families/server.ts';
import { ThreadStatStore } from '../common/stats/store.ts';
import { type ServerParts, startAdmin, statsSettings } from './admin_context.ts';
import { buildControl, type Control } from './control.ts';
import type { Start } from './run.ts';
import { handleSignals } from './signals.ts';
import { ClusterStats } from './stats/cluster_stats.ts';
import { ServerStats } from './stats/server_stats.ts';
import { StatEviction, statsEvictionIntervalMs } from './stats/stat_eviction.ts';
import { StatSeries } from './stats/stat_series.ts';
import { StatsFlusher } from './stats/stats_flusher.ts';
import { CertificatesInUse } from './status/certificates_in_use.ts';
import { ListenerDrain } from './status/drain_listeners.ts';
import { ServerState } from './status/server_state.ts';
import { ListenSockets } from './supervisor/listen_sockets.ts';
import { Supervisor, type SupervisorOptions } from './supervisor/supervisor.ts';
import { VERSION } from './version.ts';

const log = logger('main');

/** The exit code, once the process is to end. Throws ConfigError for a bootstrap that cannot be served. */
export async function serve(start: Start): Promise<number> {
  const { bootstrap, options, logOutput } = start;
  const aggregator = new StatAggregator();
  const stats = new ThreadStatStore((message) => aggregator.apply('main_thread', message));
  const logFiles = new FileLogManager(
    {
      fileFlushMinSizeBytes: options.fileFlushMinSizeKb * 1024,
      fileFlushIntervalMs: options.fileFlushIntervalMs,
    },
    stats,
  );
  const sockets = new ListenSockets(options.concurrency);
  let supervisor: Supervisor | undefined;
  const control = buildControl(bootstrap, options, VERSION, stats, {
    publish: (updates) => supervisor?.publish(updates),
    onPiece: (table, index, memory) => supervisor?.addPiece(table, index, memory),
    runtime: (values) => supervisor?.runtime(values),
    settled: () => supervisor?.settled() ?? Promise.resolve(),
    logFiles,
    sockets,
  });
  supervisor = new Supervisor(sockets, supervisorOptions(start, control, aggregator, stats));
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const parts: ServerParts = {
    options,
    control,
    supervisor,
    aggregator,
    stats,
    series: new StatSeries(aggregator),
    statsSettings: statsSettings(control, options),
    state: new ServerState(control.store),
    certificates: new CertificatesInUse(control.store),
    drain: new ListenerDrain(supervisor, options.drainTimeS * 1000),
    reopenLogs: () => {
      logOutput.reopen();
      logFiles.reopen();
      supervisor.reopenLogs();
    },
    quit: () => end('told to quit'),
  };
  handleSignals(end, parts.reopenLogs);
  if (options.baseIdPath !== '') writeFileSync(options.baseIdPath, String(options.baseId));
  listAlways(aggregator);
  watchEventLoop(stats, ['main_thread.', 'server.main_thread.']);
  new ClusterStats(control.store, aggregator, stats);
  const serverStats = serverStatsOf(parts, start.unknownFields, stats);
  parts.series.start();
  const flusher = new StatsFlusher(bootstrap, aggregator);
  const eviction = new StatEviction(statsEvictionIntervalMs(bootstrap), aggregator, (idle) =>
    supervisor.evictStats(idle),
  );
  const admin = await startAdmin(parts);
  await supervisor.start();
  control.secrets?.identity.start();
  const initialized = startStore(control).then(async () => {
    await supervisor.settled();
    parts.state.serving = true;
    control.healthDiscovery?.start();
    serverStats.initialized(parts.state.uptimeMs);
    releaseStartupGarbage();
    if (options.mode === 'init_only') end('initialized');
    else start.onServing?.(parts);
  });
  const reason = await Promise.race([ended, initialized.then(() => ended)]);
  log.info(`${reason}, exiting`);
  parts.drain.close();
  control.close();
  // The admin answers to the last: whoever told us to go may want to see how far we are.
  await supervisor.shutdown(options.shutdownGraceS * 1000);
  flusher.close();
  eviction.close();
  parts.series.close();
  logFiles.flushSync();
  // Not awaited: a client that reads slowly must not keep the process.
  void admin?.close();
  return 0;
}

/** What a start of Envoy lists whether it is used or not, and threads here make with the first use, or never. */
function listAlways(aggregator: StatAggregator): void {
  aggregator.declare(FILESYSTEM_STATS, 'filesystem.');
  aggregator.declare(OVERLOAD_MANAGER_STATS, 'overload.');
  aggregator.declare(OVERLOAD_ACTION_STATS, 'envoy.overload_actions.reset_high_memory_stream.');
  aggregator.declare(ROUTER_STATS, 'http.async-client.');
  aggregator.declare(THREAD_LOCAL_CLUSTER_MANAGER_STATS, 'thread_local_cluster_manager.main_thread.');
}

function supervisorOptions(
  { options, logOutput, workerEntry }: Start,
  { server, runtime, store }: Control,
  aggregator: StatAggregator,
  stats: ThreadStatStore,
): SupervisorOptions {
  const exchange = crypto.randomUUID();
  const sessionTicketSecret = crypto.randomBytes(32);
  return {
    concurrency: options.concurrency,
    entry: workerEntry,
    workerOptions: (index) => ({
      index,
      exchange,
      server,
      runtime: runtime.values,
      drainTimeMs: options.drainTimeS * 1000,
      drainStrategy: options.drainStrategy,
      sessionTicketSecret,
      logLevels: Object.fromEntries(allLoggers().map(({ name, level }) => [name, level])),
    }),
    snapshot: () => {
      store.flush();
      return store.snapshot();
    },
    pieces: () =>
      store.slotAllocators.flatMap(({ name: table, memory: pieces }) =>
        pieces.map((memory, index) => ({ table, index, memory })),
      ),
    onDnsHostUsed: (cache, key) => store.useDnsHost(cache, key),
    onDiscoverCluster: (source, cluster) => store.discoverCluster(source, cluster),
    onDiscoverRoute: (of, owner, name) => store.discoverRoute(of, owner, name),
    onHostEvent: (cluster, slot, event) => store.clusters.onHostEvent(cluster, slot, event),
    reclaim: (table, index, held) => store.reclaim(table, index, held),
    aggregator,
    stats,
    onLog: (record, worker) => logOutput.write(record, worker + 1),
  };
}

function serverStatsOf(
  { options, state, certificates, aggregator }: ServerParts,
  staticUnknownFields: number,
  stats: ThreadStatStore,
): ServerStats {
  return new ServerStats(stats, aggregator, {
    concurrency: options.concurrency,
    hotRestartEpoch: options.restartEpoch,
    staticUnknownFields,
    startedAt: state.startedAt,
    state: () => state.current,
    live: () => state.live,
    daysUntilFirstCertExpiring: () => certificates.daysUntilFirstExpiring(),
    secondsUntilFirstOcspResponseExpiring: () => certificates.secondsUntilFirstOcspResponseExpiring(),
    certificateExpirations: () => certificates.expirations(),
    totalConnections: () => aggregator.sum(LISTENER_STATS, 'downstream_cx_active'),
    parentConnections: () => 0,
  });
}

function startStore(control: Control): Promise<void> {
  return new Promise((resolve, reject) => {
    control.runtime.startRtds(control.subscriptions, () => {
      try {
        control.store.start(resolve);
      } catch (error) {
        reject(error);
      }
    });
  });
}
