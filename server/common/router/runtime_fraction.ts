// RuntimeFractionalPercent of envoy.config.core.v3, compiled. Envoy: Runtime::Snapshot::featureEnabled.

import type { RuntimeFractionalPercent } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Runtime } from '../../api/runtime.ts';

/** Of type.v3.FractionalPercent. */
export const DENOMINATORS = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

export class RuntimeFraction {
  private readonly key: string;
  readonly numerator: number;
  readonly denominator: 100 | 10_000 | 1_000_000;
  private readonly runtime: Runtime;

  constructor(key: string, numerator: number, denominator: 100 | 10_000 | 1_000_000, runtime: Runtime) {
    this.key = key;
    this.numerator = numerator;
    this.denominator = denominator;
    this.runtime = runtime;
  }

  /** `random` is a non-negative safe integer. */
  enabled(random: number): boolean {
    if (this.key === '') return random % this.denominator < this.numerator;
    return this.runtime.featureEnabled(this.key, this.numerator, this.denominator, random);
  }

  describe(): string {
    return `${this.numerator} in ${this.denominator}${this.key === '' ? '' : `, runtime key ${this.key}`}`;
  }
}

export function compileRuntimeFraction(
  config: RuntimeFractionalPercent,
  runtime: Runtime,
  path: string,
): RuntimeFraction {
  const percent = config.default_value;
  const denominator = percent?.denominator ?? 'HUNDRED';
  if (typeof denominator === 'number') {
    throw new ConfigError(at(path, 'default_value.denominator'), `unknown value ${denominator}`);
  }
  return new RuntimeFraction(config.runtime_key, percent?.numerator ?? 0, DENOMINATORS[denominator], runtime);
}
