// Compiles one Route: its match and its action with all that it inherits.
// Envoy: RouteEntryImplBase's constructor in source/common/router/config_impl.cc, route_components.proto.

import { createRequire } from 'node:module';
import type {
  RouteAction,
  RouteAction_UpgradeConfig,
  Route as RouteProto,
  WeightedCluster,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { create, encode } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ConnectConfig, DirectResponseEntry, RequestStats } from '../../api/router.ts';
import { DEFAULT_PRIORITY, HIGH_PRIORITY } from '../../api/upstream/cluster.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { compileRouteTracing } from '../tracing/route_tracing.ts';
import { compileDirectResponse, RedirectResponse } from './direct_response.ts';
import { checkFields } from './handled_fields.ts';
import { compileHashPolicy } from './hash_policy.ts';
import type { HeaderParser } from './header_parser.ts';
import { compileHedgePolicy } from './hedge_policy.ts';
import { compileHostRewrite } from './host_rewrite.ts';
import { compileInternalRedirectPolicy } from './internal_redirect_policy.ts';
import { plainMetadata } from './metadata.ts';
import { compileRedirectPathRewrite, compileRoutePathRewrite } from './path_rewrite.ts';
import { compilePerFilterConfigs } from './per_filter_config.ts';
import { compileRateLimits, routeRateLimits } from './rate_limits.ts';
import { compileRedirect } from './redirect.ts';
import { PrefixedRequestStats } from './request_stats.ts';
import { compileRetryPolicy } from './retry_policy.ts';
import { CompiledRoute, RouteRule, type RouteSettings } from './route.ts';
import { CompiledRouteEntry, type RouteEntrySettings } from './route_entry.ts';
import { compileRouteMatch, type RouteMatch } from './route_match.ts';
import { compileTimeouts } from './route_timeouts.ts';
import { compileShadowPolicies } from './shadow_policy.ts';
import { compileHeaderParsers, type VirtualHostScope } from './virtual_host_config.ts';
import { WeightedChoice } from './weighted_clusters.ts';

// Few routes have a cluster specifier plugin: loaded with the first.
const require = createRequire(import.meta.url);

const CLUSTER_NOT_FOUND_CODES = {
  SERVICE_UNAVAILABLE: 503,
  NOT_FOUND: 404,
  INTERNAL_SERVER_ERROR: 500,
} as const;

/** The namespace of metadata that load balancers match. */
const LB_METADATA = 'envoy.lb';

// Shared by the routes that have none, which are most: what thousands of routes hold is what a request has to read from memory.
const NO_UPGRADES: ReadonlyMap<string, boolean> = new Map();
const NO_REQUEST_STATS: readonly (readonly RequestStats[])[] = Object.freeze([Object.freeze([])]);
const NO_PARSERS: readonly HeaderParser[] = Object.freeze([]);

