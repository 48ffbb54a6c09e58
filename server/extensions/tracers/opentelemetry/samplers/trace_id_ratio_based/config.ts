// envoy.tracers.opentelemetry.samplers.trace_id_ratio_based: a share of all traces, told by their ids, so that everybody who sees a
// trace decides alike. Envoy: source/extensions/tracers/opentelemetry/samplers/trace_id_ratio_based.

import type { TraceIdRatioBasedSamplerConfig } from '../../../../../../xds-protos/generated/envoy/extensions/tracers/opentelemetry/samplers/v3.ts';
import { at, ConfigError } from '../../../../../api/config_error.ts';
import type { SettingsFactory } from '../../../../../api/registry.ts';
import { DENOMINATORS } from '../../../../../common/router/runtime_fraction.ts';
import type { Sampler } from '../../sampler.ts';

const BYTES = 8;

export const traceIdRatioBasedSampler: SettingsFactory<TraceIdRatioBasedSamplerConfig> = {
  compile({ sampling_percentage: percentage }, _context, path): Sampler {
    const { numerator = 0, denominator = 'HUNDRED' } = percentage ?? {};
    if (typeof denominator === 'number')
      throw new ConfigError(at(path, 'sampling_percentage.denominator'), `unknown value ${denominator}`);
    const whole = DENOMINATORS[denominator];
    return (_parent, traceId) => remainder(traceId, whole) < numerator;
  },
};

/** Of the first 64 bits of the id, as a little-endian number. */
function remainder(traceId: string, whole: number): number {
  let rest = 0;
  for (let i = BYTES - 1; i >= 0; i--)
    rest = (rest * 256 + Number.parseInt(traceId.slice(2 * i, 2 * i + 2), 16)) % whole;
  return rest;
}
