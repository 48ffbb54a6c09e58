// Tracers by their configuration: connection managers that report to one place share a tracer, and so its reports.
// Follows Envoy's source/common/tracing/tracer_manager_impl.cc.

import { at } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { Tracer, TracingProvider } from '../../api/tracing.ts';

/** Throws ConfigError. */
export function compileTracer(provider: TracingProvider, context: FactoryContext, path: string): Tracer {
  const where = at(path, 'typed_config');
  const resolved = context.registry.resolve('envoy.tracers', provider.name, provider.typed_config, where);
  return resolved.factory.compile(resolved.config, context, where);
}

/** Of one worker. */
export class TracerManager {
  /** Weak: a tracer lives as long as the connection managers that use it. */
  private readonly tracers = new Map<string, WeakRef<Tracer>>();

  getOrCreateTracer(provider: TracingProvider, context: FactoryContext, path: string): Tracer {
    const { name, typed_config: config } = provider;
    const key = `${name} ${config?.type_url} ${config && Buffer.from(config.value).toString('base64')}`;
    const known = this.tracers.get(key)?.deref();
    if (known !== undefined) return known;
    const tracer = compileTracer(provider, context, path);
    for (const [each, reference] of this.tracers)
      if (reference.deref() === undefined) this.tracers.delete(each);
    this.tracers.set(key, new WeakRef(tracer));
    return tracer;
  }
}
