// A worker thread that dies when it is told to log `crash`: the first of them only, as a bug would strike one.

import { parentPort, workerData } from 'node:worker_threads';
import type { MainToWorker, WorkerOptions } from '../../server/messages.ts';

await import('../../server/worker.ts');
const { index } = workerData as WorkerOptions;
parentPort!.on('message', (message: MainToWorker) => {
  if (message.type === 'log_level' && message.logger === 'crash' && index === 0) throw new Error('of a bug');
});
