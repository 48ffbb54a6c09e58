// The name servers of a configuration or of the system: node's resolvers over them, in turn where that is asked for, or TCP.

import { Resolver } from 'node:dns/promises';
import { createRequire } from 'node:module';
import type { ResolverSettings } from './dns_resolver.ts';
import type { AddressRecord } from './tcp_name_server.ts';

const require = createRequire(import.meta.url);
const DNS_PORT = 53;
/** Another server would say the same. */
const FINAL = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

export class NameServers {
  readonly #settings: ResolverSettings;
  /** Each server first, once; only one order without rotation. Empty: those of the system. */
  readonly #orders: readonly (readonly string[])[];
  /** One for each order: node asks the servers of one in turn. */
  readonly #resolvers: readonly Resolver[];
  #closed = false;

  constructor(settings: ResolverSettings) {
    const { servers, fallback, timeoutMs, tries, rotate, tcp } = settings;
    this.#settings = settings;
    const own = servers.length > 0 && !fallback ? servers : [];
    const all = own.length > 0 || !(rotate || tcp) ? own : new Resolver().getServers();
    this.#orders =
      rotate && all.length > 1 ? all.map((_, first) => [...all.slice(first), ...all.slice(0, first)]) : [all];
    this.#resolvers = this.#orders.map((order) => {
      const resolver = new Resolver({ timeout: timeoutMs, tries });
      if (order.length > 0) resolver.setServers(order);
      return resolver;
    });
  }

  /** Rejects where there is no record, or no answer. */
  ask(name: string, family: 4 | 6): Promise<readonly AddressRecord[]> {
    const any = Math.floor(Math.random() * this.#orders.length);
    if (this.#settings.tcp) return this.#askOverTcp(this.#orders[any]!, name, family);
    const resolver = this.#resolvers[any]!;
    return family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
  }

  async #askOverTcp(servers: readonly string[], name: string, family: 4 | 6): Promise<AddressRecord[]> {
    const { askOverTcp } = require('./tcp_name_server.ts') as typeof import('./tcp_name_server.ts');
    const { tries, timeoutMs } = this.#settings;
    let last: unknown = Object.assign(new Error('no name server'), { code: 'ECONNREFUSED' });
    for (let attempt = 0; attempt < tries && !this.#closed; attempt++)
      for (const server of servers) {
        try {
          return await askOverTcp(withPort(server), name, family, timeoutMs);
        } catch (error) {
          last = error;
          if (FINAL.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
        }
      }
    throw last;
  }

  /** Ends what is under way. */
  cancel(): void {
    this.#closed = true;
    for (const resolver of this.#resolvers) resolver.cancel();
  }
}

/** node leaves the usual port out. */
function withPort(server: string): string {
  if (/^[\d.]+$/.test(server)) return `${server}:${DNS_PORT}`;
  return server.startsWith('[') || /^[\d.]+:\d+$/.test(server) ? server : `[${server}]:${DNS_PORT}`;
}
