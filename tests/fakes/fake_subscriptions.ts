// A SubscriptionFactory for tests: records what is subscribed and lets the test answer.

import type {
  DiscoveredResource,
  RejectedResource,
  Subscription,
  SubscriptionCallbacks,
  SubscriptionFactory,
} from '../../server/main/xds/subscription.ts';

export class FakeSubscriptions implements SubscriptionFactory {
  readonly #open = new Map<string, SubscriptionCallbacks>();

  subscribe(
    _configSource: object,
    typeUrl: string,
    names: ReadonlySet<string> | undefined,
    callbacks: SubscriptionCallbacks,
  ): Subscription {
    const key = `${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)}/${[...(names ?? ['*'])].join()}`;
    this.#open.set(key, callbacks);
    return { updateResourceInterest: () => undefined, close: () => this.#open.delete(key) };
  }

  /** Such as `Cluster/*`, `ClusterLoadAssignment/a`, in the order they were made. */
  get open(): string[] {
    return [...this.#open.keys()];
  }

  /** Answers a subscription; the result is what the NACK would name. */
  answer(
    key: string,
    added: readonly DiscoveredResource[],
    {
      removed = [],
      full = false,
      version = '1',
    }: { removed?: string[]; full?: boolean; version?: string } = {},
  ): readonly RejectedResource[] {
    return this.#callbacks(key).onConfigUpdate(added, removed, full, version);
  }

  fail(key: string, reason: 'fetch_timeout' | 'connection' | 'rejected'): void {
    this.#callbacks(key).onConfigUpdateFailed(reason, 'test');
  }

  #callbacks(key: string): SubscriptionCallbacks {
    const callbacks = this.#open.get(key);
    if (callbacks === undefined)
      throw new Error(`${key} is not subscribed; there are ${this.open.join(' ')}`);
    return callbacks;
  }
}
