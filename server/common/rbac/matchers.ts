// Permissions (what is done) and principals (who does it) of role-based access control, compiled to trees of conditions.
// Network and HTTP filters share them; what needs headers or a route says so and is refused for connections.
// Envoy: source/extensions/filters/common/rbac/matchers.cc; api/envoy/config/rbac/v3/rbac.proto.

import type {
  Permission,
  Principal,
  SourcedMetadata,
} from '../../../xds-protos/generated/envoy/config/rbac/v3.ts';
import type {
  FilterStateMatcher as FilterStateMatcherConfig,
  PathMatcher,
} from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { AnyMessage, FactoryContext } from '../../api/registry.ts';
import type { ExplainNode, Route } from '../../api/router.ts';
import type { Address, ConnectionInfo, SslConnectionInfo, StreamInfo } from '../../api/stream_info.ts';
import { allOf, anyOf, leaf } from '../matcher/explain.ts';
import { compileFilterStateMatcher } from '../matcher/filter_state_matcher.ts';
import { compileHeaderMatcher } from '../matcher/header_matcher.ts';
import { type PathTemplateMatcher, withoutQuery } from '../matcher/path_matcher.ts';
import { compileStringMatcher, type StringMatcher } from '../matcher/string_matcher.ts';
import { compileMetadataMatcher, type MetadataSource } from '../matcher/value_matcher.ts';
import { CidrRange, type CidrRangeMessage } from '../network/address.ts';

/** What is judged: a connection, or a request on one. */
export interface RbacSubject {
  readonly connection: ConnectionInfo;
  readonly streamInfo: StreamInfo;
  /** Undefined for connections. */
  readonly headers: RequestHeaderMap | undefined;
}

export interface RbacMatcher {
  match(subject: RbacSubject): boolean;
  /** Cold twin of `match`. */
  explain(subject: RbacSubject): ExplainNode;
}

/** Where rules stand: those on headers are refused in a network filter. */
export type RbacLayer = 'network' | 'http';

export interface RbacSite {
  readonly layer: RbacLayer;
  readonly context: FactoryContext;
}

class Condition implements RbacMatcher {
  readonly #what: string;
  readonly #test: (subject: RbacSubject) => boolean;
  readonly #value: (subject: RbacSubject) => string;

  constructor(
    what: string,
    test: (subject: RbacSubject) => boolean,
    value: (subject: RbacSubject) => string,
  ) {
    this.#what = what;
    this.#test = test;
    this.#value = value;
  }

  match(subject: RbacSubject): boolean {
    return this.#test(subject);
  }

  explain(subject: RbacSubject): ExplainNode {
    return leaf(this.#what, this.match(subject), this.#value(subject));
  }
}

export class AndMatcher implements RbacMatcher {
  readonly #parts: readonly RbacMatcher[];

  constructor(parts: readonly RbacMatcher[]) {
    this.#parts = parts;
  }

  match(subject: RbacSubject): boolean {
    for (const part of this.#parts) if (!part.match(subject)) return false;
    return true;
  }

  explain(subject: RbacSubject): ExplainNode {
    return allOf(
      'all of',
      this.#parts.map((part) => part.explain(subject)),
    );
  }
}

export class OrMatcher implements RbacMatcher {
  readonly #parts: readonly RbacMatcher[];

  constructor(parts: readonly RbacMatcher[]) {
    this.#parts = parts;
  }

  match(subject: RbacSubject): boolean {
    for (const part of this.#parts) if (part.match(subject)) return true;
    return false;
  }

  explain(subject: RbacSubject): ExplainNode {
    return anyOf(
      'one of',
      this.#parts.map((part) => part.explain(subject)),
    );
  }
}

class NotMatcher implements RbacMatcher {
  readonly #part: RbacMatcher;

  constructor(part: RbacMatcher) {
    this.#part = part;
  }

  match(subject: RbacSubject): boolean {
    return !this.#part.match(subject);
  }

