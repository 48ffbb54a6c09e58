// Pilotfish as its users run it, in a process of its own, with what the chaos test needs beside: a worker that can be killed
// (SIGPWR), and what each thread holds after a garbage collection, as lines of JSON on its standard error (SIGWINCH).

import { run } from '../../server/main/run.ts';
import { serve } from '../../server/main/serve.ts';
import { memoryReport } from './memory_report.ts';

const workerEntry = new URL('chaos_worker.ts', import.meta.url);
const exit = await run(process.argv.slice(2), (start) =>
  serve({
    ...start,
    workerEntry,
    onServing: ({ supervisor }) => {
      process.on('SIGPWR', () => supervisor.setLogLevel('crash', 'info'));
      process.on('SIGWINCH', () => {
        supervisor.setLogLevel('measure', 'info');
        memoryReport('main');
      });
    },
  }),
);
process.exit(exit);
