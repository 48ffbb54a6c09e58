// The attempts of a request that were given up, for those who ask why it took so long. Kept beside StreamInfo: only a request that
// is tried again has any, and all others pay nothing for it.

import type { StreamInfo } from '../../api/stream_info.ts';

export interface GivenUpAttempt {
  readonly number: number;
  /** Its address. */
  readonly host: string;
  /** What ended it: `503`, `connection termination`, `per try timeout`. */
  readonly outcome: string;
  /** ms since the request began. */
  readonly at_ms: number;
}

/** A retry policy may allow more; the first ones tell why. */
const MAX_ATTEMPTS = 20;
const NONE: readonly GivenUpAttempt[] = Object.freeze([]);

const attempts = new WeakMap<StreamInfo, GivenUpAttempt[]>();

/** The attempt is over, and there will be another one. */
export function noteAttempt(info: StreamInfo, host: string, outcome: string): void {
  let all = attempts.get(info);
  if (all === undefined) attempts.set(info, (all = []));
  if (all.length === MAX_ATTEMPTS) return;
  const at_ms = Math.round((performance.now() - info.startTimeMonotonic) * 1000) / 1000;
  all.push({ number: all.length + 1, host, outcome, at_ms });
}

export function attemptsOf(info: StreamInfo): readonly GivenUpAttempt[] {
  return attempts.get(info) ?? NONE;
}
