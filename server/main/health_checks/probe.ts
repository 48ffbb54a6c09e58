// One way to ask a host whether it is well. A probe keeps its connection between checks, as far as it is to be used again.
// Envoy: source/extensions/health_checkers/{http,tcp,grpc}.

/** Where a probe connects to. */
export interface ProbeTarget {
  /** '' with a path of a Unix socket. */
  readonly ip: string;
  readonly port: number;
  readonly path: string;
  /** For `host` and `:authority`. */
  readonly hostname: string;
}

/** Names of data.core.v3.HealthCheckFailureType. */
export type FailureType = 'ACTIVE' | 'PASSIVE' | 'NETWORK' | 'NETWORK_TIMEOUT';

export type ProbeResult =
  | { readonly ok: true; readonly degraded: boolean }
  | {
      readonly ok: false;
      readonly type: FailureType;
      /** It counts towards the threshold although it was an answer. */
      readonly retriable: boolean;
      readonly status: number;
      /** The host asks to be left alone (`x-envoy-immediate-health-check-fail`). */
      readonly exclude: boolean;
    };

export const SUCCESS: ProbeResult = Object.freeze({ ok: true, degraded: false });
export const NETWORK_FAILURE: ProbeResult = Object.freeze({
  ok: false,
  type: 'NETWORK',
  retriable: false,
  status: 0,
  exclude: false,
});

export interface Probe {
  /** Asks once. `onResult` is called once, unless `abort` or `close` comes first. */
  start(onResult: (result: ProbeResult) => void): void;
  /** Time is up: the check under way is given up, and its connection with it. */
  abort(): void;
  close(): void;
}

/** Do the parts occur in the bytes, one after the other? Source: PayloadMatcher::match. */
export function holdsInOrder(parts: readonly Buffer[], bytes: Buffer): boolean {
  let from = 0;
  for (const part of parts) {
    const found = bytes.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return true;
}