/** Its requests are counted in `hits` at `place`. */
export function compileRoute(
  config: RouteProto,
  scope: VirtualHostScope,
  context: FactoryContext,
  path: string,
  hits: Float64Array,
  place: number,
): RouteRule {
  checkFields('Route', config, path);
  if (config.match === undefined) throw new ConfigError(at(path, 'match'), 'value is required');
  const match = compileRouteMatch(config.match, context, at(path, 'match'));
  const { requestParser, responseParser } = compileHeaderParsers(config, context, path);
  const { global } = scope;
  const settings: RouteSettings = {
    name: config.name,
    virtualHostName: scope.name,
    routeConfigName: global.routeConfigName,
    metadata: plainMetadata(config.metadata),
    virtualHostMetadata: scope.metadata,
    decoratorOperation: config.decorator?.operation ?? '',
    decoratorPropagate: config.decorator?.propagate?.value ?? true,
    tracing: compileRouteTracing(config.tracing, context.runtime, at(path, 'tracing')),
    perFilterConfigs: compilePerFilterConfigs(
      config.typed_per_filter_config,
      scope.perFilterConfigs,
      context,
      path,
    ),
    responseParsers: inOrder(
      responseParser,
      scope.responseParser,
      global.responseParser,
      global.mostSpecificWins,
    ),
    hits,
    place,
  };
  const direct = compileDirect(config, match, scope, context, path);
  if (direct !== undefined) return new RouteRule(match, config.name, new CompiledRoute(settings, direct));
  if (config.route === undefined && config.non_forwarding_action === undefined) {
    throw new ConfigError(path, 'action must be specified');
  }
  const where = at(path, 'route');
  const action = config.route ?? create('envoy.config.route.v3.RouteAction');
  const entry = compileEntry(action, match, requestParser, config, scope, context, where);
  const { early_data_policy: earlyData } = action;
  if (earlyData !== undefined) {
    const inside = at(where, 'early_data_policy.typed_config');
    context.registry.resolve('envoy.route.early_data_policy', earlyData.name, earlyData.typed_config, inside);
  }
  if (action.inline_cluster_specifier_plugin !== undefined || action.cluster_specifier_plugin !== undefined) {
    const { clusterSpecifierOf, compileClusterSpecifier } =
      require('./cluster_specifier.ts') as typeof import('./cluster_specifier.ts');
    const plugin = clusterSpecifierOf(action, scope.global.clusterSpecifierPlugins, where);
    const routeTo = (cluster: string): CompiledRoute =>
      new CompiledRoute(settings, new CompiledRouteEntry({ ...entry, cluster }));
    return new RouteRule(match, config.name, compileClusterSpecifier(plugin, routeTo, context, where));
  }
  if (action.weighted_clusters !== undefined) {
    const weighted = action.weighted_clusters;
    const choice = compileWeighted(weighted, settings, entry, scope, context, at(where, 'weighted_clusters'));
    return new RouteRule(match, config.name, choice);
  }
  const ofItsOwn = requestParser !== undefined || entry.pathRewrite !== undefined || hasOwnSettings(config);
  const compiled = ofItsOwn ? new CompiledRouteEntry(entry) : sharedEntry(action, entry, scope);
  return new RouteRule(match, config.name, new CompiledRoute(settings, compiled));
}

/** What an entry has from the route beside its action. */
function hasOwnSettings(route: RouteProto): boolean {
  const { request_body_buffer_limit: limit, per_request_buffer_limit_bytes: olderLimit } = route;
  return route.stat_prefix !== '' || limit !== undefined || olderLimit !== undefined;
}

/** Routes of a virtual host that do the same have one entry: what 10,000 routes hold is what requests to them read from memory. */
function sharedEntry(
  action: RouteAction,
  settings: RouteEntrySettings,
  { entries }: VirtualHostScope,
): CompiledRouteEntry {
  const key = Buffer.from(encode('envoy.config.route.v3.RouteAction', action)).toString('latin1');
  let entry = entries.get(key);
  if (entry === undefined) entries.set(key, (entry = new CompiledRouteEntry(settings)));
  return entry;
}

/** Later ones win: the most specific where the configuration asks for it, else the least specific. */
function inOrder(
  route: HeaderParser | undefined,
  virtualHost: HeaderParser | undefined,
  global: HeaderParser | undefined,
  mostSpecificWins: boolean,
): readonly HeaderParser[] {
  if (route === undefined && virtualHost === undefined && global === undefined) return NO_PARSERS;
  const parsers = [route, virtualHost, global].filter((parser) => parser !== undefined);
  return Object.freeze(mostSpecificWins ? parsers.reverse() : parsers);
}

function compileDirect(
  config: RouteProto,
  match: RouteMatch,
  scope: VirtualHostScope,
  context: FactoryContext,
  path: string,
): DirectResponseEntry | undefined {
  if (config.direct_response !== undefined) {
    const where = at(path, 'direct_response');
    return compileDirectResponse(
      config.direct_response,
      scope.global.maxDirectResponseBodySize,
      context,
      where,
    );
  }
  if (config.redirect === undefined) return undefined;
  const where = at(path, 'redirect');
  checkFields('RedirectAction', config.redirect, where);
  return new RedirectResponse(
    compileRedirect(config.redirect, where),
    compileRedirectPathRewrite(config.redirect, match.path, where),
  );
}

