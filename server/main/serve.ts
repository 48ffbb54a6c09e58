// Serves: the control side and the workers come up, and the process runs until a signal ends it.
// Envoy: source/server/server.cc (InstanceBase::run).

import { allLoggers, logger } from '../common/log.ts';
import { StatAggregator } from '../common/stats/aggregator.ts';
import { ThreadStatStore } from '../common/stats/store.ts';
import { buildControl, type Control } from './control.ts';
import type { Start } from './run.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { VERSION } from './version.ts';

const log = logger('main');

/** The exit code, once the process is to end. Throws ConfigError for a bootstrap that cannot be served. */
export async function serve({ bootstrap, options, logOutput }: Start): Promise<number> {
  const aggregator = new StatAggregator();
  const stats = new ThreadStatStore((message) => aggregator.apply('main_thread', message));
  let supervisor: Supervisor | undefined;
  const control = buildControl(bootstrap, options, VERSION, stats, {
    publish: (updates) => supervisor?.publish(updates),
    onPiece: (table, index, memory) => supervisor?.addPiece(table, index, memory),
    runtime: (values) => supervisor?.runtime(values),
  });
  supervisor = new Supervisor({
    concurrency: options.concurrency,
    workerOptions: (index) => ({
      index,
      server: control.server,
      runtime: control.runtime.values,
      drainTimeMs: options.drainTimeS * 1000,
      drainStrategy: options.drainStrategy,
      logLevels: Object.fromEntries(allLoggers().map(({ name, level }) => [name, level])),
    }),
    snapshot: () => control.store.snapshot(),
    pieces: () => [
      ...control.store.hostSlots.memory.map((memory, index) => ({ table: 'hosts', index, memory }) as const),
      ...control.store.breakerSlots.memory.map(
        (memory, index) => ({ table: 'circuit_breakers', index, memory }) as const,
      ),
    ],
    aggregator,
    stats,
    onLog: (record, worker) => logOutput.write(record, worker + 1),
  });
  const ended = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        resolve(signal);
        // A second one means: now.
        for (const again of ['SIGTERM', 'SIGINT'] as const) process.on(again, () => process.exit(1));
      });
    }
  });
  await supervisor.start();
  const initialized = startStore(control);
  const reason = await Promise.race([
    initialized.then(() => (options.mode === 'init_only' ? 'init_only' : ended)),
    ended,
  ]);
  log.info(`caught ${reason}, exiting`);
  control.close();
  await supervisor.shutdown(options.shutdownGraceS * 1000);
  return 0;
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
