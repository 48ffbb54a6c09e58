// Scoped routes: a key that is made of request headers chooses the route configuration. Envoy: source/common/router/scoped_config_impl.cc,
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/rds (scoped RDS).

import type { ScopedRouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type {
  ScopedRoutes_ScopeKeyBuilder_FragmentBuilder_HeaderValueExtractor as HeaderValueExtractor,
  ScopedRoutes,
  ScopedRoutes_ScopeKeyBuilder,
} from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext, Provider } from '../../api/registry.ts';
import type {
  ExplainNode,
  Route,
  RouteConfig,
  RouteDiscovery,
  RouteDiscoveryWaiter,
  RouteScope,
} from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { scopedRoutesKey } from '../config/resource_key.ts';
import { leaf } from '../matcher/explain.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { compileRouteConfiguration } from './route_config.ts';

const NO_HEADERS: readonly string[] = Object.freeze([]);

/** One fragment of a key. */
class HeaderValueFragment {
  private readonly header: string;
  private readonly elementSeparator: string;
  /** The element of this number, or (undefined) the one with `key`. */
  private readonly index: number | undefined;
  private readonly separator: string;
  private readonly key: string;

  constructor({ name, element_separator, index, element }: HeaderValueExtractor) {
    this.header = headerName(name);
    this.elementSeparator = latin1Of(element_separator);
    this.index = index;
    this.separator = latin1Of(element?.separator ?? '');
    this.key = latin1Of(element?.key ?? '');
  }

  /** Undefined: a request without it is in no scope. */
  compute(headers: RequestHeaderMap): string | undefined {
    const value = headers.get(this.header);
    if (value === undefined) return undefined;
    const elements = this.elementSeparator === '' ? [value] : value.split(this.elementSeparator);
    if (this.index !== undefined) return elements[this.index];
    for (const element of elements) {
      const end = element.indexOf(this.separator);
      if (end < 0) {
        if (element === this.key) return '';
      } else if (element.slice(0, end) === this.key) return element.slice(end + this.separator.length);
    }
    return undefined;
  }
}

export class ScopeKeyBuilder {
  private readonly fragments: readonly HeaderValueFragment[];

  /** Throws ConfigError. */
  constructor(config: ScopedRoutes_ScopeKeyBuilder, path: string) {
    this.fragments = config.fragments.map(({ header_value_extractor: extractor }, i) => {
      const where = at(at(at(path, 'fragments'), i), 'header_value_extractor');
      if (extractor === undefined) throw new ConfigError(where, 'value is required');
      if (extractor.index === undefined && extractor.element === undefined)
        throw new ConfigError(where, 'HeaderValueExtractor extract_type not set.');
      if ((extractor.index ?? 0) > 0 && extractor.element_separator === '')
        throw new ConfigError(at(where, 'index'), 'Index > 0 for empty string element separator.');
      return new HeaderValueFragment(extractor);
    });
  }

  /** Undefined where a fragment cannot be had. */
  compute(headers: RequestHeaderMap): string | undefined {
    const fragments: string[] = [];
    for (const builder of this.fragments) {
      const fragment = builder.compute(headers);
      if (fragment === undefined) return undefined;
      fragments.push(fragment);
    }
    return joined(fragments);
  }
}

/** No two keys have one text: each fragment says how long it is. */
function joined(fragments: readonly string[]): string {
  return fragments.map((fragment) => `${fragment.length}:${fragment}`).join(' ');
}

/** The key of a scope, as ScopeKeyBuilder computes it. */
export function scopeKey({ key }: ScopedRouteConfiguration): string {
  return joined((key?.fragments ?? []).map(({ string_key }) => latin1Of(string_key ?? '')));
}

/** The scopes of one configuration by their keys. Of two of one name, or of one key, the later is left. Throws ConfigError. */
export function compileScopes(
  configs: readonly ScopedRouteConfiguration[],
  routesOf: (config: ScopedRouteConfiguration, path: string) => Provider<RouteConfig>,
  path: string,
): ReadonlyMap<string, RouteScope> {
  const keys = new Map<string, string>();
  const scopes = new Map<string, RouteScope>();
  configs.forEach((config, i) => {
    const key = scopeKey(config);
    const before = keys.get(config.name);
    if (before !== undefined && scopes.get(before)?.name === config.name) scopes.delete(before);
    keys.set(config.name, key);
    const onDemand = config.on_demand && config.route_configuration === undefined;
    const routes = onDemand
      ? { name: config.route_configuration_name, current: undefined }
      : routesOf(config, at(path, i));
    scopes.set(key, { name: config.name, routes, onDemand });
  });
  return scopes;
}

