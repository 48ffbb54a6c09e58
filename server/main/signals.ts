// The signals of a running server. Envoy: source/server/server.cc (RunHelper).

import { logger } from '../common/log.ts';

const log = logger('main');

/** `end` is called with the name of the first SIGTERM or SIGINT, `reopenLogs` with each SIGUSR1. */
export function handleSignals(end: (reason: string) => void, reopenLogs: () => void): void {
  let ending = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second one means: now.
      if (ending) process.exit(1);
      ending = true;
      end(`caught ${signal}`);
    });
  }
  process.on('SIGUSR1', reopenLogs);
  // A terminal that goes away does not take the proxy with it.
  process.on('SIGHUP', () => log.warning('caught and ignored SIGHUP'));
}
