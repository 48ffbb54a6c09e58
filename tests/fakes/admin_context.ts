// An AdminContext for tests: everything is empty until a test says otherwise, and what endpoints do is written down.

import type { StatStore } from '../../server/api/stats.ts';
import { StatAggregator } from '../../server/common/stats/aggregator.ts';
import { compileStatsConfig } from '../../server/common/stats/stats_config.ts';
import { ThreadStatStore } from '../../server/common/stats/store.ts';
import type { AdminContext } from '../../server/main/admin/context.ts';
import { type CapturedWorkers, RequestCaptures } from '../../server/main/capture/request_captures.ts';
import { ResourceHistory } from '../../server/main/config_store/history.ts';
import { StatSeries } from '../../server/main/stats/stat_series.ts';
import { WorkerHosts } from '../../server/main/status/worker_hosts.ts';
import { create } from '../../xds-protos/load.ts';
import { explainedConfiguration } from './explained_configuration.ts';

export interface FakeAdminContext extends AdminContext {
  readonly store: StatStore & { flush(): void };
  /** What was asked of the server. */
  readonly done: string[];
}

export function fakeAdminContext(overrides: Partial<AdminContext> = {}): FakeAdminContext {
  const stats = new StatAggregator();
  const store = new ThreadStatStore((message) => stats.apply('main', message));
  const done: string[] = [];
  return {
    store,
    // Nowhere: tests look at stats of their own.
    ownStats: new ThreadStatStore(() => undefined),
    done,
    stats,
    statsSettings: compileStatsConfig(undefined, 'stats_config'),
    access: {
      credentials: { tokens: [], tls: undefined },
      trustLoopback: false,
      allowRemoteWrites: false,
      hosts: [],
      allowPaths: [],
    },
    configTracker: new Map(),
    server: {
      version: 'revision/1.40.0/Clean/RELEASE/OpenSSL',
      hotRestartVersion: '11.104',
      commandLineOptions: create('envoy.admin.v3.CommandLineOptions', { concurrency: 2, mode: 'Serve' }),
      node: create('envoy.config.core.v3.Node', { id: 'node-1' }),
      state: () => 'LIVE',
      uptime: () => ({ currentEpoch: 12.9, allEpochs: 100.2 }),
      hotRestartInitializing: () => false,
    },
    logging: {
      levels: ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'],
      loggers: () => [],
      setLevel: () => false,
    },
    runtime: { layerNames: [], entries: [], modify: () => false },
    profiler: { start: async () => true, stop: async () => undefined, heaps: async () => new Map() },
    resources: { all: () => [] },
    history: new ResourceHistory(),
    series: new StatSeries(stats),
    requests: async () => new RequestCaptures(fakeWorkers()),
    connections: {
      list: async () => new Map(),
      drain: async () => new Map(),
      ofChains: async () => new Map(),
    },
    checkListener: () => undefined,
    configuration: async () => explainedConfiguration(),
    routeHits: async () => () => undefined,
    xdsStreams: () => [],
    clusters: () => [],
    ownHosts: async () => undefined,
    workerHosts: async () => new WorkerHosts([]),
    clusterNumbers: () => [],
    listeners: () => [],
    unreadyTargets: () => [],
    certificates: () => [],
    certificateUses: () => [],
    workers: async () => [],
    drainListeners: (options) => done.push(`drain ${JSON.stringify(options)}`),
    failHealthChecks: (fail) => done.push(`fail health checks: ${fail}`),
    reopenLogs: () => done.push('reopen logs'),
    quit: () => done.push('quit'),
    ...overrides,
  };
}

/** Workers that have kept `records` each, JSON of CapturedRequest. */
export function fakeWorkers(...records: readonly (readonly string[])[]): CapturedWorkers {
  return {
    onCapturedRequest: () => undefined,
    ask: async () => new Map(records.entries()),
    watchRequests: () => undefined,
  };
}
