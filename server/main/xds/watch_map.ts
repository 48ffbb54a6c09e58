// Who wants what of one resource type: several subscriptions share the names they have in common, and one that comes later
// gets at once what is already known, because a server does not answer a request that changes nothing.
// Envoy: source/extensions/config_subscription/grpc/watch_map.cc.

import type { ConfigWatch } from './config_watch.ts';
import type { ResourceType } from './resource_types.ts';
import type { DiscoveredResource, RejectedResource } from './subscription.ts';
import { TtlManager } from './ttl.ts';

const NOBODY: ReadonlySet<ConfigWatch> = new Set();

interface Part {
  added: DiscoveredResource[];
  removed: string[];
}

/** Of `route/host`: `route/`, which stands for all below it. */
function namespaceOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/') + 1);
}

const isNamespace = (name: string): boolean => name.endsWith('/');

/** The name that asks for everything, in requests of both dialects. */
export const WILDCARD = '*';

export class WatchMap {
  readonly #fullState: boolean;
  readonly #namespaces: boolean;
  readonly #onInterestChanged: () => void;
  /** Every watch with its names; undefined is the wildcard. */
  readonly #watches = new Map<ConfigWatch, ReadonlySet<string> | undefined>();
  readonly #byName = new Map<string, Set<ConfigWatch>>();
  /** Last accepted resources of names that were asked for, and of all that may expire. */
  readonly #known = new Map<string, DiscoveredResource>();
  readonly #ttl: TtlManager;
  readonly #wildcards = new Set<ConfigWatch>();

