// Plugs the parts of the server into the admin endpoints, and opens the admin listener.
// Envoy: source/server/server.cc (InstanceBase::initializeOrThrow), source/server/admin/admin.cc.

import { writeFileSync } from 'node:fs';
import { create, decode } from '../../xds-protos/load.ts';
import { at, ConfigError } from '../api/config_error.ts';
import type { StatStore } from '../api/stats.ts';
import type { Address } from '../api/stream_info.ts';
import { allLoggers, LOG_LEVELS, logger, parseLogLevel, setLogLevel } from '../common/log.ts';
import { compileStringMatcher } from '../common/matcher/string_matcher.ts';
import { parseAddress } from '../common/network/address.ts';
import type { StatAggregator } from '../common/stats/aggregator.ts';
import { compileStatsConfig, type StatsSettings } from '../common/stats/stats_config.ts';
import type { AccessRules } from './admin/access.ts';
import { AdminServer } from './admin/admin.ts';
import type { AdminContext, Logging } from './admin/context.ts';
import { type AdminOptions, loadCredentials } from './admin/credentials.ts';
import type { Options } from './bootstrap/command_line.ts';
import type { RequestCaptures } from './capture/request_captures.ts';
import { configDumpSources } from './config_store/config_dump.ts';
import { TYPE_NAMES } from './config_store/resource.ts';
import type { Control } from './control.ts';
import type { CompiledConfiguration } from './explain/configuration.ts';
import type { StatSeries } from './stats/stat_series.ts';
import type { CertificatesInUse } from './status/certificates_in_use.ts';
import { clusterNumbers } from './status/cluster_numbers.ts';
import { clusterStatuses, clustersOfOwnHosts } from './status/cluster_status.ts';
import { commandLineOptions } from './status/command_line_options.ts';
import type { ListenerDrain } from './status/drain_listeners.ts';
import { V8Profiler } from './status/profiler.ts';
import { resourceView } from './status/resource_status.ts';
import type { ServerState } from './status/server_state.ts';
import type { WorkerHosts } from './status/worker_hosts.ts';
import type { Supervisor } from './supervisor/supervisor.ts';
import { HOT_RESTART_VERSION, VERSION_LINE } from './version.ts';

const log = logger('admin');

/** The parts that the endpoints show and command. */
export interface ServerParts {
  readonly options: Options;
  readonly control: Control;
  readonly supervisor: Supervisor;
  readonly aggregator: StatAggregator;
  /** The main thread's. */
  readonly stats: StatStore;
  readonly statsSettings: StatsSettings;
  readonly series: StatSeries;
  readonly state: ServerState;
  readonly certificates: CertificatesInUse;
  readonly drain: ListenerDrain;
  /** Opens all log files anew. */
  reopenLogs(): void;
  /** Ends the process in order. */
  quit(): void;
}

export function adminContext(parts: ServerParts): AdminContext {
  const { options, control, supervisor, state } = parts;
  const { store, runtime } = control;
  let requests: Promise<RequestCaptures> | undefined;
  let configuration: Promise<CompiledConfiguration> | undefined;
  return {
    stats: parts.aggregator,
    ownStats: parts.stats,
    statsSettings: parts.statsSettings,
    access: accessRules(parts),
    configTracker: configDumpSources(store, control.node, state.startedAt),
    server: {
      version: VERSION_LINE,
      hotRestartVersion: 'disable-hot-restart' in options.inert ? 'disabled' : HOT_RESTART_VERSION,
      // Made when it is asked for: the text of --config-yaml has to be read for it.
      get commandLineOptions() {
        return commandLineOptions(options);
      },
      node: control.node,
      state: () => state.current,
      uptime: () => ({ currentEpoch: state.uptimeMs / 1000, allEpochs: state.uptimeMs / 1000 }),
      hotRestartInitializing: () => false,
    },
    logging: loggingOf(supervisor),
    runtime,
    profiler: new V8Profiler(() => supervisor.workers, control.bootstrap.admin?.profile_path ?? ''),
    resources: resourceView(store),
    history: store.history,
    series: parts.series,
    requests: () => (requests ??= openRequestCaptures(supervisor)),
    connections: {
      list: (query) => supervisor.ask('connections', query),
      drain: (id) => supervisor.ask('drain_connection', id),
      ofChains: (listener) => supervisor.ask('chain_connections', listener),
    },
    checkListener: (bytes) => store.listeners.check(bytes),
    routeHits: async () =>
      (await import('./status/route_hits.ts')).routeHits(
        (await supervisor.ask('route_hits', undefined)).values(),
      ),
    configuration: () => (configuration ??= openConfiguration(control, supervisor)),
    xdsStreams: () => control.subscriptions.streams,
    clusters: (wanted, ownHosts) => clusterStatuses(store, wanted, ownHosts),
    ownHosts: async () => {
      const names = clustersOfOwnHosts(store);
      return names.length === 0 ? undefined : workerHosts(supervisor, names);
    },
    workerHosts: (names) => workerHosts(supervisor, names),
    clusterNumbers: () => clusterNumbers(store, parts.aggregator),
    listeners: () => listenerStatuses(control, supervisor),
    unreadyTargets: () => store.unreadyTargets(),
    certificates: () => parts.certificates.all(),
    certificateUses: () => parts.certificates.uses(),
    workers: async () =>
      (await import('./status/worker_numbers.ts')).workerNumbers(supervisor, parts.aggregator),
    drainListeners: (request) => parts.drain.start(request),
    failHealthChecks: (fail) => {
      state.live = !fail;
      supervisor.setServerHealth(fail);
    },
    reopenLogs: () => parts.reopenLogs(),
    quit: () => parts.quit(),
  };
}

