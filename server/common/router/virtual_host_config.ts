// Compiles a VirtualHost, and keeps what each level of a RouteConfiguration hands down to the next one.
// Envoy: CommonConfigImpl and CommonVirtualHostImpl in source/common/router/config_impl.cc.

import { createRequire } from 'node:module';
import type {
  ClusterSpecifierPlugin,
  RouteConfiguration,
  RouteList as RouteListProto,
  Route as RouteProto,
  VirtualHost as VirtualHostProto,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type { Matcher } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RateLimitPolicy } from '../../api/rate_limit.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { RetryPolicy, ShadowPolicy } from '../../api/router.ts';
import type { MatchTree } from '../matcher/match_tree.ts';
import { DEFAULT_MAX_DIRECT_RESPONSE_BODY_SIZE_BYTES, SSL_REDIRECT } from './direct_response.ts';
import { checkFields } from './handled_fields.ts';
import { compileHeaderParser, type HeaderParser } from './header_parser.ts';
import { compileHedgePolicy } from './hedge_policy.ts';
import type { HttpMatchingData } from './http_match_inputs.ts';
import { type PlainStruct, plainMetadata } from './metadata.ts';
import { compilePerFilterConfigs, type PerFilterConfigs } from './per_filter_config.ts';
import { compileRateLimits } from './rate_limits.ts';
import { compileRetryPolicy } from './retry_policy.ts';
import { CompiledRoute, NO_HITS } from './route.ts';
import { compileRoute } from './route_compiler.ts';
import type { CompiledRouteEntry } from './route_entry.ts';
import { RouteList } from './route_list.ts';
import { compileShadowPolicies } from './shadow_policy.ts';
import { VirtualClusters } from './virtual_cluster.ts';
import { VirtualHost } from './virtual_host.ts';

// Few virtual hosts have a match tree: loaded with the first.
const require = createRequire(import.meta.url);

/** What the RouteConfiguration itself says. */
export interface GlobalScope {
  readonly routeConfigName: string;
  readonly mostSpecificWins: boolean;
  readonly maxDirectResponseBodySize: number;
  readonly requestParser: HeaderParser | undefined;
  readonly responseParser: HeaderParser | undefined;
  readonly perFilterConfigs: PerFilterConfigs | undefined;
  readonly shadowPolicies: readonly ShadowPolicy[];
  readonly clusterSpecifierPlugins: readonly ClusterSpecifierPlugin[];
  /** Where requests of its routes are counted, by place of the route in all of it. */
  readonly hits: Float64Array;
  /** Every cluster that a route names, and where first. Filled while routes are compiled. */
  readonly clusterPaths: Map<string, string>;
}

/** What a route inherits. */
export interface VirtualHostScope {
  readonly global: GlobalScope;
  readonly name: string;
  readonly metadata: Readonly<Record<string, PlainStruct>> | undefined;
  readonly requestParser: HeaderParser | undefined;
  readonly responseParser: HeaderParser | undefined;
  readonly perFilterConfigs: PerFilterConfigs | undefined;
  readonly shadowPolicies: readonly ShadowPolicy[];
  readonly retryPolicy: RetryPolicy | undefined;
  readonly virtualClusters: VirtualClusters;
  readonly perRequestBufferLimitBytes: number | undefined;
  readonly requestBodyBufferLimit: bigint | undefined;
  readonly includeAttemptCountInRequest: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly includeTimeoutRetryHeader: boolean;
  readonly hedgeOnPerTryTimeout: boolean;
  readonly rateLimits: RateLimitPolicy | undefined;
  /** Of routes that differ in nothing but what they match, by the bytes of their actions. Filled while routes are compiled. */
  readonly entries: Map<string, CompiledRouteEntry>;
}

/** The messages that can mutate headers, at each level. */
type WithHeaderMutations = Pick<
  VirtualHostProto,
  | 'request_headers_to_add'
  | 'request_headers_to_remove'
  | 'response_headers_to_add'
  | 'response_headers_to_remove'
>;

export function compileHeaderParsers(
  config: WithHeaderMutations,
  context: FactoryContext,
  path: string,
): { requestParser: HeaderParser | undefined; responseParser: HeaderParser | undefined } {
  const { request_headers_to_add: requestAdd, request_headers_to_remove: requestRemove } = config;
  const { response_headers_to_add: responseAdd, response_headers_to_remove: responseRemove } = config;
  return {
    requestParser: compileHeaderParser(requestAdd, requestRemove, context, path, 'request_headers'),
    responseParser: compileHeaderParser(responseAdd, responseRemove, context, path, 'response_headers'),
  };
}

export function compileGlobalScope(
  config: RouteConfiguration,
  context: FactoryContext,
  path: string,
  hits: Float64Array,
): GlobalScope {
  return {
    routeConfigName: config.name,
    mostSpecificWins: config.most_specific_header_mutations_wins,
    maxDirectResponseBodySize:
      config.max_direct_response_body_size_bytes?.value ?? DEFAULT_MAX_DIRECT_RESPONSE_BODY_SIZE_BYTES,
    ...compileHeaderParsers(config, context, path),
    perFilterConfigs: compilePerFilterConfigs(config.typed_per_filter_config, undefined, context, path),
    shadowPolicies: compileShadowPolicies(config.request_mirror_policies, [], context, path),
    clusterSpecifierPlugins: config.cluster_specifier_plugins,
    hits,
    clusterPaths: new Map(),
  };
}

