// Resolves names with the families and resolvers a cluster asks for. Names in /etc/hosts and literal addresses are
// understood, as c-ares does for Envoy (source/extensions/network/dns_resolver/cares/dns_impl.cc).

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isSecretName, localAddresses } from './local_names.ts';
import { NameServers } from './name_servers.ts';
import { NO_SEARCH, type SearchList, searchedNames, systemSearchList } from './search_list.ts';

export type LookupFamily = 'AUTO' | 'V4_ONLY' | 'V6_ONLY' | 'V4_PREFERRED' | 'ALL';

export interface ResolverSettings {
  readonly family: LookupFamily;
  /** `1.2.3.4:53`; empty: the system's. */
  readonly servers: readonly string[];
  /** Ask `servers` only when the system has none of its own. */
  readonly fallback: boolean;
  /** Answers carry the TTL of the records. */
  readonly ttl: boolean;
  readonly timeoutMs: number;
  readonly tries: number;
  /** Try names with the search domains of the system. */
  readonly search: boolean;
  /** Begin with any of the servers, not always with the first. */
  readonly rotate: boolean;
  /** Ask for no addresses of a family that no interface has one of. */
  readonly filterUnroutable: boolean;
  /** Ask over TCP alone. */
  readonly tcp: boolean;
}

export interface Resolution {
  /** IP addresses in the order of the answer; empty when the name has none. */
  readonly addresses: readonly string[];
  /** ms that the answer may be used; undefined when it did not say. */
  readonly ttlMs: number | undefined;
  /** Why there are no addresses, in c-ares' words; '' where there are. */
  readonly details: string;
}

const NO_RECORDS: Resolution = { addresses: [], ttlMs: undefined, details: '' };
/** The name does not exist or has no record of the family: an answer, not a failure. */
const NO_RECORD_CODES = new Set(['ENOTFOUND', 'ENODATA']);
/** Source: ares_strerror(3). */
const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'Domain name not found',
  ENODATA: 'DNS server returned answer with no data',
  EFORMERR: 'DNS server claims query was misformatted',
  ESERVFAIL: 'DNS server returned general failure',
  ENOTIMP: 'DNS server does not implement requested operation',
  EREFUSED: 'DNS server refused query',
  ECONNREFUSED: 'Could not contact DNS servers',
  ETIMEOUT: 'Timeout while contacting DNS servers',
};

/** A failure as Envoy tells it. */
export function failureDetails(error: NodeJS.ErrnoException): string {
  return `cares_failure:${WORDS[error.code ?? ''] ?? error.message}`;
}

export class DnsResolver {
  readonly #settings: ResolverSettings;
  /** Undefined: getaddrinfo of the system, which knows search domains and /etc/hosts itself. */
  readonly #servers: NameServers | undefined;
  readonly #search: SearchList;

  constructor(settings: ResolverSettings) {
    this.#settings = settings;
    const { servers, fallback, ttl, search, rotate, tcp } = settings;
    this.#search = search ? systemSearchList() : NO_SEARCH;
    if ((servers.length > 0 && !fallback) || ttl || !search || rotate || tcp)
      this.#servers = new NameServers(settings);
  }

  /** Rejects when there was no answer (a timeout, a server's failure). */
  async resolve(name: string): Promise<Resolution> {
    if (isIP(name) !== 0) return { addresses: [name], ttlMs: undefined, details: '' };
    switch (this.#settings.family) {
      case 'V4_ONLY':
        return this.#query(name, [4]);
      case 'V6_ONLY':
        return this.#query(name, [6]);
      case 'ALL':
        return this.#query(name, [4, 6]);
      case 'V4_PREFERRED':
        return this.#firstOf(name, 4, 6);
      default:
        return this.#firstOf(name, 6, 4);
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#servers?.cancel();
  }

  async #firstOf(name: string, first: 4 | 6, second: 4 | 6): Promise<Resolution> {
    const preferred = await this.#query(name, [first]).catch(() => NO_RECORDS);
    return preferred.addresses.length > 0 ? preferred : this.#query(name, [second]);
  }

  async #query(name: string, wanted: readonly (4 | 6)[]): Promise<Resolution> {
    const families = wanted.filter((family) => this.#mayAsk(family));
    if (families.length === 0) return NO_RECORDS;
    const servers = this.#servers;
    if (servers === undefined) return this.#each(families, (family) => this.#lookup(name, family));
    const local = await localAddresses(name, families);
    if (local.length > 0) return { ...NO_RECORDS, addresses: local };
    const found = await this.#searched(servers, name, families);
    // The system may know names from elsewhere.
    const { servers: own, search } = this.#settings;
    if (found.addresses.length > 0 || own.length > 0 || !search) return found;
    return this.#each(families, (family) => this.#lookup(name, family));
  }

  /** Is there a way to such addresses? Loopback interfaces do not count. */
  #mayAsk(family: 4 | 6): boolean {
    if (!this.#settings.filterUnroutable) return true;
    const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    return interfaces.some((one) => !one.internal && one.family === `IPv${family}`);
  }

  /** Asks for one name after the other until one has records. A server's failure ends it, as in c-ares. */
  async #searched(servers: NameServers, name: string, families: readonly (4 | 6)[]): Promise<Resolution> {
    let found = NO_RECORDS;
    if (isSecretName(name)) return found;
    for (const each of searchedNames(name, this.#search)) {
      found = await this.#each(families, (family) => this.#records(servers, each, family));
      if (found.addresses.length > 0) break;
    }
    return found;
  }

  async #each(
    families: readonly (4 | 6)[],
    ask: (family: 4 | 6) => Promise<Resolution>,
  ): Promise<Resolution> {
    return merge(await Promise.all(families.map((family) => withoutRecords(ask(family)))));
  }

  async #lookup(name: string, family: 4 | 6): Promise<Resolution> {
    const found = await lookup(name, { family, all: true });
    return { addresses: found.map(({ address }) => address), ttlMs: undefined, details: '' };
  }

  async #records(servers: NameServers, name: string, family: 4 | 6): Promise<Resolution> {
    const records = await servers.ask(name, family);
    const ttl = Math.min(...records.map((record) => record.ttl));
    return {
      addresses: records.map((record) => record.address),
      ttlMs: Number.isFinite(ttl) ? ttl * 1000 : undefined,
      details: '',
    };
  }
}

async function withoutRecords(answer: Promise<Resolution>): Promise<Resolution> {
  try {
    return await answer;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!NO_RECORD_CODES.has(code)) throw error;
    return { ...NO_RECORDS, details: `cares_norecords:${WORDS[code]}` };
  }
}

function merge(parts: readonly Resolution[]): Resolution {
  const ttls = parts.flatMap(({ ttlMs }) => (ttlMs === undefined ? [] : [ttlMs]));
  return {
    addresses: parts.flatMap(({ addresses }) => addresses),
    ttlMs: ttls.length > 0 ? Math.min(...ttls) : undefined,
    details: parts.find(({ details }) => details !== '')?.details ?? '',
  };
}