async function workerHosts(supervisor: Supervisor, clusters: readonly string[]): Promise<WorkerHosts> {
  const { WorkerHosts } = await import('./status/worker_hosts.ts');
  return new WorkerHosts((await supervisor.ask('hosts', clusters)).values());
}

async function openRequestCaptures(supervisor: Supervisor): Promise<RequestCaptures> {
  const { RequestCaptures } = await import('./capture/request_captures.ts');
  return new RequestCaptures(supervisor);
}

async function openConfiguration(control: Control, supervisor: Supervisor): Promise<CompiledConfiguration> {
  const [{ CompiledConfiguration }, { liveSource }] = await Promise.all([
    import('./explain/configuration.ts'),
    import('./explain/live_source.ts'),
  ]);
  return new CompiledConfiguration(liveSource(control, supervisor));
}

/** Opens the bootstrap's admin address and writes it to --admin-address-path. Undefined without one. Throws ConfigError. */
export async function startAdmin(parts: ServerParts): Promise<AdminServer | undefined> {
  const config = parts.control.bootstrap.admin?.address;
  if (config === undefined) {
    log.warning('No admin address given, so no admin HTTP server started.');
    return undefined;
  }
  const address = parseAddress(config, 'admin.address');
  const server = new AdminServer(adminContext(parts));
  try {
    const bound = await server.listen(address);
    log.info(`admin address: ${bound.text}`);
    warnOfExposure(bound, parts.options.admin);
    if (parts.options.adminAddressPath !== '') writeFileSync(parts.options.adminAddressPath, bound.text);
  } catch (error) {
    await server.close();
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'Address already in use' : message;
    throw new ConfigError('admin.address', `cannot bind '${address.text}': ${reason}`);
  }
  return server;
}

/** Throws ConfigError. */
function accessRules({ control, options }: ServerParts): AccessRules {
  const { trustLoopback, allowRemoteWrites, hosts } = options.admin;
  const paths = control.bootstrap.admin?.allow_paths ?? [];
  return {
    credentials: loadCredentials(options.admin),
    trustLoopback,
    allowRemoteWrites,
    hosts,
    allowPaths: paths.map((path, i) => compileStringMatcher(path, at('admin.allow_paths', i))),
  };
}

/** Envoy starts on any address and says nothing. */
function warnOfExposure({ ip, text }: Address, options: AdminOptions): void {
  if (ip === '' || ip === '::1' || ip.startsWith('127.')) return;
  const { tokenFile, viewerTokenFile, clientCaFile, certFile, allowRemoteWrites } = options;
  if (tokenFile !== '' || viewerTokenFile !== '' || clientCaFile !== '') {
    if (certFile === '')
      log.warning(`tokens for the admin port cross the network in plaintext on ${text}: --admin-cert-file`);
    return;
  }
  const others = allowRemoteWrites
    ? 'CHANGE EVERYTHING, and end the process'
    : 'read the whole configuration';
  log.warning(
    `THE ADMIN PORT ${text} IS OPEN: whoever reaches it may ${others}. Give it a loopback address, or --admin-token-file`,
  );
}

/** stats_config with the tags of --stats-tag. Throws ConfigError. */
export function statsSettings({ bootstrap }: Control, { statsTags }: Options): StatsSettings {
  const config = bootstrap.stats_config;
  const tags = statsTags.map(({ name, value }) => ({ tag_name: name, fixed_value: value }));
  return compileStatsConfig(
    create('envoy.config.metrics.v3.StatsConfig', {
      ...config,
      stats_tags: [...(config?.stats_tags ?? []), ...tags],
    }),
    'stats_config',
  );
}

function loggingOf(supervisor: Supervisor): Logging {
  return {
    levels: LOG_LEVELS,
    loggers: allLoggers,
    setLevel(name, text) {
      const level = parseLogLevel(text);
      if (level === undefined || !setLogLevel(name, level)) return false;
      supervisor.setLogLevel(name, level);
      return true;
    },
  };
}

/** A line for each address of each active listener. */
export function* listenerStatuses(
  { store }: Control,
  { sockets }: Supervisor,
): Generator<{ readonly name: string; readonly localAddress: Address }> {
  for (const { name, active } of store.listeners.all) {
    if (active === undefined) continue;
    const { address, additional_addresses: more } = decode(TYPE_NAMES.listener, active.bytes);
    const all = [address, ...more.map((additional) => additional.address)];
    const addresses = all.map((each) => parseAddress(each, 'address'));
    for (const localAddress of sockets.localAddresses(name, addresses)) yield { name, localAddress };
  }
}
