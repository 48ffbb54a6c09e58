// envoy.filters.http.on_demand. Envoy: source/extensions/filters/http/on_demand/config.cc,
// api/envoy/extensions/filters/http/on_demand/v3/on_demand.proto.

import type {
  OnDemand,
  OnDemandCds,
  PerRouteConfig,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/on_demand/v3.ts';
import { durationMs } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, HttpFilterFactory } from '../../../../api/registry.ts';
import { OnDemandFilter, type OnDemandSettings } from './on_demand.ts';

/** Source: OnDemandCds.timeout. */
const DEFAULT_TIMEOUT_MS = 5000;

export const onDemandFactory: HttpFilterFactory<OnDemand, PerRouteConfig> = {
  compile({ odcds }, context, path) {
    const settings = compileOnDemandCds(odcds, context, at(path, 'odcds'));
    return Object.freeze({ isTerminal: false, createFilter: () => new OnDemandFilter(settings) });
  },
  compileRoute: ({ odcds }, context, path) => compileOnDemandCds(odcds, context, at(path, 'odcds')),
};

/** Without it no cluster is asked for. */
function compileOnDemandCds(
  config: OnDemandCds | undefined,
  context: FactoryContext,
  path: string,
): OnDemandSettings {
  if (config === undefined) return Object.freeze({ discovery: undefined, timeoutMs: 0 });
  if (config.resources_locator !== '') {
    throw new ConfigError(at(path, 'resources_locator'), 'resources_locator is not supported');
  }
  if (config.source === undefined) throw new ConfigError(at(path, 'source'), 'value is required');
  return Object.freeze({
    discovery: context.clusterDiscovery(config.source, at(path, 'source')),
    timeoutMs: durationMs(config.timeout) ?? DEFAULT_TIMEOUT_MS,
  });
}
