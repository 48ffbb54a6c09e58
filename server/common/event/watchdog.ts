// Notices that a thread's event loop stood still: a timer that comes late tells how long. Envoy's watchdog looks from
// another thread, so it sees a thread that never comes back, too. Envoy: source/server/guarddog_impl.cc.

import type { StatStore } from '../../api/stats.ts';
import { WATCHDOG_STATS } from '../stats/families/server.ts';

const { watchdog_mega_miss, watchdog_miss } = WATCHDOG_STATS.offset;

/** ms. bootstrap.proto, Watchdog.miss_timeout and .megamiss_timeout. */
const MISS_MS = 200;
const MEGA_MISS_MS = 1000;
/** ms. Envoy touches twice within a miss. */
const TOUCH_MS = MISS_MS / 2;

/** Watches this thread until it ends. `prefixes` end with a dot: `workers.`, `server.worker_0.`. Returns what ends it. */
export function watchEventLoop(stats: StatStore, prefixes: readonly string[]): () => void {
  const blocks = prefixes.map((prefix) => stats.block(WATCHDOG_STATS, prefix));
  const count = (offset: number): void => {
    for (const { values, base } of blocks) values[base + offset] = (values[base + offset] as number) + 1;
  };
  let touched = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const stood = now - touched;
    touched = now;
    if (stood > MISS_MS) count(watchdog_miss);
    if (stood > MEGA_MISS_MS) count(watchdog_mega_miss);
  }, TOUCH_MS);
  timer.unref();
  return () => clearInterval(timer);
}
