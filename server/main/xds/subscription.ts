// What a consumer of xDS (the configuration store) and a transport (ADS, a stream per type, REST, a file) agree on.
// Envoy: envoy/config/subscription.h.

/** A resource as it came. `bytes` is the Resource's Any value; `version` the resource's own (delta) or the response's. */
export interface DiscoveredResource {
  readonly name: string;
  readonly typeUrl: string;
  readonly version: string;
  /** Empty where the server says that there is no such resource (virtual hosts that were asked for). */
  readonly bytes: Uint8Array;
  /** Other names by which it was asked for. */
  readonly aliases?: readonly string[];
  /** ms until it expires, 0 = never. The subscription calls onConfigUpdate with the name in `removed` when it does. */
  readonly ttlMs: number;
}

/** Why one resource was refused. `path` is the field path in it. */
export interface RejectedResource {
  readonly name: string;
  readonly path: string;
  readonly reason: string;
}

export interface SubscriptionCallbacks {
  /**
   * New state. `full` is true for SotW LDS and CDS and for files: what is not in `added` is gone. Good resources are applied
   * whatever the answer; a non-empty answer becomes a NACK that names each.
   */
  onConfigUpdate(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    systemVersion: string,
  ): readonly RejectedResource[];
  /** `fetch_timeout`: initial_fetch_timeout passed; `connection`: the stream failed (last good state serves); `rejected`: the response could not be decoded at all. */
  onConfigUpdateFailed(reason: 'fetch_timeout' | 'connection' | 'rejected', details: string): void;
}

export interface Subscription {
  /** Replaces the set of names asked for. `undefined` is the wildcard. */
  updateResourceInterest(names: ReadonlySet<string> | undefined): void;
  close(): void;
}

/** Makes subscriptions; knows ADS and every ConfigSource. */
export interface SubscriptionFactory {
  /**
   * A name that ends with `/` stands for all below it, and is not asked for itself: see ResourceType.namespaces.
   * `configSource` is a decoded envoy.config.core.v3.ConfigSource, `typeUrl` without or with `type.googleapis.com/`.
   * Throws ConfigError when the source cannot be honoured. Nothing is sent before the call stack unwinds.
   */
  subscribe(
    configSource: object,
    typeUrl: string,
    names: ReadonlySet<string> | undefined,
    callbacks: SubscriptionCallbacks,
    statPrefix: string,
    path: string,
  ): Subscription;
}
