// typed_per_filter_config of the four levels, compiled and merged downwards, so that a request finds the most specific one at once.
// Envoy: source/common/router/per_filter_config.cc.

import type { FilterConfig } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { AnyMessage, FactoryContext } from '../../api/registry.ts';

const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig';

interface Entry {
  /** Undefined when only `disabled` was said, or when an optional filter is not known here. */
  readonly config: unknown;
  readonly disabled: boolean;
}

/** Immutable, one per level that has entries of its own; levels without share their parent's. */
export class PerFilterConfigs {
  private readonly entries: ReadonlyMap<string, Entry>;
  private readonly parent: PerFilterConfigs | undefined;

  constructor(entries: ReadonlyMap<string, Entry>, parent: PerFilterConfigs | undefined) {
    this.entries = entries;
    this.parent = parent;
  }

  /** The most specific configuration of a filter. */
  get(filterName: string): unknown {
    const config = this.entries.get(filterName)?.config;
    return config === undefined ? this.parent?.get(filterName) : config;
  }

  /** Did the most specific level that names the filter switch it off (or on)? */
  disabled(filterName: string): boolean | undefined {
    return this.entries.get(filterName)?.disabled ?? this.parent?.disabled(filterName);
  }
}

/** `path` is the level's own; `parent` the level above. */
export function compilePerFilterConfigs(
  configs: { readonly [name: string]: AnyMessage },
  parent: PerFilterConfigs | undefined,
  context: FactoryContext,
  path: string,
): PerFilterConfigs | undefined {
  const names = Object.keys(configs);
  if (names.length === 0) return parent;
  const inside = at(path, 'typed_per_filter_config');
  const entries = new Map<string, Entry>();
  for (const name of names)
    entries.set(name, compileEntry(name, configs[name], context, `${inside}["${name}"]`));
  return new PerFilterConfigs(entries, parent);
}

function compileEntry(name: string, any: AnyMessage, context: FactoryContext, path: string): Entry {
  if (typeNameOf(any.type_url) !== FILTER_CONFIG) {
    return { config: compileConfig(name, any, false, context, path), disabled: false };
  }
  const wrapped = decodeAny(any, path).message as unknown as FilterConfig;
  if (wrapped.disabled) return { config: undefined, disabled: true };
  if (wrapped.config === undefined) {
    throw new ConfigError(path, `Empty route/virtual host per filter configuration for ${name} filter`);
  }
  const config = compileConfig(name, wrapped.config, wrapped.is_optional, context, at(path, 'config'));
  return { config, disabled: false };
}

function compileConfig(
  name: string,
  any: AnyMessage,
  optional: boolean,
  context: FactoryContext,
  path: string,
): unknown {
  const resolved = context.registry.resolveRoute(any, path);
  if (resolved === undefined) {
    if (optional) return undefined;
    throw new ConfigError(
      path,
      `Didn't find a registered implementation for '${name}' with type URL: '${typeNameOf(any.type_url)}'`,
    );
  }
  const { factory, config } = resolved;
  if (factory.compileRoute === undefined) {
    if (optional) return undefined;
    throw new ConfigError(
      path,
      `The filter ${resolved.name} doesn't support virtual host or route specific configurations`,
    );
  }
  return factory.compileRoute(config, context, path);
}
