// Gathers the updates of one event-loop turn and hands them to the workers in the order of dependency: what refers to a
// thing comes after it, removals come last and the other way round (make before break).

import type { RouteDiscoveryKind } from '../../api/router.ts';
import type { ResourceUpdate } from '../../messages.ts';

type Change = Exclude<
  ResourceUpdate,
  { kind: 'remove' | 'host_health' | 'host_load' | 'cluster_missing' | 'route_discovered' | 'workloads' }
>;
type Removal = Extract<ResourceUpdate, { kind: 'remove' }>;
type Kind = Change['kind'];

const ORDER: readonly Kind[] = [
  'shared_counter',
  'shared_memory',
  'dns_host',
  'secret',
  'cluster',
  'endpoints',
  'extension',
  'route',
  'scoped_routes',
  'listener',
];

export class Publisher {
  /** What the workers have, per kind and name, for a worker that starts later. */
  readonly #current = new Map<Kind, Map<string, Change>>(ORDER.map((kind) => [kind, new Map()]));
  readonly #changes = new Map<Kind, Map<string, Change>>(ORDER.map((kind) => [kind, new Map()]));
  readonly #removals = new Map<Kind, Map<string, Removal>>(ORDER.map((kind) => [kind, new Map()]));
  /** Names of changes that the workers have no older version of: their removal is nothing to tell. */
  readonly #unseen = new Map<Kind, Set<string>>(ORDER.map((kind) => [kind, new Set()]));
  /** Clusters whose hosts' health has changed. */
  readonly #health = new Set<string>();
  /** By cluster: weights of hosts, by slot. */
  readonly #loads = new Map<string, ReadonlyMap<number, number>>();
  /** Clusters that were asked for and do not exist. */
  readonly #missing = new Set<string>();
  readonly #discovered: ResourceUpdate[] = [];
  readonly #send: (updates: readonly ResourceUpdate[]) => void;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(send: (updates: readonly ResourceUpdate[]) => void) {
    this.#send = send;
  }

  put(update: Change): void {
    const { kind, name } = update;
    const current = this.#current.get(kind)!;
    const wasRemoved = this.#removals.get(kind)!.delete(name);
    if (!wasRemoved && !current.has(name)) this.#unseen.get(kind)!.add(name);
    current.set(name, update);
    this.#changes.get(kind)!.set(name, update);
    this.#schedule();
  }

  /** Nothing when the workers never had it. */
  remove(kind: Kind, name: string): void {
    if (!this.#current.get(kind)!.delete(name)) return;
    this.#changes.get(kind)!.delete(name);
    if (this.#unseen.get(kind)!.delete(name)) return;
    this.#removals.get(kind)!.set(name, { kind: 'remove', resource: kind, name });
    this.#schedule();
  }

  /** Workers must look at the health of a cluster's hosts. One that starts later does so anyway. */
  putHostHealth(cluster: string): void {
    this.#health.add(cluster);
    this.#schedule();
  }

  /** What hosts of a cluster report of their load out of band: weights by slot. One that starts later waits for the next. */
  putHostLoad(cluster: string, weights: ReadonlyMap<number, number>): void {
    this.#loads.set(cluster, new Map([...(this.#loads.get(cluster) ?? []), ...weights]));
    this.#schedule();
  }

  /** Who waits for the cluster need not any longer. */
  putMissingCluster(cluster: string): void {
    this.#missing.add(cluster);
    this.#schedule();
  }

  /** Who waits for these routes (see `discover_route`) need not any longer. */
  putDiscoveredRoute(of: RouteDiscoveryKind, owner: string, name: string): void {
    this.#discovered.push({ kind: 'route_discovered', of, owner, name });
    this.#schedule();
  }

  /** Everything current, in order. What is still to be flushed is in it. */
  snapshot(): ResourceUpdate[] {
    return ORDER.flatMap((kind) => [...this.#current.get(kind)!.values()]);
  }

  /** Sends what has gathered. Also called by itself once a turn. */
  flush(): void {
    if (this.#scheduled === undefined) return;
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const updates: ResourceUpdate[] = [];
    for (const kind of ORDER) for (const change of this.#changes.get(kind)!.values()) updates.push(change);
    for (const name of this.#health) updates.push({ kind: 'host_health', name });
    this.#health.clear();
    for (const [name, weights] of this.#loads) updates.push({ kind: 'host_load', name, weights });
    this.#loads.clear();
    for (const name of this.#missing) updates.push({ kind: 'cluster_missing', name });
    this.#missing.clear();
    updates.push(...this.#discovered.splice(0));
    for (const kind of [...ORDER].reverse()) {
      for (const removal of this.#removals.get(kind)!.values()) updates.push(removal);
    }
    for (const kind of ORDER) {
      this.#changes.get(kind)!.clear();
      this.#removals.get(kind)!.clear();
      this.#unseen.get(kind)!.clear();
    }
    if (updates.length > 0) this.#send(updates);
  }

  close(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => this.flush());
  }
}
