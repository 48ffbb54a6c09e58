// Serves: the control side comes up, and the process runs until a signal ends it.

import { logger } from '../common/log.ts';
import { StatAggregator } from '../common/stats/aggregator.ts';
import { ThreadStatStore } from '../common/stats/store.ts';
import { buildControl } from './control.ts';
import type { Start } from './run.ts';
import { VERSION } from './version.ts';

const log = logger('main');

/** The exit code, once the process is to end. */
export async function serve({ bootstrap, options }: Start): Promise<number> {
  const aggregator = new StatAggregator();
  const stats = new ThreadStatStore((message) => aggregator.apply('main_thread', message));
  const nowhere = { publish: () => undefined, onPiece: () => undefined, runtime: () => undefined };
  const control = buildControl(bootstrap, options, VERSION, stats, nowhere);
  const initialized = new Promise<void>((resolve, reject) => {
    control.runtime.startRtds(control.subscriptions, () => {
      try {
        control.store.start(resolve);
      } catch (error) {
        reject(error);
      }
    });
  });
  const ended = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
  const signal = await Promise.race([
    initialized.then(() => (options.mode === 'init_only' ? 'init_only' : ended)),
    ended,
  ]);
  log.info(`caught ${signal}, exiting`);
  control.close();
  return 0;
}
