// gRPC's own way to say how long a request may take. Source: gRPC over HTTP/2, `Timeout`.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { RouteEntry } from '../../api/router.ts';

const GRPC_UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** `grpc-timeout` in ms; undefined when absent or malformed. At most eight digits and a unit (gRPC's HTTP/2 mapping). */
export function grpcTimeoutMs(headers: RequestHeaderMap): number | undefined {
  const value = headers.get('grpc-timeout');
  if (value === undefined || value.length < 2 || value.length > 9) return undefined;
  const unit = GRPC_UNITS[value.at(-1)!];
  const digits = value.slice(0, -1);
  return unit === undefined || !/^\d+$/.test(digits) ? undefined : Math.ceil(Number(digits) * unit);
}

/**
 * ms that a stream may last by its route, undefined where that says nothing: its max_stream_duration, or what a gRPC client allows, as
 * far as the route (with `grpc_timeout_header_max`) does. The upstream is told of the latter.
 */
export function streamDuration(entry: RouteEntry, headers: RequestHeaderMap): number | undefined {
  const { grpcTimeoutHeaderMaxMs: max } = entry;
  const asked = max === undefined ? undefined : grpcTimeoutMs(headers);
  if (max === undefined || asked === undefined) return entry.maxStreamDurationMs;
  let duration = max > 0 && (asked === 0 || asked > max) ? max : asked;
  if (duration > entry.grpcTimeoutHeaderOffsetMs) duration -= entry.grpcTimeoutHeaderOffsetMs;
  headers.set('grpc-timeout', `${duration}m`);
  return duration;
}
