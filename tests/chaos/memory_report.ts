// What a thread holds once its garbage is collected, as one line of JSON on standard error. Needs --expose-gc.

import { writeSync } from 'node:fs';

export interface MemoryReport {
  readonly thread: string;
  readonly heapBytes: number;
  /** Of what keeps the thread's event loop alive, by kind: sockets, timers, … */
  readonly handles: Readonly<Record<string, number>>;
}

const STANDARD_ERROR = 2;

export function memoryReport(thread: string): void {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const handles: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  const report: MemoryReport = { thread, heapBytes: process.memoryUsage().heapUsed, handles };
  writeSync(STANDARD_ERROR, `${JSON.stringify({ memory: report })}\n`);
}

/** The reports in what a process has written. */
export function memoryReportsIn(text: string): MemoryReport[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{"memory":'))
    .map((line) => (JSON.parse(line) as { memory: MemoryReport }).memory);
}