function compileEntry(
  action: RouteAction,
  match: RouteMatch,
  requestParser: HeaderParser | undefined,
  route: RouteProto,
  scope: VirtualHostScope,
  context: FactoryContext,
  path: string,
): RouteEntrySettings {
  checkFields('RouteAction', action, path);
  noteCluster(scope, action.cluster, at(path, 'cluster'));
  for (const { cluster } of action.request_mirror_policies) {
    noteCluster(scope, cluster, at(path, 'request_mirror_policies'));
  }
  const retry = action.retry_policy;
  const metadataMatch = plainMetadata(action.metadata_match)?.[LB_METADATA];
  return {
    cluster: action.cluster ?? '',
    clusterHeader: headerName(action.cluster_header ?? ''),
    clusterNotFoundResponseCode: notFoundCode(action, path),
    priority: priorityOf(action, path),
    ...compileTimeouts(action, path),
    retryPolicy: retry ? compileRetryPolicy(retry, context, at(path, 'retry_policy')) : scope.retryPolicy,
    shadowPolicies: compileShadowPolicies(
      action.request_mirror_policies,
      scope.shadowPolicies,
      context,
      path,
    ),
    internalRedirectPolicy: compileInternalRedirectPolicy(action, context, path),
    includeAttemptCountInRequest: scope.includeAttemptCountInRequest,
    includeAttemptCountInResponse: scope.includeAttemptCountInResponse,
    includeTimeoutRetryHeader: scope.includeTimeoutRetryHeader,
    hedgeOnPerTryTimeout: compileHedgePolicy(action.hedge_policy, path) ?? scope.hedgeOnPerTryTimeout,
    metadataMatch,
    autoHostRewrite: action.auto_host_rewrite?.value ?? false,
    appendXForwardedHost: action.append_x_forwarded_host,
    requestBodyBufferLimit: requestBodyBufferLimit(route, scope),
    rateLimits: routeRateLimits(
      compileRateLimits(action.rate_limits, context, at(path, 'rate_limits')),
      scope.rateLimits,
      action.include_vh_rate_limits?.value ?? false,
    ),
    upgrades: compileUpgrades(action.upgrade_configs, at(path, 'upgrade_configs')),
    connectConfig: compileConnectConfig(action.upgrade_configs, at(path, 'upgrade_configs')),
    hashPolicy: compileHashPolicy(action.hash_policy, path),
    virtualClusters: scope.virtualClusters,
    requestStats: compileRequestStats(route, scope, context),
    weightedParser: undefined,
    weightedHost: '',
    requestParsers: inOrder(
      requestParser,
      scope.requestParser,
      scope.global.requestParser,
      scope.global.mostSpecificWins,
    ),
    hostRewrite: compileHostRewrite(action, context, path),
    pathRewrite: compileRoutePathRewrite(action, match.path, context, path),
  };
}

/** The newer field of the virtual host comes before the older one of the route, as in Envoy. */
function requestBodyBufferLimit(route: RouteProto, scope: VirtualHostScope): number | undefined {
  const limit = route.request_body_buffer_limit?.value ?? scope.requestBodyBufferLimit;
  if (limit !== undefined) return Number(limit);
  return route.per_request_buffer_limit_bytes?.value ?? scope.perRequestBufferLimitBytes;
}

/** By place of the virtual cluster; one entry where there are none. */
function compileRequestStats(
  { stat_prefix }: RouteProto,
  scope: VirtualHostScope,
  { stats }: FactoryContext,
): readonly (readonly RequestStats[])[] {
  if (stat_prefix === '' && scope.virtualClusters.all.length === 0) return NO_REQUEST_STATS;
  const own =
    stat_prefix === '' ? [] : [new PrefixedRequestStats(stats, `vhost.${scope.name}.route.${stat_prefix}.`)];
  const { all } = scope.virtualClusters;
  return all.length === 0 ? [own] : all.map((each) => [each.stats, ...own]);
}

function noteCluster(scope: VirtualHostScope, name: string | undefined, path: string): void {
  const { clusterPaths } = scope.global;
  if (name && !clusterPaths.has(name)) clusterPaths.set(name, path);
}

function notFoundCode(action: RouteAction, path: string): number {
  const code = action.cluster_not_found_response_code;
  if (typeof code !== 'number') return CLUSTER_NOT_FOUND_CODES[code];
  throw new ConfigError(at(path, 'cluster_not_found_response_code'), `unknown value ${code}`);
}

