// RouteAction.hash_policy, compiled: the key that ring hash, Maglev and subsets of weights go by.
// Envoy: source/common/http/hash_policy.cc.

import type {
  RouteAction_HashPolicy,
  RouteAction_HashPolicy_Cookie,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { xxHash64, xxHash64All } from '../hash/xx_hash_64.ts';
import { cookieSuffix, cookieValue } from '../http/cookie.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { queryParameter } from '../matcher/query_parameter_matcher.ts';
import { type CompiledRegex, compileRegex, Substitution } from '../matcher/regex.ts';

/** One entry of the list. `setCookies` takes the set-cookie values of generated cookies. */
interface HashMethod {
  readonly terminal: boolean;
  evaluate(headers: RequestHeaderMap, info: StreamInfo, setCookies: string[] | undefined): bigint | undefined;
}

export class HashPolicy {
  private readonly methods: readonly HashMethod[];

  constructor(methods: readonly HashMethod[]) {
    this.methods = methods;
  }

  generateHash(headers: RequestHeaderMap, info: StreamInfo, setCookies?: string[]): bigint | undefined {
    let hash: bigint | undefined;
    for (const method of this.methods) {
      const next = method.evaluate(headers, info, setCookies);
      // The rotation keeps two equal hashes from cancelling each other out.
      if (next !== undefined) hash = hash === undefined ? next : rotateLeft(hash) ^ next;
      if (method.terminal && hash !== undefined) break;
    }
    return hash;
  }
}

function rotateLeft(hash: bigint): bigint {
  return BigInt.asUintN(64, hash << 1n) | (hash >> 63n);
}

class HeaderHashMethod implements HashMethod {
  readonly terminal: boolean;
  private readonly name: string;
  private readonly regex: CompiledRegex | undefined;
  private readonly substitution: Substitution | undefined;

  constructor(terminal: boolean, name: string, regex?: CompiledRegex, substitution?: Substitution) {
    this.terminal = terminal;
    this.name = name;
    this.regex = regex;
    this.substitution = substitution;
  }

  evaluate(headers: RequestHeaderMap): bigint | undefined {
    const first = headers.get(this.name);
    if (first === undefined) return undefined;
    const values: string[] = [];
    const list = headers.list;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === this.name) values.push(this.rewrite(list[i + 1]));
    }
    if (values.length === 0) values.push(this.rewrite(first));
    // The order of repeated headers must not matter.
    return xxHash64All(values.length === 1 ? values : values.sort());
  }

  private rewrite(value: string): string {
    return this.regex === undefined ? value : this.regex.replaceAll(value, this.substitution!);
  }
}

class CookieHashMethod implements HashMethod {
  readonly terminal: boolean;
  private readonly name: string;
  /** What follows the value in set-cookie; undefined when no cookie is to be generated. */
  private readonly suffix: string | undefined;

  constructor(terminal: boolean, config: RouteAction_HashPolicy_Cookie) {
    this.terminal = terminal;
    this.name = latin1Of(config.name);
    this.suffix = config.ttl && cookieSuffix(config, config.ttl.seconds);
  }

  evaluate(
    headers: RequestHeaderMap,
    info: StreamInfo,
    setCookies: string[] | undefined,
  ): bigint | undefined {
    let value = cookieValue(headers, this.name) ?? '';
    if (value === '' && this.suffix !== undefined && setCookies !== undefined) {
      // The same for all streams of a connection, so that streams that race get one cookie.
      const { remoteAddress, localAddress } = info.connection;
      value = xxHash64(remoteAddress.text + localAddress.text)
        .toString(16)
        .padStart(16, '0');
      setCookies.push(`${this.name}="${value}"${this.suffix}`);
    }
    return value === '' ? undefined : xxHash64(value);
  }
}

class IpHashMethod implements HashMethod {
  readonly terminal: boolean;
  constructor(terminal: boolean) {
    this.terminal = terminal;
  }
  evaluate(_headers: RequestHeaderMap, info: StreamInfo): bigint | undefined {
    const ip = info.remoteAddress.ip;
    return ip === '' ? undefined : xxHash64(ip);
  }
}

class QueryParameterHashMethod implements HashMethod {
  readonly terminal: boolean;
  private readonly name: string;
  constructor(terminal: boolean, name: string) {
    this.terminal = terminal;
    this.name = name;
  }
  evaluate(headers: RequestHeaderMap): bigint | undefined {
    const value = queryParameter(headers.path, this.name);
    return value === undefined ? undefined : xxHash64(value);
  }
}

class FilterStateHashMethod implements HashMethod {
  readonly terminal: boolean;
  private readonly key: string;
  constructor(terminal: boolean, key: string) {
    this.terminal = terminal;
    this.key = key;
  }
  evaluate(_headers: RequestHeaderMap, info: StreamInfo): bigint | undefined {
    const object = info.filterState?.get(this.key);
    return object && xxHash64(latin1Of(object.serializeAsString()));
  }
}

/** Undefined for an empty list. */
export function compileHashPolicy(
  configs: readonly RouteAction_HashPolicy[],
  path: string,
): HashPolicy | undefined {
  const methods = configs.flatMap((config, i) => compileMethod(config, at(at(path, 'hash_policy'), i)));
  return configs.length === 0 ? undefined : new HashPolicy(methods);
}

function compileMethod(config: RouteAction_HashPolicy, path: string): readonly HashMethod[] {
  const { terminal, header } = config;
  if (header !== undefined) {
    const name = headerName(header.header_name);
    const rewrite = header.regex_rewrite;
    if (rewrite === undefined) return [new HeaderHashMethod(terminal, name)];
    const inside = at(path, 'header.regex_rewrite');
    const regex = compileRegex(rewrite.pattern, at(inside, 'pattern'));
    return [new HeaderHashMethod(terminal, name, regex, new Substitution(rewrite.substitution))];
  }
  if (config.cookie !== undefined) return [new CookieHashMethod(terminal, config.cookie)];
  if (config.connection_properties !== undefined) {
    return config.connection_properties.source_ip ? [new IpHashMethod(terminal)] : [];
  }
  if (config.query_parameter !== undefined) {
    return [new QueryParameterHashMethod(terminal, latin1Of(config.query_parameter.name))];
  }
  if (config.filter_state !== undefined)
    return [new FilterStateHashMethod(terminal, config.filter_state.key)];
  throw new ConfigError(path, 'policy_specifier must be specified');
}
