// google.protobuf.Duration to milliseconds, as Envoy reads durations (DurationUtil::durationToMilliseconds).

import type { Duration } from '../../../xds-protos/generated/google/protobuf.ts';
import { ConfigError } from '../../api/config_error.ts';

/** Whole milliseconds, the rest cut off as Envoy does. Throws ConfigError below zero. */
export function milliseconds(duration: Duration, path: string): number {
  if (duration.seconds < 0n || duration.nanos < 0)
    throw new ConfigError(path, 'a duration must not be negative');
  return Number(duration.seconds) * 1000 + Math.trunc(duration.nanos / 1e6);
}

/** As `milliseconds`, undefined where there is none. */
export function optionalMilliseconds(duration: Duration | undefined, path: string): number | undefined {
  return duration && milliseconds(duration, path);
}
