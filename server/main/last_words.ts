// A bug on the main thread ends the process: half a control plane is worse than a restart. What happened goes to the log
// and always to stderr too, and the exit code says that it was no orderly end.

import { writeSync } from 'node:fs';
import { logger } from '../common/log.ts';

const STDERR = 2;

/** For `uncaughtException`. Does not return. */
export function dieLoudly(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  try {
    logger('main').critical(`the main thread crashed: ${text}`);
    writeSync(STDERR, `pilotfish crashed: ${text}\n`);
  } finally {
    process.exit(1);
  }
}
