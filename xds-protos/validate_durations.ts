// Durations as protoc-gen-validate's rules state them and as its messages print them: 0s, 1ms, 5m0s (Go's notation).

const NANOS_PER_SECOND = 1_000_000_000n;

/** The bound `{seconds, nanos}` of a rule, in nanoseconds, with its text. */
export function parseDurationRule(rule: unknown): { value: bigint; text: string } {
  const { seconds = 0, nanos = 0 } = rule as { seconds?: number; nanos?: number };
  const value = BigInt(seconds) * NANOS_PER_SECOND + BigInt(nanos);
  return { value, text: goDuration(value) };
}

function goDuration(nanos: bigint): string {
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (size === 0n) return '0s';
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${Number(size) / 1e3}µs`;
  if (size < NANOS_PER_SECOND) return `${sign}${Number(size) / 1e6}ms`;
  const minutes = size / (60n * NANOS_PER_SECOND);
  const seconds = `${Number(size % (60n * NANOS_PER_SECOND)) / 1e9}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${seconds}`;
}
