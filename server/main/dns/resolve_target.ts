// One name of a DNS cluster, resolved again and again: after the refresh rate or the TTL, after a failure with back-off.
// Envoy: source/extensions/clusters/strict_dns/strict_dns_cluster.cc, ResolveTarget.

import { logger } from '../../common/log.ts';
import type { DnsConfig } from './dns_config.ts';
import type { DnsResolver, Resolution } from './dns_resolver.ts';

const log = logger('dns');

export class ResolveTarget {
  readonly name: string;
  /** The last answer; undefined before the first. A failure keeps it. */
  addresses: readonly string[] | undefined;
  /** An answer or a failure has come. */
  attempted = false;
  readonly #config: DnsConfig;
  readonly #resolver: DnsResolver;
  readonly #onResult: (target: ResolveTarget, succeeded: boolean) => void;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(
    name: string,
    config: DnsConfig,
    resolver: DnsResolver,
    onResult: (target: ResolveTarget, succeeded: boolean) => void,
  ) {
    this.name = name;
    this.#config = config;
    this.#resolver = resolver;
    this.#onResult = onResult;
  }

  start(): void {
    this.#resolver.resolve(this.name).then(
      (resolution) => this.#resolved(resolution),
      (error: Error) => this.#failed(error),
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #resolved({ addresses, ttlMs }: Resolution): void {
    if (this.#closed) return;
    this.#failures = 0;
    this.addresses = addresses;
    const { respectTtl, refreshMs, minRefreshMs } = this.#config;
    this.#again(respectTtl && ttlMs !== undefined && ttlMs > 0 ? Math.max(minRefreshMs, ttlMs) : refreshMs);
    this.#done(true);
  }

  #failed(error: Error): void {
    if (this.#closed) return;
    log.debug(`DNS resolution of ${this.name} failed: ${error.message}`);
    const { failureBaseMs, failureMaxMs } = this.#config;
    // Jittered exponential back-off: anything up to the base, twice as much for each failure before, within bounds.
    const ceiling = Math.min(failureMaxMs, failureBaseMs * 2 ** this.#failures++);
    this.#again(
      failureMaxMs === failureBaseMs ? failureBaseMs : Math.max(failureBaseMs / 2, Math.random() * ceiling),
    );
    this.#done(false);
  }

  #done(succeeded: boolean): void {
    this.attempted = true;
    this.#onResult(this, succeeded);
  }

  #again(pauseMs: number): void {
    this.#timer = setTimeout(() => this.start(), pauseMs + Math.random() * this.#config.jitterMs);
  }
}
