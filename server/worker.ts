// The entry of a worker thread: everything it does is in worker/worker.ts.

import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerOptions } from './messages.ts';
import { Worker } from './worker/worker.ts';

if (parentPort === null) throw new Error('server/worker.ts is started by server/main.ts as a worker thread');
new Worker(parentPort, workerData as WorkerOptions);
