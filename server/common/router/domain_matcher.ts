// Which virtual host a request's host belongs to: exact, then *suffix, then prefix*, the longest first, then `*`.
// Envoy: RouteMatcher in source/common/router/config_impl.cc.

import { ConfigError } from '../../api/config_error.ts';
import { getPortStart } from '../http/path_utility.ts';
import { lowerCase } from '../matcher/string_matcher.ts';

/** Wildcards of one length. */
interface WildcardsOfLength<T> {
  readonly length: number;
  readonly byText: Map<string, T>;
}

export class DomainMatcher<T> {
  private readonly routeConfigName: string;
  private readonly ignorePort: boolean;
  private readonly exact = new Map<string, T>();
  /** Longest first. */
  private readonly suffixes: WildcardsOfLength<T>[] = [];
  private readonly prefixes: WildcardsOfLength<T>[] = [];
  private any: T | undefined;
  private onlyAny = true;
  // Requests to one listener mostly name the same host one after the other.
  private lastHost: string | undefined;
  private lastFound: T | undefined;

  constructor(routeConfigName: string, ignorePort: boolean) {
    this.routeConfigName = routeConfigName;
    this.ignorePort = ignorePort;
  }

  /** Only while compiling. Throws ConfigError for a domain that is there already. */
  add(configured: string, target: T, path: string): void {
    const domain = configured.toLowerCase();
    if (domain === '*') {
      if (this.any !== undefined) {
        throw new ConfigError(
          path,
          `Only a single wildcard domain is permitted in route ${this.routeConfigName}`,
        );
      }
      this.any = target;
      return;
    }
    this.onlyAny = false;
    const [map, text] = this.placeOf(domain);
    if (map.has(text)) {
      throw new ConfigError(
        path,
        `Only unique values for domains are permitted. Duplicate entry of domain ${domain} in route ${this.routeConfigName}`,
      );
    }
    map.set(text, target);
  }

  private placeOf(domain: string): [Map<string, T>, string] {
    if (domain.startsWith('*')) return [ofLength(this.suffixes, domain.length - 1), domain.slice(1)];
    if (domain.endsWith('*')) return [ofLength(this.prefixes, domain.length - 1), domain.slice(0, -1)];
    return [this.exact, domain];
  }

  find(host: string | undefined): T | undefined {
    if (this.onlyAny) return this.any;
    if (host === undefined) return undefined;
    if (host !== this.lastHost) {
      this.lastFound = this.search(this.normalize(host));
      this.lastHost = host;
    }
    return this.lastFound;
  }

  /** For people: why `find` finds what it finds. */
  reason(host: string | undefined): string {
    if (this.onlyAny)
      return this.any === undefined ? 'there is no virtual host' : 'there is only the domain *';
    if (host === undefined) return 'the request names no host';
    const name = this.normalize(host);
    const found = this.search(name);
    if (found === undefined) return `no domain matches '${name}'`;
    if (this.exact.has(name)) return `the domain '${name}' matches exactly`;
    const suffix = longest(this.suffixes, name, true);
    if (suffix !== undefined) return `the domain '*${suffix}' matches '${name}'`;
    const prefix = longest(this.prefixes, name, false);
    return prefix === undefined
      ? `only the domain * matches '${name}'`
      : `the domain '${prefix}*' matches '${name}'`;
  }

  private normalize(host: string): string {
    const port = this.ignorePort ? getPortStart(host) : -1;
    return lowerCase(port < 0 ? host : host.slice(0, port));
  }

  private search(host: string): T | undefined {
    const found = this.exact.get(host);
    if (found !== undefined) return found;
    for (const { length, byText } of this.suffixes) {
      // A wildcard stands for one character or more.
      const match = length < host.length ? byText.get(host.slice(host.length - length)) : undefined;
      if (match !== undefined) return match;
    }
    for (const { length, byText } of this.prefixes) {
      const match = length < host.length ? byText.get(host.slice(0, length)) : undefined;
      if (match !== undefined) return match;
    }
    return this.any;
  }
}

function longest<T>(
  wildcards: readonly WildcardsOfLength<T>[],
  host: string,
  suffix: boolean,
): string | undefined {
  for (const { length, byText } of wildcards) {
    const text = suffix ? host.slice(host.length - length) : host.slice(0, length);
    if (length < host.length && byText.has(text)) return text;
  }
  return undefined;
}

function ofLength<T>(wildcards: WildcardsOfLength<T>[], length: number): Map<string, T> {
  const existing = wildcards.find((entry) => entry.length === length);
  if (existing !== undefined) return existing.byText;
  const entry = { length, byText: new Map<string, T>() };
  wildcards.push(entry);
  wildcards.sort((a, b) => b.length - a.length);
  return entry.byText;
}
