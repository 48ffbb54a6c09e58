// What the children of the admin workload are told and report. Load and reader keep the same time table, by the clock: windows in
// which the admin port is read take turns with windows in which it is not, so that both are measured of the same minute.

/** Windows of equal length, one after the other. */
export interface TimeTable {
  /** ms since 1970 at which the first begins. */
  readonly begin: number;
  readonly windowMs: number;
  readonly windows: number;
}

export interface PacedLoadPlan {
  readonly table: TimeTable;
  readonly port: number;
  readonly requestsPerSecond: number;
  /** Asked for /ready now and then. */
  readonly adminPort: number;
}

export interface PacedLoadReport {
  /** Of each window: the time of which 99 % of its requests took less, ms. */
  readonly p99: readonly number[];
  /** Of each window: the longest that /ready took, ms. */
  readonly ready: readonly number[];
  readonly errors: number;
  readonly reason?: string;
}

export type AdminReaderPlan = {
  readonly port: number;
  readonly paths: readonly string[];
} & (
  | { readonly kind: 'count'; readonly count: number }
  /** In a loop, in the windows that are for reading. */
  | { readonly kind: 'windows'; readonly table: TimeTable }
);

/** Of one whole answer: ms and bytes. */
export interface AdminRead {
  readonly path: string;
  readonly ms: number;
  readonly bytes: number;
}

/** Is the admin port read in this window? As in ABBA: what drifts in one direction adds to both alike. */
export function isReading(window: number): boolean {
  return (((window + 1) >> 1) & 1) === 1;
}

/** The window at this time, in ms since 1970; below 0 before the first. */
export function windowAt({ begin, windowMs }: TimeTable, now: number): number {
  return Math.floor((now - begin) / windowMs);
}
