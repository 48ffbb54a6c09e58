// Compiles what HttpConnectionManager.tracing says about who is traced. Without a tracer it still marks request ids, which
// proxies behind this one go by.

import type { HttpConnectionManager_Tracing } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import type { Percent } from '../../../../../xds-protos/generated/envoy/type/v3.ts';
import type { Runtime } from '../../../../api/runtime.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import type { TraceSampling } from '../../../../common/http/request_id.ts';
import { RuntimeFraction } from '../../../../common/router/runtime_fraction.ts';

export function compileTraceSampling(
  tracing: HttpConnectionManager_Tracing | undefined,
  runtime: Runtime,
  stats: StatBlock,
): TraceSampling | undefined {
  if (tracing === undefined) return undefined;
  return {
    client: fraction('tracing.client_enabled', tracing.client_sampling, runtime),
    random: fraction('tracing.random_sampling', tracing.random_sampling, runtime),
    overall: fraction('tracing.global_enabled', tracing.overall_sampling, runtime),
    stats,
  };
}

/** Percents have hundredths here. Source: HttpConnectionManager.Tracing, where each is 100 % unless it is set. */
function fraction(key: string, percent: Percent | undefined, runtime: Runtime): RuntimeFraction {
  return new RuntimeFraction(key, Math.trunc((percent?.value ?? 100) * 100), 10_000, runtime);
}
