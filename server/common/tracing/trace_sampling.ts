// Who is traced: three fractions, of a connection manager or of a route that has its own.
// Envoy: ConnectionManagerUtility::mutateTracingRequestHeader.

import type { FractionalPercent } from '../../../xds-protos/generated/envoy/type/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { TraceSampling } from '../../api/tracing.ts';
import { RuntimeFraction } from '../router/runtime_fraction.ts';

/** A numerator and its denominator. */
export type Share = readonly [numerator: number, denominator: 100 | 10_000 | 1_000_000];

/** Each is 100 % unless it is set. Source: HttpConnectionManager.Tracing and route.v3.Tracing. */
const ALL: Share = [100, 100];
const DENOMINATORS = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

export function traceSampling(
  client: Share | undefined,
  random: Share | undefined,
  overall: Share | undefined,
  runtime: Runtime,
): TraceSampling {
  const fraction = (key: string, [numerator, denominator] = ALL) =>
    new RuntimeFraction(key, numerator, denominator, runtime);
  return {
    client: fraction('tracing.client_enabled', client),
    random: fraction('tracing.random_sampling', random),
    overall: fraction('tracing.global_enabled', overall),
  };
}

/** Throws ConfigError. */
export function shareOf(percent: FractionalPercent | undefined, path: string): Share | undefined {
  if (percent === undefined) return undefined;
  const { numerator, denominator } = percent;
  if (typeof denominator === 'number')
    throw new ConfigError(at(path, 'denominator'), `unknown value ${denominator}`);
  return [numerator, DENOMINATORS[denominator]];
}
