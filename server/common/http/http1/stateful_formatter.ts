// Finds the stateful header formatter (preserve_case) that Http1ProtocolOptions names.
// Envoy: envoy.extensions.http.header_formatters.preserve_case, category envoy.http.stateful_header_formatters.

import type { FactoryContext } from '../../../api/registry.ts';
import type { PreserveCaseSettings, ResolveStatefulFormatter } from './settings.ts';

/** A resolver for `compileHttp1Settings` that looks into the registry. */
export function statefulFormatterResolver(context: FactoryContext): ResolveStatefulFormatter {
  return (config, path) => {
    const resolved = context.registry.resolve(
      'envoy.http.stateful_header_formatters',
      config.name ?? '',
      config.typed_config ?? undefined,
      path,
    );
    return resolved.factory.compile(resolved.config, context, path) as PreserveCaseSettings;
  };
}
