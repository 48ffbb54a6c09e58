// Requests at a constant rate, far below what a proxy can take, and how long each takes: a child process of the benchmark of the
// dashboard. Takes a SteadyLoadPlan as JSON; told 'begin' it forgets what was before, told 'end' it answers a SteadyLoadReport.

import { KeptConnection } from '../perf/kept_connection.ts';

export interface SteadyLoadPlan {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly requestsPerSecond: number;
}

export interface SteadyLoadReport {
  /** ms, of the requests that were due since 'begin'. */
  readonly times: readonly number[];
  readonly errors: number;
}

const CONNECTIONS = 16;

const plan = JSON.parse(process.argv[2]!) as SteadyLoadPlan;
let times: number[] = [];
let errors = 0;

const idle = Array.from(
  { length: CONNECTIONS },
  () => new KeptConnection(plan.port, plan.host, plan.path, () => errors++),
);

let next = performance.now();
setInterval(() => {
  // Who comes late because this process got no turn is not the proxy's doing; who finds no connection free is.
  const now = performance.now();
  for (; next <= now; next += 1000 / plan.requestsPerSecond) {
    const caller = idle.shift();
    if (caller === undefined) break;
    caller.call((ms) => {
      times.push(ms);
      idle.push(caller);
    }, now);
  }
}, 1);

process.on('message', (what) => {
  if (what === 'end') process.send!({ times, errors } satisfies SteadyLoadReport);
  times = [];
  errors = 0;
});
process.on('disconnect', () => process.exit());
