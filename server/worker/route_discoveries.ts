// Streams of one worker that wait for routes that the main thread is to ask control planes for.
// Envoy: the callbacks of RdsRouteConfigProviderImpl and ScopedRdsConfigSubscription.

import type { RouteDiscovery, RouteDiscoveryKind, RouteDiscoveryWaiter } from '../api/router.ts';

type Ask = (of: RouteDiscoveryKind, owner: string, name: string) => void;

export class WorkerRouteDiscoveries {
  private readonly waiting = new Map<string, Set<RouteDiscoveryWaiter>>();
  private readonly ask: Ask;

  constructor(ask: Ask) {
    this.ask = ask;
  }

  of(kind: RouteDiscoveryKind, owner: string): RouteDiscovery {
    return Object.freeze({
      request: (name: string, waiter: RouteDiscoveryWaiter) => this.request(kind, owner, name, waiter),
    });
  }

  private request(
    kind: RouteDiscoveryKind,
    owner: string,
    name: string,
    waiter: RouteDiscoveryWaiter,
  ): () => void {
    const key = keyOf(kind, owner, name);
    let waiters = this.waiting.get(key);
    if (waiters === undefined) {
      this.waiting.set(key, (waiters = new Set()));
      // The first asks for all.
      this.ask(kind, owner, name);
    }
    waiters.add(waiter);
    return () => {
      const left = this.waiting.get(key);
      if (left?.delete(waiter) && left.size === 0) this.waiting.delete(key);
    };
  }

  /** They came, or are known not to exist. */
  settle(kind: RouteDiscoveryKind, owner: string, name: string): void {
    const key = keyOf(kind, owner, name);
    const waiters = this.waiting.get(key);
    if (waiters === undefined) return;
    this.waiting.delete(key);
    for (const waiter of waiters) waiter.onRoutesDiscovered();
  }
}

function keyOf(kind: RouteDiscoveryKind, owner: string, name: string): string {
  return `${kind} ${owner}/${name}`;
}
