// RuntimeFeatureFlag of envoy.config.core.v3, compiled: on or off, as configured or as runtime says now.
// Envoy: Runtime::FeatureFlag in source/common/runtime/runtime_protos.h.

import type { RuntimeFeatureFlag } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Runtime } from '../../api/runtime.ts';

export class FeatureFlag {
  private readonly key: string;
  private readonly fallback: boolean;
  private readonly runtime: Runtime;

  /** On when absent or without a default. */
  constructor(config: RuntimeFeatureFlag | undefined, runtime: Runtime) {
    this.key = config?.runtime_key ?? '';
    this.fallback = config?.default_value?.value ?? true;
    this.runtime = runtime;
  }

  enabled(): boolean {
    return this.key === '' ? this.fallback : this.runtime.getBoolean(this.key, this.fallback);
  }
}