  explain(subject: RbacSubject): ExplainNode {
    const child = this.#part.explain(subject);
    return { what: 'not', matched: !child.matched, reason: child.reason, children: [child] };
  }
}

/** Throws ConfigError for rules that cannot be honoured in this layer. */
function compilePermission(config: Permission, site: RbacSite, path: string): RbacMatcher {
  if (config.and_rules !== undefined) {
    return new AndMatcher(permissions(config.and_rules.rules, site, at(path, 'and_rules.rules')));
  }
  if (config.or_rules !== undefined) {
    return new OrMatcher(permissions(config.or_rules.rules, site, at(path, 'or_rules.rules')));
  }
  if (config.not_rule !== undefined) {
    return new NotMatcher(compilePermission(config.not_rule, site, at(path, 'not_rule')));
  }
  if (config.any !== undefined) return anything(config.any);
  if (config.header !== undefined) return header(config.header, site, at(path, 'header'));
  if (config.url_path !== undefined) return urlPath(config.url_path, at(path, 'url_path'));
  if (config.destination_ip !== undefined) {
    return inRange('destination IP', config.destination_ip, localAddress, at(path, 'destination_ip'));
  }
  if (config.destination_port !== undefined) {
    return portRange(config.destination_port, config.destination_port + 1);
  }
  if (config.destination_port_range !== undefined) {
    return portRange(config.destination_port_range.start, config.destination_port_range.end);
  }
  if (config.metadata !== undefined) return metadata(config.metadata, at(path, 'metadata'));
  if (config.sourced_metadata !== undefined) {
    return sourcedMetadata(config.sourced_metadata, at(path, 'sourced_metadata'));
  }
  if (config.uri_template !== undefined)
    return uriTemplate(config.uri_template, site, at(path, 'uri_template'));
  if (config.requested_server_name !== undefined) {
    const matcher = compileStringMatcher(config.requested_server_name, at(path, 'requested_server_name'));
    return onText('requested server name', matcher, ({ connection }) => connection.requestedServerName);
  }
  throw unsupported(config, path);
}

export function permissions(list: readonly Permission[], site: RbacSite, path: string): RbacMatcher[] {
  return list.map((one, index) => compilePermission(one, site, at(path, index)));
}

/** Throws ConfigError for identifiers that cannot be honoured in this layer. */
function compilePrincipal(config: Principal, site: RbacSite, path: string): RbacMatcher {
  if (config.and_ids !== undefined) {
    return new AndMatcher(principals(config.and_ids.ids, site, at(path, 'and_ids.ids')));
  }
  if (config.or_ids !== undefined) {
    return new OrMatcher(principals(config.or_ids.ids, site, at(path, 'or_ids.ids')));
  }
  if (config.not_id !== undefined)
    return new NotMatcher(compilePrincipal(config.not_id, site, at(path, 'not_id')));
  if (config.any !== undefined) return anything(config.any);
  if (config.authenticated !== undefined) {
    const name = config.authenticated.principal_name;
    const where = at(path, 'authenticated.principal_name');
    return authenticated(name === undefined ? undefined : compileStringMatcher(name, where));
  }
  if (config.source_ip !== undefined) {
    return inRange(
      'source IP',
      config.source_ip,
      ({ connection }) => connection.remoteAddress,
      at(path, 'source_ip'),
    );
  }
  if (config.direct_remote_ip !== undefined) {
    const where = at(path, 'direct_remote_ip');
    return inRange(
      'direct remote IP',
      config.direct_remote_ip,
      ({ connection }) => connection.directRemoteAddress,
      where,
    );
  }
  if (config.remote_ip !== undefined) {
    return inRange(
      'remote IP',
      config.remote_ip,
      ({ streamInfo }) => streamInfo.remoteAddress,
      at(path, 'remote_ip'),
    );
  }
  if (config.header !== undefined) return header(config.header, site, at(path, 'header'));
  if (config.url_path !== undefined) return urlPath(config.url_path, at(path, 'url_path'));
  if (config.metadata !== undefined) return metadata(config.metadata, at(path, 'metadata'));
  if (config.sourced_metadata !== undefined) {
    return sourcedMetadata(config.sourced_metadata, at(path, 'sourced_metadata'));
  }
  if (config.filter_state !== undefined) return filterState(config.filter_state, at(path, 'filter_state'));
  throw unsupported(config, path);
}

export function principals(list: readonly Principal[], site: RbacSite, path: string): RbacMatcher[] {
  return list.map((one, index) => compilePrincipal(one, site, at(path, index)));
}

function unsupported(config: object, path: string): ConfigError {
  const [field] = Object.keys(config);
  return new ConfigError(field === undefined ? path : at(path, field), 'this rule is not supported');
}

function localAddress({ connection }: RbacSubject): Address {
  return connection.localAddress;
}

function anything(value: boolean): RbacMatcher {
  return new Condition(
    'anything',
    () => value,
    () => 'always holds',
  );
}

function onText(what: string, matcher: StringMatcher, text: (subject: RbacSubject) => string): RbacMatcher {
  return new Condition(
    `${what} ${matcher.describe()}`,
    (subject) => matcher.match(text(subject)),
    (subject) => `the value is '${text(subject)}'`,
  );
}

function inRange(
  what: string,
  config: CidrRangeMessage,
  address: (subject: RbacSubject) => Address,
  path: string,
): RbacMatcher {
  const range = CidrRange.compile(config, path);
  return new Condition(
    `${what} in ${range.text}`,
    (subject) => range.containsAddress(address(subject)),
    (subject) => `it is ${address(subject).ip}`,
  );
}

/** `end` is not part of the range. */
function portRange(start: number, end: number): RbacMatcher {
  return new Condition(
    `destination port in [${start}, ${end})`,
    ({ connection: { localAddress } }) =>
      localAddress.ip !== '' && localAddress.port >= start && localAddress.port < end,
    ({ connection }) => `it is ${connection.localAddress.port}`,
  );
}

function header(
  config: Parameters<typeof compileHeaderMatcher>[0],
  site: RbacSite,
  path: string,
): RbacMatcher {
  if (site.layer === 'network')
    throw new ConfigError(path, 'Found header rule, not supported by RBAC network filter');
  const matcher = compileHeaderMatcher(config, path);
  return new Condition(
    `header ${config.name}`,
    ({ headers }) => headers !== undefined && matcher.match(headers),
    ({ headers }) => `the value is '${headers?.get(config.name) ?? ''}'`,
  );
}

/** A connection has no path: the rule holds for none. */
function urlPath(config: PathMatcher, path: string): RbacMatcher {
  if (config.path === undefined) throw new ConfigError(at(path, 'path'), 'value is required');
  const matcher = compileStringMatcher(config.path, at(path, 'path'));
  return new Condition(
    `path ${matcher.describe()}`,
    ({ headers }) => headers !== undefined && matcher.match(withoutQuery(headers.path)),
    ({ headers }) => `the value is '${headers?.path ?? ''}'`,
  );
}

function metadata(config: Parameters<typeof compileMetadataMatcher>[0], path: string): RbacMatcher {
  const matcher = compileMetadataMatcher(config, path);
  return {
    match: ({ streamInfo }) => matcher.match(streamInfo.dynamicMetadata),
    explain: ({ streamInfo }) => matcher.explain(streamInfo.dynamicMetadata),
  };
}

function sourcedMetadata(config: SourcedMetadata, path: string): RbacMatcher {
  const where = at(path, 'metadata_matcher');
  if (config.metadata_matcher === undefined) throw new ConfigError(where, 'value is required');
  if (config.metadata_source !== 'ROUTE') return metadata(config.metadata_matcher, where);
  const matcher = compileMetadataMatcher(config.metadata_matcher, where);
  return {
    match: ({ streamInfo: { route } }) => route !== undefined && matcher.match(routeMetadata(route)),
    explain: ({ streamInfo: { route } }) =>
      route === undefined
        ? leaf('metadata of the route', false, 'there is no route')
        : matcher.explain(routeMetadata(route)),
  };
}

function routeMetadata({ metadata }: Route): MetadataSource {
  return { get: (namespace) => metadata?.[namespace] };
}

function filterState(config: FilterStateMatcherConfig, path: string): RbacMatcher {
  const matcher = compileFilterStateMatcher(config, path);
  return {
    match: ({ streamInfo }) => matcher.match(streamInfo),
    explain: ({ streamInfo }) => matcher.explain(streamInfo),
  };
}

function uriTemplate(
  { name, typed_config: config }: { readonly name: string; readonly typed_config?: AnyMessage | undefined },
  { context }: RbacSite,
  path: string,
): RbacMatcher {
  const resolved = context.registry.resolve('envoy.path.match', name, config, path);
  const matcher = resolved.factory.compile(resolved.config, context, path) as PathTemplateMatcher;
  return new Condition(
    `path matches the template ${matcher.template}`,
    ({ headers }) => headers !== undefined && matcher.match(withoutQuery(headers.path)),
    ({ headers }) => `the value is '${headers?.path ?? ''}'`,
  );
}

/** URI names, then DNS names, then the subject. Without a matcher every TLS connection is authenticated. */
function authenticated(matcher: StringMatcher | undefined): RbacMatcher {
  return new Condition(
    `authenticated${matcher === undefined ? '' : ` as a name that ${matcher.describe()}`}`,
    ({ connection: { ssl } }) => {
      if (ssl === undefined) return false;
      return matcher === undefined || namesOf(ssl).some((name) => matcher.match(name));
    },
    ({ connection: { ssl } }) => (ssl === undefined ? 'there is no TLS' : `it is ${namesOf(ssl).join(', ')}`),
  );
}

function namesOf(ssl: SslConnectionInfo): string[] {
  return [...ssl.uriSanPeer, ...ssl.dnsSanPeer, ssl.subjectPeer];
}
