// node's resolvers over the servers of a configuration or of the system, in turn where that is asked for.

import { Resolver } from 'node:dns/promises';
import type { ResolverSettings } from './dns_resolver.ts';

export class NameServers {
  /** One for each server to begin with; only one without rotation: node asks the servers of one in order. */
  readonly #resolvers: readonly Resolver[];

  constructor({ servers, fallback, timeoutMs, tries, rotate }: ResolverSettings) {
    const create = (order: readonly string[]): Resolver => {
      const resolver = new Resolver({ timeout: timeoutMs, tries });
      if (order.length > 0) resolver.setServers(order);
      return resolver;
    };
    const own = servers.length > 0 && !fallback ? servers : [];
    const all = own.length > 0 || !rotate ? own : create([]).getServers();
    this.#resolvers =
      rotate && all.length > 1
        ? all.map((_, first) => create([...all.slice(first), ...all.slice(0, first)]))
        : [create(own)];
  }

  /** Any of them. */
  get resolver(): Resolver {
    return this.#resolvers[Math.floor(Math.random() * this.#resolvers.length)]!;
  }

  /** Ends what is under way. */
  cancel(): void {
    for (const resolver of this.#resolvers) resolver.cancel();
  }
}