function priorityOf(action: RouteAction, path: string): 0 | 1 {
  const priority = action.priority;
  if (typeof priority === 'number') throw new ConfigError(at(path, 'priority'), `unknown value ${priority}`);
  return priority === 'HIGH' ? HIGH_PRIORITY : DEFAULT_PRIORITY;
}

function compileUpgrades(
  configs: readonly RouteAction_UpgradeConfig[],
  path: string,
): ReadonlyMap<string, boolean> {
  if (configs.length === 0) return NO_UPGRADES;
  const upgrades = new Map<string, boolean>();
  configs.forEach((config, i) => {
    checkFields('RouteAction.UpgradeConfig', config, at(path, i));
    const type = config.upgrade_type.toLowerCase();
    if (upgrades.has(type)) throw new ConfigError(at(path, i), `Duplicate upgrade ${config.upgrade_type}`);
    upgrades.set(type, config.enabled?.value ?? true);
  });
  return upgrades;
}

function compileConnectConfig(
  configs: readonly RouteAction_UpgradeConfig[],
  path: string,
): ConnectConfig | undefined {
  for (const [i, { upgrade_type, connect_config }] of configs.entries()) {
    if (connect_config === undefined) continue;
    const where = at(at(path, i), 'connect_config');
    if (upgrade_type.toLowerCase() !== 'connect')
      throw new ConfigError(where, `Non-CONNECT upgrade type ${upgrade_type} has ConnectConfig`);
    const proxy = connect_config.proxy_protocol_config;
    if (proxy !== undefined) checkFields('ProxyProtocolConfig', proxy, at(where, 'proxy_protocol_config'));
    return Object.freeze({
      proxyProtocol: proxy === undefined ? undefined : proxy.version === 'V2' ? 'V2' : 'V1',
      allowPost: connect_config.allow_post,
    });
  }
  return undefined;
}

function compileWeighted(
  config: WeightedCluster,
  route: RouteSettings,
  entry: RouteEntrySettings,
  scope: VirtualHostScope,
  context: FactoryContext,
  path: string,
): WeightedChoice<CompiledRoute> {
  checkFields('WeightedCluster', config, path);
  const routes = config.clusters.map((cluster, i) => {
    const where = at(at(path, 'clusters'), i);
    checkFields('WeightedCluster.ClusterWeight', cluster, where);
    if ((cluster.name === '') === (cluster.cluster_header === '')) {
      const all = cluster.name === '' ? 'At least one' : 'Only one';
      const verb = cluster.name === '' ? 'need to' : 'can';
      throw new ConfigError(where, `${all} of name or cluster_header ${verb} be specified`);
    }
    noteCluster(scope, cluster.name, at(where, 'name'));
    const { requestParser, responseParser } = compileHeaderParsers(cluster, context, where);
    const metadataMatch = plainMetadata(cluster.metadata_match)?.[LB_METADATA];
    const configs = cluster.typed_per_filter_config;
    return new CompiledRoute(
      {
        ...route,
        perFilterConfigs: compilePerFilterConfigs(configs, route.perFilterConfigs, context, where),
        // Before all others, whichever way they are ordered.
        responseParsers:
          responseParser === undefined ? route.responseParsers : [responseParser, ...route.responseParsers],
      },
      new CompiledRouteEntry({
        ...entry,
        cluster: cluster.name,
        clusterHeader: headerName(cluster.cluster_header),
        metadataMatch:
          metadataMatch === undefined ? entry.metadataMatch : { ...entry.metadataMatch, ...metadataMatch },
        weightedParser: requestParser,
        weightedHost: latin1Of(cluster.host_rewrite_literal ?? ''),
      }),
    );
  });
  const weights = config.clusters.map((cluster) => cluster.weight?.value ?? 0);
  const prefix = config.runtime_key_prefix;
  const keys = prefix === '' ? [] : config.clusters.map((cluster) => `${prefix}.${cluster.name}`);
  const header = headerName(config.header_name ?? '');
  const hashPolicy = config.use_hash_policy?.value ? entry.hashPolicy : undefined;
  return new WeightedChoice(routes, weights, header, hashPolicy, keys, context.runtime, route.name, path);
}
