// Requests at a fixed rate, far below what a proxy can do, and how long each took: a child process of the benchmark. Takes a
// PacedLoadPlan as JSON, and writes a PacedLoadReport as one line of JSON.

import net from 'node:net';
import { type PacedLoadPlan, type PacedLoadReport, windowAt } from './admin_plans.ts';
import { KeptConnection } from './kept_connection.ts';

const CONNECTIONS = 16;
/** ms at the beginning of a window that belong to the one before it, as far as queues and garbage go. */
const SETTLING_MS = 100;
/** ms between two calls of /ready. */
const READY_EVERY_MS = 20;

const { table, port, requestsPerSecond, adminPort } = JSON.parse(process.argv[2]) as PacedLoadPlan;
const times: number[][] = Array.from({ length: table.windows }, () => []);
const ready: number[] = times.map(() => 0);
let errors = 0;
let reason: string | undefined;

function fail(why: string): void {
  errors++;
  reason ??= why;
}

/** Those of the window at this time, if they count. */
function windowNow(): number | undefined {
  const now = Date.now();
  const window = windowAt(table, now);
  const counts = window >= 0 && window < table.windows;
  return counts && now - table.begin - window * table.windowMs >= SETTLING_MS ? window : undefined;
}

const idle = Array.from({ length: CONNECTIONS }, () => new KeptConnection(port, '127.0.0.1', '/', fail));
/** When those should have been sent for which no connection was free. */
const waiting: number[] = [];

function send(caller: KeptConnection, began?: number): void {
  const window = windowNow();
  caller.call((ms) => {
    if (window !== undefined) times[window]?.push(ms);
    const next = waiting.shift();
    if (next === undefined) idle.push(caller);
    else send(caller, next);
  }, began);
}

const start = performance.now();
let sent = 0;
const pace = setInterval(() => {
  const now = performance.now();
  for (; sent < ((now - start) * requestsPerSecond) / 1000; sent++) {
    const caller = idle.shift();
    if (caller === undefined) waiting.push(now);
    else send(caller);
  }
}, 1);

function percentile99(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;
}

// Admin answers are chunked, which the reader of messages does not know: only when they begin matters here.
const admin = net.connect({ port: adminPort, host: '127.0.0.1' }).setNoDelay();
let asked: { readonly at: number; readonly window: number | undefined } | undefined;
admin
  .on('error', (error) => fail(error.message))
  .on('data', () => {
    if (asked?.window !== undefined)
      ready[asked.window] = Math.max(ready[asked.window] as number, performance.now() - asked.at);
    asked = undefined;
  });
const asking = setInterval(() => {
  if (asked !== undefined) return;
  asked = { at: performance.now(), window: windowNow() };
  admin.write('GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
}, READY_EVERY_MS);

setTimeout(
  () => {
    clearInterval(pace);
    clearInterval(asking);
    const report: PacedLoadReport = { p99: times.map(percentile99), ready, errors, reason };
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
  },
  table.begin + table.windows * table.windowMs - Date.now(),
);
