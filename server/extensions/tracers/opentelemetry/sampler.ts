// Which spans are reported. Envoy: source/extensions/tracers/opentelemetry/samplers/sampler.h.

import type * as core from '../../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { FactoryContext } from '../../../api/registry.ts';
import type { SpanContext } from './span_context.ts';

/** Is a span to be reported? `parent`: of the trace that the client began; `traceId`: its own, or a new one. */
export type Sampler = (parent: SpanContext | undefined, traceId: string) => boolean;

/** Throws ConfigError. */
export function compileSampler(
  config: core.TypedExtensionConfig,
  context: FactoryContext,
  path: string,
): Sampler {
  const category = 'envoy.tracers.opentelemetry.samplers';
  const resolved = context.registry.resolve(category, config.name, config.typed_config, path);
  return resolved.factory.compile(resolved.config, context, path) as Sampler;
}
