// Runtime values by key, layered as the bootstrap's layered_runtime says. Compiled code keeps the key and asks per use,
// so that /runtime_modify works at once. Envoy: envoy/runtime/runtime.h.

export interface Runtime {
  /** A whole number, or `fallback` where the key is not set or not a number. */
  getInteger(key: string, fallback: number): number;
  getDouble(key: string, fallback: number): number;
  getBoolean(key: string, fallback: boolean): boolean;
  /** Is a feature on for this random value? `numerator/denominator` is the default when the key is unset. `random` is a safe integer. */
  featureEnabled(
    key: string,
    numerator: number,
    denominator: 100 | 10_000 | 1_000_000,
    random: number,
  ): boolean;
  /** Is there a key that begins with `prefix`? Looks at all keys: not for the path of a request. */
  hasBelow(prefix: string): boolean;
}