/** `place` is that of its first route. */
export function compileVirtualHost(
  config: VirtualHostProto,
  global: GlobalScope,
  context: FactoryContext,
  path: string,
  place: number,
): VirtualHost {
  checkFields('VirtualHost', config, path);
  const requireTls = config.require_tls;
  if (typeof requireTls === 'number')
    throw new ConfigError(at(path, 'require_tls'), `unknown value ${requireTls}`);
  if (config.matcher !== undefined && config.routes.length > 0) {
    throw new ConfigError(path, 'cannot set both matcher and routes on virtual host');
  }
  const scope = compileScope(config, global, context, path);
  const sslRedirect = new CompiledRoute(
    {
      name: '',
      virtualHostName: config.name,
      routeConfigName: global.routeConfigName,
      metadata: undefined,
      virtualHostMetadata: scope.metadata,
      decoratorOperation: '',
      decoratorPropagate: true,
      tracing: undefined,
      perFilterConfigs: undefined,
      responseParsers: [],
      hits: NO_HITS,
      place: 0,
    },
    SSL_REDIRECT,
  );
  const matcher = config.matcher && compileMatcher(config.matcher, scope, context, path);
  const routes = new RouteList(
    config.routes.map((route, i) => {
      const cell = global.hits === NO_HITS ? 0 : place + i;
      return compileRoute(route, scope, context, at(at(path, 'routes'), i), global.hits, cell);
    }),
    '',
  );
  return new VirtualHost(config.name, requireTls, sslRedirect, routes, matcher);
}

function compileScope(
  config: VirtualHostProto,
  global: GlobalScope,
  context: FactoryContext,
  path: string,
): VirtualHostScope {
  const retry = config.retry_policy;
  return {
    global,
    name: config.name,
    metadata: plainMetadata(config.metadata),
    ...compileHeaderParsers(config, context, path),
    perFilterConfigs: compilePerFilterConfigs(
      config.typed_per_filter_config,
      global.perFilterConfigs,
      context,
      path,
    ),
    shadowPolicies: compileShadowPolicies(
      config.request_mirror_policies,
      global.shadowPolicies,
      context,
      path,
    ),
    retryPolicy: retry && compileRetryPolicy(retry, context, at(path, 'retry_policy')),
    virtualClusters: new VirtualClusters(config, context.stats, path),
    perRequestBufferLimitBytes: config.per_request_buffer_limit_bytes?.value,
    requestBodyBufferLimit: config.request_body_buffer_limit?.value,
    includeAttemptCountInRequest: config.include_request_attempt_count,
    includeAttemptCountInResponse: config.include_attempt_count_in_response,
    includeTimeoutRetryHeader: config.include_is_timeout_retry_header,
    hedgeOnPerTryTimeout: compileHedgePolicy(config.hedge_policy, path) ?? false,
    rateLimits: compileRateLimits(config.rate_limits, context, at(path, 'rate_limits')),
    entries: new Map(),
  };
}

/** Throws ConfigError. `path` is the virtual host's. */
function compileMatcher(
  matcher: Matcher,
  scope: VirtualHostScope,
  context: FactoryContext,
  path: string,
): MatchTree<HttpMatchingData, RouteList> {
  const { compileMatchTree } =
    require('../matcher/match_tree.ts') as typeof import('../matcher/match_tree.ts');
  const { compileRouteMatchInput, refuseKeepMatching } =
    require('./http_match_inputs.ts') as typeof import('./http_match_inputs.ts');
  return compileMatchTree(
    matcher,
    {
      input: compileRouteMatchInput,
      checkOnMatch: refuseKeepMatching,
      context,
      action: (action, where) =>
        compileRouteAction(action, scope, context, where, where.slice(path.length + 1)),
    },
    at(path, 'matcher'),
  );
}

/** Within a match tree, at `place`. */
function compileRouteList(
  routes: readonly RouteProto[],
  scope: VirtualHostScope,
  context: FactoryContext,
  path: string,
  place: string,
): RouteList {
  return new RouteList(
    routes.map((route, i) => compileRoute(route, scope, context, at(path, i), NO_HITS, 0)),
    place,
  );
}

/** A match tree's action: a Route or a RouteList. */
function compileRouteAction(
  config: TypedExtensionConfig,
  scope: VirtualHostScope,
  context: FactoryContext,
  path: string,
  place: string,
): RouteList {
  if (config.typed_config === undefined) throw new ConfigError(path, 'typed_config is required');
  const { typeName, message } = decodeAny(config.typed_config, path);
  if (typeName === 'envoy.config.route.v3.Route') {
    return compileRouteList([message as unknown as RouteProto], scope, context, path, place);
  }
  if (typeName === 'envoy.config.route.v3.RouteList') {
    return compileRouteList(
      (message as unknown as RouteListProto).routes,
      scope,
      context,
      at(path, 'routes'),
      place,
    );
  }
  throw new ConfigError(
    path,
    `Didn't find a registered implementation for '${config.name}' with type URL: '${typeName}'`,
  );
}
