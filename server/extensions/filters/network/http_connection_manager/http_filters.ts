// Compiles http_filters and upgrade_configs: the order of the pipeline is the order of the list; the last one is terminal.
// Envoy: source/common/http/filter_chain_helper.cc.

import type {
  HttpConnectionManager_UpgradeConfig,
  HttpFilter as HttpFilterMessage,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { typeNameOf } from '../../../../../xds-protos/load.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { HttpFilterConfig } from '../../../../api/http/filter.ts';
import type { Extension, FactoryContext } from '../../../../api/registry.ts';
import type { HttpFilterEntry } from '../../../../common/http/conn_manager_config.ts';

/** Throws ConfigError for an unknown extension that is not optional, and for a chain that does not end in a terminal filter. */
export function compileHttpFilters(
  filters: readonly HttpFilterMessage[],
  context: FactoryContext,
  path: string,
): readonly HttpFilterEntry[] {
  const entries: HttpFilterEntry[] = [];
  filters.forEach((filter, index) => {
    const entry = compileEntry(filter, context, at(path, index));
    if (entry !== undefined) entries.push(entry);
    const terminal = entry?.provider.current?.isTerminal;
    const last = index === filters.length - 1;
    if (terminal === true && !last) {
      throw new ConfigError(
        at(path, index),
        `terminal filter named ${filter.name} of type ${filter.name} must be the last filter in a http filter chain.`,
      );
    }
    if (terminal === false && last) {
      throw new ConfigError(
        at(path, index),
        `non-terminal filter named ${filter.name} of type ${filter.name} is the last filter in a http filter chain.`,
      );
    }
  });
  return entries;
}

function compileEntry(
  filter: HttpFilterMessage,
  context: FactoryContext,
  path: string,
): HttpFilterEntry | undefined {
  if (filter.config_discovery !== undefined) {
    reserveCounters(filter.config_discovery.type_urls, context);
    const provider = context.httpFilterConfiguration(
      filter.config_discovery,
      filter.name,
      at(path, 'config_discovery'),
    );
    return { name: filter.name, provider, disabled: filter.disabled };
  }
  const where = at(path, 'typed_config');
  try {
    const { factory, config } = context.registry.resolve(
      'envoy.filters.http',
      filter.name,
      filter.typed_config,
      where,
    );
    const current: HttpFilterConfig = factory.compile(config, context, where, filter.name);
    return { name: filter.name, provider: { name: filter.name, current }, disabled: filter.disabled };
  } catch (error) {
    if (
      filter.is_optional &&
      error instanceof ConfigError &&
      error.reason.startsWith("Didn't find a registered")
    )
      return undefined;
    throw error;
  }
}

/** Main gives out counters when a listener comes; what the discovered configuration will be is only known later. */
function reserveCounters(typeUrls: readonly string[], context: FactoryContext): void {
  for (const type of typeUrls.map(typeNameOf)) {
    const extension = context.registry.all.find(({ configTypes }) => configTypes.includes(type));
    if (extension?.category !== 'envoy.filters.http') continue;
    const { sharedCounters } = (extension as Extension<'envoy.filters.http'>).load();
    for (const name of sharedCounters ?? []) context.sharedCounter(`${context.httpStatPrefix}${name}`);
  }
}

export function compileUpgrades(
  configs: readonly HttpConnectionManager_UpgradeConfig[],
  context: FactoryContext,
  path: string,
): ReadonlyMap<
  string,
  { readonly enabled: boolean; readonly filters: readonly HttpFilterEntry[] | undefined }
> {
  const upgrades = new Map<
    string,
    { readonly enabled: boolean; readonly filters: readonly HttpFilterEntry[] | undefined }
  >();
  configs.forEach((config, index) => {
    const type = config.upgrade_type.toLowerCase();
    if (upgrades.has(type))
      throw new ConfigError(at(path, index), `Error: multiple upgrade configs with the same name: '${type}'`);
    const filters =
      config.filters.length === 0
        ? undefined
        : compileHttpFilters(config.filters, context, at(at(path, index), 'filters'));
    upgrades.set(type, { enabled: config.enabled?.value ?? true, filters });
  });
  return upgrades;
}
