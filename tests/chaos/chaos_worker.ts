// A worker thread that dies when it is told to log `crash`, if it is the first, and measures itself when told to log `measure`.

import { parentPort, workerData } from 'node:worker_threads';
import type { MainToWorker, WorkerOptions } from '../../server/messages.ts';
import { memoryReport } from './memory_report.ts';

await import('../../server/worker.ts');
const { index } = workerData as WorkerOptions;
parentPort!.on('message', (message: MainToWorker) => {
  if (message.type !== 'log_level') return;
  if (message.logger === 'crash' && index === 0) throw new Error('of a bug');
  if (message.logger === 'measure') memoryReport(`worker_${index}`);
});
