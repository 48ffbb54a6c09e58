// envoy.tracers.opentelemetry.samplers.always_on: spans are reported whatever the client's trace says.
// Envoy: source/extensions/tracers/opentelemetry/samplers/always_on.

import type { SettingsFactory } from '../../../../../api/registry.ts';
import type { Sampler } from '../../sampler.ts';

export const alwaysOnSampler: SettingsFactory<object> = {
  compile: (): Sampler => () => true,
};
