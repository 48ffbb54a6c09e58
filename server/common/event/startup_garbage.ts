// Frees what starting up has left behind. V8 gives memory back only when it collects in full, and an idle proxy would not
// do so for hours; one collection after the start is worth some 20 MB a thread.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** ms after the start, when nothing more is being compiled. */
const DELAY_MS = 1000;

/** Collects once, soon. Costs this thread some 20 ms then. */
export function releaseStartupGarbage(): void {
  setTimeout(() => {
    // The flag is the process's, not the thread's: it stays set, since another thread may be in between these two lines.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options: object) => void;
    // As the last resort it also shrinks the young generation, which grew while modules were loaded.
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }, DELAY_MS).unref();
}