/** Routes that are written into the scope. Throws ConfigError. */
export function inlineRoutesOf(
  { route_configuration: config }: ScopedRouteConfiguration,
  context: FactoryContext,
  path: string,
): Provider<RouteConfig> | undefined {
  if (config === undefined) return undefined;
  const where = at(path, 'route_configuration');
  return { name: config.name, current: compileRouteConfiguration(config, context, where) };
}

export class ScopedRouteConfig implements RouteConfig {
  readonly name: string;
  readonly mostSpecificHeaderMutationsWins = false;
  readonly clusterNames = NO_HEADERS;
  private readonly builder: ScopeKeyBuilder;
  private readonly scopes: Provider<ReadonlyMap<string, RouteScope>>;

  private readonly discovery: RouteDiscovery | undefined;

  /** `discovery` asks for the routes of a scope by its name. */
  constructor(
    name: string,
    builder: ScopeKeyBuilder,
    scopes: Provider<ReadonlyMap<string, RouteScope>>,
    discovery?: RouteDiscovery,
  ) {
    this.name = name;
    this.builder = builder;
    this.scopes = scopes;
    this.discovery = discovery;
  }

  internalOnlyHeaders(headers: RequestHeaderMap): readonly string[] {
    return this.scopeOf(headers)?.routes.current?.internalOnlyHeaders(headers) ?? NO_HEADERS;
  }

  route(headers: RequestHeaderMap, info: StreamInfo, streamId: number): Route | undefined {
    return this.scopeOf(headers)?.routes.current?.route(headers, info, streamId);
  }

  discover(headers: RequestHeaderMap, waiter: RouteDiscoveryWaiter): (() => void) | undefined {
    const scope = this.scopeOf(headers);
    if (scope === undefined) return undefined;
    const { current } = scope.routes;
    return current === undefined
      ? this.discovery?.request(scope.name, waiter)
      : current.discover?.(headers, waiter);
  }

  scopeOf(headers: RequestHeaderMap): RouteScope | undefined {
    const key = this.builder.compute(headers);
    return key === undefined ? undefined : this.scopes.current?.get(key);
  }

  explain(headers: RequestHeaderMap, info: StreamInfo, streamId: number): ExplainNode {
    const what = `scoped routes '${this.name}'`;
    const scope = this.scopeOf(headers);
    if (scope === undefined) {
      const keyed = this.builder.compute(headers) !== undefined;
      const reason = keyed ? 'no scope has the key of the request' : 'the request has no key';
      return { what, matched: false, reason, children: [leaf('scope', false, reason)] };
    }
    const reason = `the request's key is that of scope '${scope.name}'`;
    const found = leaf(`scope '${scope.name}'`, true, reason);
    const routes = scope.routes.current?.explain(headers, info, streamId);
    if (routes === undefined) {
      const state = scope.onDemand ? 'is there once the on_demand filter has asked for it' : 'has not come';
      const missing = `route configuration '${scope.routes.name}' ${state}`;
      return { what, matched: false, reason: missing, children: [found] };
    }
    return { what, matched: routes.matched, reason: routes.reason, children: [found, routes] };
  }
}

/** What a connection manager with `scoped_routes` has for routes. Throws ConfigError. */
export function compileScopedRoutes(
  config: ScopedRoutes,
  context: FactoryContext,
  path: string,
): Provider<RouteConfig> {
  const builder = new ScopeKeyBuilder(
    config.scope_key_builder ?? { fragments: [] },
    at(path, 'scope_key_builder'),
  );
  const { name, scoped_rds: srds, scoped_route_configurations_list: list } = config;
  if (srds !== undefined) {
    if (srds.srds_resources_locator !== '') {
      const reason = 'srds_resources_locator is not supported';
      throw new ConfigError(at(path, 'scoped_rds.srds_resources_locator'), reason);
    }
    const scopes = context.scopedRouteConfigurations(config, path);
    const discovery = context.routeDiscovery('scope', scopedRoutesKey(config));
    return { name, current: new ScopedRouteConfig(name, builder, scopes, discovery) };
  }
  if (list === undefined) throw new ConfigError(at(path, 'config_specifier'), 'value is required');
  const where = at(path, 'scoped_route_configurations_list.scoped_route_configurations');
  const scopes = compileScopes(
    list.scoped_route_configurations,
    (scope, inside) => {
      if (scope.route_configuration_name !== '') {
        const reason =
          'Fetching routes via RDS (route_configuration_name) is not supported with inline scoped routes.';
        throw new ConfigError(at(inside, 'route_configuration_name'), reason);
      }
      const routes = inlineRoutesOf(scope, context, inside);
      if (routes !== undefined) return routes;
      const reason = 'You must specify a route_configuration with inline scoped routes.';
      throw new ConfigError(at(inside, 'route_configuration'), reason);
    },
    where,
  );
  return { name, current: new ScopedRouteConfig(name, builder, { name, current: scopes }) };
}
