// gRPC's own way to say how long a request may take. Source: gRPC over HTTP/2, `Timeout`.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';

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
