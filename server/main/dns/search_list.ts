// Names that a resolver tries for one: with the search domains of the system, as c-ares does. Read when a resolver is made.
// Source: resolv.conf(5), and ares_search and ares_init_by_environment of c-ares.

import { readFileSync } from 'node:fs';
import os from 'node:os';

export interface SearchList {
  readonly domains: readonly string[];
  /** Names with so many dots are tried as they are first. */
  readonly ndots: number;
}

export const NO_SEARCH: SearchList = { domains: [], ndots: 1 };

/** Of this system. LOCALDOMAIN and RES_OPTIONS of the environment go before /etc/resolv.conf. */
export function systemSearchList(): SearchList {
  const { LOCALDOMAIN, RES_OPTIONS } = process.env;
  const file = parseResolvConf(read('/etc/resolv.conf'));
  const own = LOCALDOMAIN?.trim().split(/\s+/)[0];
  const domains = own ? [own] : file.domains;
  return {
    domains: domains.length > 0 ? domains : domainOf(os.hostname()),
    ndots: ndotsOf(RES_OPTIONS ?? '') ?? file.ndots,
  };
}

/** The last of `search` and `domain` counts. */
export function parseResolvConf(text: string): SearchList {
  let domains: readonly string[] = [];
  let ndots = NO_SEARCH.ndots;
  for (const line of text.split('\n')) {
    const [keyword, ...rest] = line.trim().split(/[\s,]+/);
    if (keyword === 'search') domains = rest;
    else if (keyword === 'domain') domains = rest.slice(0, 1);
    else if (keyword === 'options') ndots = ndotsOf(rest.join(' ')) ?? ndots;
  }
  return { domains: domains.filter((domain) => domain !== '.'), ndots };
}

/** In the order in which they are asked for. */
export function searchedNames(name: string, { domains, ndots }: SearchList): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const dots = name.split('.').length - 1;
  const searched = domains.map((domain) => `${name}.${domain}`);
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}

function ndotsOf(options: string): number | undefined {
  const found = /\bndots:(\d{1,2})/.exec(options);
  return found === null ? undefined : Number(found[1]);
}

function domainOf(host: string): string[] {
  const dot = host.indexOf('.');
  return dot < 0 ? [] : [host.slice(dot + 1)];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
