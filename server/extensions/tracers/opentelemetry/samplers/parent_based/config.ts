// envoy.tracers.opentelemetry.samplers.parent_based: as the client's trace says; another sampler decides on new ones.
// Envoy: source/extensions/tracers/opentelemetry/samplers/parent_based.

import type { ParentBasedSamplerConfig } from '../../../../../../xds-protos/generated/envoy/extensions/tracers/opentelemetry/samplers/v3.ts';
import { at, ConfigError } from '../../../../../api/config_error.ts';
import type { SettingsFactory } from '../../../../../api/registry.ts';
import { compileSampler, type Sampler } from '../../sampler.ts';

export const parentBasedSampler: SettingsFactory<ParentBasedSamplerConfig> = {
  compile({ wrapped_sampler: config }, context, path): Sampler {
    const where = at(path, 'wrapped_sampler');
    if (config === undefined) throw new ConfigError(where, 'value is required');
    const wrapped = compileSampler(config, context, where);
    return (parent, traceId) => parent?.sampled ?? wrapped(parent, traceId);
  },
};