  /** `onExpired` is told after the watches were. */
  constructor(
    { fullState, namespaces }: Pick<ResourceType, 'fullState' | 'namespaces'>,
    onInterestChanged: () => void,
    onExpired: (names: readonly string[]) => void,
  ) {
    this.#fullState = fullState;
    this.#namespaces = namespaces;
    this.#onInterestChanged = onInterestChanged;
    this.#ttl = new TtlManager((names) => {
      this.deliver([], names, false, '');
      onExpired(names);
    });
  }

  get wildcard(): boolean {
    return this.#wildcards.size > 0;
  }

  /** Somebody wants something. */
  get active(): boolean {
    return this.#wildcards.size > 0 || this.#byName.size > 0;
  }

  /** The names asked for, in the order they were first. */
  names(): IterableIterator<string> {
    const names = this.#byName.keys();
    return this.#namespaces ? names.filter((name) => !isNamespace(name)) : names;
  }

  get nameCount(): number {
    return this.#namespaces ? [...this.names()].length : this.#byName.size;
  }

  wants(name: string): boolean {
    return this.#wildcards.size > 0 || this.#isNamed(name);
  }

  /** A watch names it, or the namespace that it is in. */
  #isNamed(name: string): boolean {
    return this.#byName.has(name) || (this.#namespaces && this.#byName.has(namespaceOf(name)));
  }

  #namedBy(name: string): Iterable<ConfigWatch> {
    const watches = this.#byName.get(name) ?? NOBODY;
    const others = this.#namespaces ? this.#byName.get(namespaceOf(name)) : undefined;
    return others === undefined ? watches : watches.union(others);
  }

  known(name: string): DiscoveredResource | undefined {
    return this.#known.get(name);
  }

  /** Adds a watch, or replaces what one is interested in. */
  set(watch: ConfigWatch, names: ReadonlySet<string> | undefined): void {
    const before = this.#watches.get(watch);
    this.#watches.set(watch, names);
    if (names === undefined) this.#wildcards.add(watch);
    else this.#wildcards.delete(watch);
    for (const name of names ?? []) {
      const sharing = this.#byName.get(name);
      if (sharing === undefined) this.#byName.set(name, new Set([watch]));
      else sharing.add(watch);
    }
    for (const name of before ?? []) if (!names?.has(name)) this.#release(name, watch);
    this.#deliverKnown(watch, names, before);
    this.#onInterestChanged();
  }

  delete(watch: ConfigWatch): void {
    if (!this.#watches.has(watch)) return;
    const names = this.#watches.get(watch);
    this.#watches.delete(watch);
    this.#wildcards.delete(watch);
    for (const name of names ?? []) this.#release(name, watch);
    this.#onInterestChanged();
  }

  /** Forgets what nobody wants. Not done at once: a subscription that replaces another must still find the resource. */
  forgetUnwanted(): void {
    for (const name of this.#known.keys()) {
      if (this.wants(name)) continue;
      this.#known.delete(name);
      this.#ttl.delete(name);
    }
  }

  /** Gives each watch its part. Returns what was refused, each name once. */
  deliver(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    version: string,
  ): RejectedResource[] {
    const refused = new Map<string, RejectedResource>();
    for (const [watch, part] of this.#parts(added, removed, full)) {
      for (const rejection of watch.update(part.added, part.removed, full, version)) {
        if (!refused.has(rejection.name)) refused.set(rejection.name, rejection);
      }
    }
    for (const resource of added) if (!refused.has(resource.name)) this.#remember(resource);
    for (const name of removed) this.#forget(name);
    if (full) this.#forgetAbsent(added);
    return [...refused.values()];
  }

  /** A heartbeat: the resource as it is lives on. */
  renew(name: string, ttlMs: number): void {
    this.#ttl.set(name, ttlMs);
  }

  failed(reason: 'connection' | 'rejected', details: string): void {
    for (const watch of [...this.#watches.keys()]) watch.failed(reason, details);
  }

  close(): void {
    this.#ttl.close();
    for (const watch of this.#watches.keys()) watch.close();
    this.#watches.clear();
  }

  #parts(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
  ): Map<ConfigWatch, { added: readonly DiscoveredResource[]; removed: readonly string[] }> {
    const named = new Map<ConfigWatch, Part>();
    const partOf = (watch: ConfigWatch): Part => {
      const part = named.get(watch) ?? { added: [], removed: [] };
      named.set(watch, part);
      return part;
    };
    const parts = new Map<
      ConfigWatch,
      { added: readonly DiscoveredResource[]; removed: readonly string[] }
    >();
    for (const watch of this.#wildcards) parts.set(watch, { added, removed });
    if (full) for (const [watch, names] of this.#watches) if (names !== undefined) partOf(watch);
    for (const resource of added) {
      for (const watch of this.#namedBy(resource.name)) partOf(watch).added.push(resource);
    }
    for (const name of removed) {
      for (const watch of this.#namedBy(name)) partOf(watch).removed.push(name);
    }
    // That there is nothing in a namespace is an answer, too.
    if (this.#namespaces && added.length === 0 && removed.length === 0)
      for (const watch of this.#watches.keys()) partOf(watch);
    for (const [watch, part] of named) parts.set(watch, part);
    return parts;
  }

  #deliverKnown(
    watch: ConfigWatch,
    names: ReadonlySet<string> | undefined,
    before: ReadonlySet<string> | undefined,
  ): void {
    const asked = [...(names ?? [])].filter((name) => !before?.has(name));
    const news = asked.flatMap((name) =>
      this.#namespaces && isNamespace(name) ? this.#below(name) : this.#known.has(name) ? [name] : [],
    );
    if (news.length === 0) return;
    // Later: a consumer is not called back from inside its own call, and this may be in the middle of an update.
    queueMicrotask(() => {
      const known = news.flatMap((name) => this.#known.get(name) ?? []);
      if (known.length > 0) watch.update(known, [], false, known[0]!.version);
    });
  }

  #below(namespace: string): string[] {
    return [...this.#known.keys()].filter((name) => namespaceOf(name) === namespace);
  }

  #release(name: string, watch: ConfigWatch): void {
    const sharing = this.#byName.get(name);
    sharing?.delete(watch);
    if (sharing?.size === 0) this.#byName.delete(name);
  }

  #remember(resource: DiscoveredResource): void {
    if (resource.ttlMs > 0 || this.#isNamed(resource.name)) this.#known.set(resource.name, resource);
    else this.#known.delete(resource.name);
    this.#ttl.set(resource.name, resource.ttlMs);
  }

  #forget(name: string): void {
    this.#known.delete(name);
    this.#ttl.delete(name);
  }

  #forgetAbsent(added: readonly DiscoveredResource[]): void {
    if (!this.#fullState || this.#known.size === 0) return;
    const present = new Set(added.map((resource) => resource.name));
    for (const name of this.#known.keys()) if (!present.has(name)) this.#forget(name);
  }
}
