// From the command line to a running (or checked) configuration. Exit codes and the last line are Envoy's.
// Envoy: source/exe/main_common.cc, source/server/config_validation/server.cc.

import { writeFileSync } from 'node:fs';
import type { Bootstrap } from '../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { ConfigError } from '../api/config_error.ts';
import { logger, setLogLevel } from '../common/log.ts';
import { parseAddress } from '../common/network/address.ts';
import { compileStatsConfig } from '../common/stats/stats_config.ts';
import { ThreadStatStore } from '../common/stats/store.ts';
import { listenerStatuses, type ServerParts } from './admin_context.ts';
import { type LoadedBootstrap, loadBootstrap } from './bootstrap/bootstrap.ts';
import { type Options, parseCommandLine } from './bootstrap/command_line.ts';
import { helpText } from './bootstrap/flags.ts';
import { istiodBootstrap } from './bootstrap/istiod_bootstrap.ts';
import { resourcesBootstrap } from './bootstrap/resources_bootstrap.ts';
import { logLineFormatter } from './bootstrap/settings.ts';
import { buildControl } from './control.ts';
import type { DemoBackends } from './demo/backends.ts';
import { DEMO_FOLDER, demoText, isDemo } from './demo/demo.ts';
import { LogOutput } from './log_output.ts';
import type { ResourceServer } from './resource_server/resource_server.ts';
import { statsEvictionIntervalMs } from './stats/stat_eviction.ts';
import { HOT_RESTART_VERSION, VERSION, VERSION_LINE } from './version.ts';

const log = logger('main');
const config = logger('config');

/** What `serve` starts from. */
export interface Start {
  readonly options: Options;
  readonly bootstrap: Bootstrap;
  readonly logOutput: LogOutput;
  /** Fields of the bootstrap that this build does not know, taken with --allow-unknown-static-fields. */
  readonly unknownFields: number;
  /** Called once the workers listen. */
  readonly onServing?: ((server: ServerParts) => void) | undefined;
  /** The module that worker threads run, where it is not server/worker.ts. */
  readonly workerEntry?: URL | undefined;
}

/** The exit code. `serve` runs until the process is to end. */
export async function run(
  args: readonly string[],
  serve: (start: Start) => Promise<number>,
): Promise<number> {
  if (args[0] === 'explain') return (await import('./explain/command.ts')).explainCommand(args.slice(1));
  const commandLine = parseCommandLine(args);
  if (commandLine.type === 'error') {
    console.error(commandLine.text);
    return 1;
  }
  if (commandLine.type === 'print') {
    console.log(TEXTS[commandLine.flag]());
    return 0;
  }
  const { options } = commandLine;
  let logOutput: LogOutput | undefined;
  let folder: ResourceServer | undefined;
  let backends: DemoBackends | undefined;
  const demo = isDemo(options);
  try {
    logOutput = startLogging(options);
    if (demo) backends = await (await import('./demo/backends.ts')).startBackends();
    folder = await serveFolder(demo ? DEMO_FOLDER : options.resources);
    const loaded = load(options, folder);
    logOutput.format = logLineFormatter(loaded.bootstrap, options);
    report(loaded);
    if (options.mode === 'validate') {
      validate(loaded.bootstrap, options);
      console.log(`configuration '${options.configPath}' OK`);
      return 0;
    }
    if (options.baseIdPath !== '') writeFileSync(options.baseIdPath, String(options.baseId));
    const onServing = demo ? announceDemo : undefined;
    const { bootstrap, unknownFields } = loaded;
    return await serve({ options, bootstrap, unknownFields: unknownFields.length, logOutput, onServing });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const text = `error initializing configuration '${options.configPath}': ${error.message}`;
    if (logOutput === undefined) console.error(text);
    else log.critical(text);
    return 1;
  } finally {
    folder?.close();
    backends?.close();
  }
}

const TEXTS = {
  help: () => helpText('pilotfish'),
  version: () => `\npilotfish  version: ${VERSION_LINE}\n`,
  'hot-restart-version': () => HOT_RESTART_VERSION,
} as const;

function startLogging(options: Options): LogOutput {
  setLogLevel(undefined, options.logLevel);
  for (const { name, level } of options.componentLogLevels) setLogLevel(name, level);
  return new LogOutput(options.logPath, logLineFormatter(undefined, options));
}

function load(options: Options, folder: ResourceServer | undefined): LoadedBootstrap {
  if (options.istiod !== undefined) return loadBootstrap(options, istiodBootstrap(options.istiod));
  return loadBootstrap(options, folder && resourcesBootstrap(folder.address));
}

async function serveFolder(folder: string): Promise<ResourceServer | undefined> {
  if (folder === '') return undefined;
  try {
    return await (await import('./resource_server/resource_server.ts')).startResourceServer(folder);
  } catch (error) {
    throw new ConfigError('', `--resources ${folder}: ${(error as Error).message}`);
  }
}

function announceDemo({ control, supervisor }: ServerParts): void {
  const listeners = new Map<string, string>();
  for (const { name, localAddress } of listenerStatuses(control, supervisor)) {
    listeners.set(name, localAddress.text);
  }
  const admin = parseAddress(control.bootstrap.admin?.address, 'admin.address').text;
  console.log(demoText({ listeners, admin }));
}

function report({ unknownFields, inertFields }: LoadedBootstrap): void {
  for (const path of unknownFields) config.warning(`Unknown field: ${path}`);
  for (const { path, reason } of inertFields) config.info(`${path} has no effect: ${reason}`);
}

/** Checks as serving would, and asks nobody for anything. Throws ConfigError. */
export function validate(bootstrap: Bootstrap, options: Options): void {
  const nowhere = {
    publish: () => undefined,
    onPiece: () => undefined,
    runtime: () => undefined,
    settled: () => Promise.resolve(),
  };
  const stats = new ThreadStatStore(() => undefined);
  const control = buildControl(bootstrap, options, VERSION, stats, nowhere);
  try {
    control.store.checkSources();
    compileStatsConfig(bootstrap.stats_config, 'stats_config');
    statsEvictionIntervalMs(bootstrap);
    if (bootstrap.admin?.address !== undefined) parseAddress(bootstrap.admin.address, 'admin.address');
  } finally {
    control.close();
  }
}
