// RouteMatch of envoy.config.route.v3, compiled: may this route take the request? The path is asked first, since it decides most.
// Envoy: RouteEntryImplBase::matchRoute in source/common/router/config_impl.cc.

import type {
  RouteMatch_TlsContextMatchOptions,
  RouteMatch as RouteMatchConfig,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { type CookieMatcher, compileCookieMatcher } from '../matcher/cookie_matcher.ts';
import { allOf, leaf } from '../matcher/explain.ts';
import { compileFilterStateMatcher, type FilterStateMatcher } from '../matcher/filter_state_matcher.ts';
import { compileHeaderMatcher, type HeaderMatcher, matchHeaders } from '../matcher/header_matcher.ts';
import { PathKind, PathMatcher, type PathTemplateMatcher, withoutQuery } from '../matcher/path_matcher.ts';
import {
  compileQueryParameterMatcher,
  type QueryParameterMatcher,
} from '../matcher/query_parameter_matcher.ts';
import { compileRegex } from '../matcher/regex.ts';
import { compileMetadataMatcher, type MetadataMatcher } from '../matcher/value_matcher.ts';
import { checkFields } from './handled_fields.ts';
import { compileRuntimeFraction, type RuntimeFraction } from './runtime_fraction.ts';

const APPLICATION_GRPC = 'application/grpc';
const PLUS = 43;

const NOTHING: readonly never[] = Object.freeze([]);

interface Conditions {
  readonly path: PathMatcher;
  readonly headers: readonly HeaderMatcher[];
  readonly queryParameters: readonly QueryParameterMatcher[];
  readonly runtimeFraction: RuntimeFraction | undefined;
  readonly grpc: boolean;
  readonly tls: RouteMatch_TlsContextMatchOptions | undefined;
  readonly dynamicMetadata: readonly MetadataMatcher[];
  readonly filterState: readonly FilterStateMatcher[];
  readonly cookies: readonly CookieMatcher[];
}

export class RouteMatch {
  readonly path: PathMatcher;
  private readonly headers: readonly HeaderMatcher[];
  private readonly queryParameters: readonly QueryParameterMatcher[];
  readonly runtimeFraction: RuntimeFraction | undefined;
  private readonly grpc: boolean;
  private readonly tls: RouteMatch_TlsContextMatchOptions | undefined;
  private readonly dynamicMetadata: readonly MetadataMatcher[];
  private readonly filterState: readonly FilterStateMatcher[];
  private readonly cookies: readonly CookieMatcher[];
  /** The path is all there is to match: true for nearly every route of a mesh. */
  readonly pathOnly: boolean;
  private readonly connectOnly: boolean;
  /** Templates also look at path parameters that others are told to ignore. */
  private readonly templateOnly: boolean;

  constructor(conditions: Conditions) {
    this.path = conditions.path;
    this.headers = conditions.headers;
    this.queryParameters = conditions.queryParameters;
    this.runtimeFraction = conditions.runtimeFraction;
    this.grpc = conditions.grpc;
    this.tls = conditions.tls;
    this.dynamicMetadata = conditions.dynamicMetadata;
    this.filterState = conditions.filterState;
    this.cookies = conditions.cookies;
    this.connectOnly = conditions.path.kind === PathKind.Connect;
    this.templateOnly = conditions.path.kind === PathKind.Template;
    this.pathOnly =
      !this.connectOnly &&
      !this.grpc &&
      this.runtimeFraction === undefined &&
      this.tls === undefined &&
      this.headers.length + this.queryParameters.length + this.dynamicMetadata.length === 0 &&
      this.filterState.length + this.cookies.length === 0;
  }

  /** `path` is the request's path as far as routes look at it: without query, fragment and ignored parameters. */
  match(path: string, headers: RequestHeaderMap, info: StreamInfo, streamId: number): boolean {
    if (headers.path === '' && !this.connectOnly) return false;
    if (!this.path.match(this.templateOnly ? withoutQuery(headers.path) : path)) return false;
    return this.pathOnly || this.matchRest(headers, info, streamId);
  }

  private matchRest(headers: RequestHeaderMap, info: StreamInfo, streamId: number): boolean {
    if (this.connectOnly && headers.method !== 'CONNECT') return false;
    if (this.runtimeFraction !== undefined && !this.runtimeFraction.enabled(streamId)) return false;
    if (this.grpc && !isGrpc(headers)) return false;
    if (!matchHeaders(this.headers, headers)) return false;
    for (let i = 0; i < this.queryParameters.length; i++) {
      if (!this.queryParameters[i].match(headers.path)) return false;
    }
    if (this.tls !== undefined && !matchTls(this.tls, info)) return false;
    for (let i = 0; i < this.dynamicMetadata.length; i++) {
      if (!this.dynamicMetadata[i].match(info.dynamicMetadata)) return false;
    }
    for (let i = 0; i < this.filterState.length; i++) {
      if (!this.filterState[i].match(info)) return false;
    }
    for (let i = 0; i < this.cookies.length; i++) {
      if (!this.cookies[i].match(headers)) return false;
    }
    return true;
  }

  /** The one value that a header of this name (lower-case) must have. Undefined where it need not be one exact value. */
  exactHeader(name: string): string | undefined {
    for (const matcher of this.headers) {
      const value = matcher.name === name ? matcher.exactValue : undefined;
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Names of the headers for which `exactHeader` has a value. */
  exactHeaderNames(): readonly string[] {
    return this.headers.filter(({ exactValue }) => exactValue !== undefined).map(({ name }) => name);
  }

  explain(
    path: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
    what: string,
  ): ExplainNode {
    const parts: ExplainNode[] = [];
    if (this.connectOnly) {
      parts.push(leaf('method is CONNECT', headers.method === 'CONNECT', `the method is ${headers.method}`));
    } else if (headers.path === '') {
      parts.push(leaf('the request has a path', false, 'a CONNECT request without a path'));
    } else parts.push(this.path.explain(this.templateOnly ? withoutQuery(headers.path) : path));
    if (this.runtimeFraction !== undefined) {
      const on = this.runtimeFraction.enabled(streamId);
      parts.push(
        leaf(`runtime fraction ${this.runtimeFraction.describe()}`, on, `the random value is ${streamId}`),
      );
    }
    if (this.grpc) {
      const type = headers.get('content-type') ?? '';
      parts.push(leaf('gRPC request', isGrpc(headers), `the content-type is '${type}'`));
    }
    for (const matcher of this.headers) parts.push(matcher.explain(headers));
    for (const matcher of this.queryParameters) parts.push(matcher.explain(headers.path));
    if (this.tls !== undefined) {
      const certificate = info.connection.ssl?.peerCertificatePresented ? 'has' : 'has no';
      parts.push(leaf('TLS context', matchTls(this.tls, info), `the peer ${certificate} certificate`));
    }
    for (const matcher of this.dynamicMetadata) parts.push(matcher.explain(info.dynamicMetadata));
    for (const matcher of this.filterState) parts.push(matcher.explain(info));
    for (const matcher of this.cookies) parts.push(matcher.explain(headers));
    return allOf(what, parts);
  }
}

function isGrpc(headers: RequestHeaderMap): boolean {
  const type = headers.get('content-type');
  if (type === undefined || !type.startsWith(APPLICATION_GRPC)) return false;
  return type.length === APPLICATION_GRPC.length || type.charCodeAt(APPLICATION_GRPC.length) === PLUS;
}

function matchTls(options: RouteMatch_TlsContextMatchOptions, info: StreamInfo): boolean {
  const ssl = info.connection.ssl;
  const { presented, validated } = options;
  if (presented !== undefined && presented.value !== (ssl?.peerCertificatePresented ?? false)) return false;
  return validated === undefined || validated.value === (ssl?.peerCertificateValidated ?? false);
}

export function compileRouteMatch(
  config: RouteMatchConfig,
  context: FactoryContext,
  path: string,
): RouteMatch {
  checkFields('RouteMatch', config, path);
  const fraction = config.runtime_fraction;
  return new RouteMatch({
    path: compilePathMatcher(config, context, path),
    headers: each(config.headers, compileHeaderMatcher, at(path, 'headers')),
    queryParameters: each(
      config.query_parameters,
      compileQueryParameterMatcher,
      at(path, 'query_parameters'),
    ),
    runtimeFraction:
      fraction && compileRuntimeFraction(fraction, context.runtime, at(path, 'runtime_fraction')),
    grpc: config.grpc !== undefined,
    tls: config.tls_context,
    dynamicMetadata: each(config.dynamic_metadata, compileMetadataMatcher, at(path, 'dynamic_metadata')),
    filterState: each(config.filter_state, compileFilterStateMatcher, at(path, 'filter_state')),
    cookies: each(config.cookies, compileCookieMatcher, at(path, 'cookies')),
  });
}

/** Compiles a list of matchers. The empty one is shared: of thousands of routes, most have nothing but a path. */
function each<Config, Matcher>(
  configs: readonly Config[],
  compile: (config: Config, path: string) => Matcher,
  path: string,
): readonly Matcher[] {
  return configs.length === 0 ? NOTHING : configs.map((config, i) => compile(config, at(path, i)));
}

function compilePathMatcher(config: RouteMatchConfig, context: FactoryContext, path: string): PathMatcher {
  const caseSensitive = config.case_sensitive?.value ?? true;
  if (config.prefix !== undefined) return new PathMatcher(PathKind.Prefix, config.prefix, caseSensitive);
  if (config.path !== undefined) return new PathMatcher(PathKind.Exact, config.path, caseSensitive);
  if (config.path_separated_prefix !== undefined) {
    return new PathMatcher(PathKind.SeparatedPrefix, config.path_separated_prefix, caseSensitive);
  }
  if (config.safe_regex !== undefined) {
    const regex = compileRegex(config.safe_regex, at(path, 'safe_regex'));
    return new PathMatcher(PathKind.Regex, regex.pattern, caseSensitive, regex);
  }
  if (config.path_match_policy !== undefined) {
    const inside = at(path, 'path_match_policy');
    const { name, typed_config } = config.path_match_policy;
    const resolved = context.registry.resolve('envoy.path.match', name, typed_config, inside);
    const template = resolved.factory.compile(resolved.config, context, inside) as PathTemplateMatcher;
    return new PathMatcher(PathKind.Template, template.template, true, undefined, template);
  }
  if (config.connect_matcher !== undefined) return new PathMatcher(PathKind.Connect, '', true);
  throw new ConfigError(path, 'Invalid route config');
}
