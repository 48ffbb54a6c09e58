// What listeners leave behind when they change: whole listeners that were replaced or removed, and filter chains that an
// update in place took away. As in Envoy they are told of for the whole drain time, whether or not connections are left.
// Envoy: source/common/listener_manager/listener_manager_impl.cc (drainListener, drainFilterChains).

import type { StatBlock } from '../../api/stats.ts';
import { LISTENER_MANAGER_STATS } from '../../common/stats/families/managers.ts';
import type { ResourceVersion } from './resource.ts';

const AT = LISTENER_MANAGER_STATS.offset;

interface DrainingListener {
  readonly name: string;
  readonly version: ResourceVersion;
}

export class DrainingListeners {
  readonly #stats: StatBlock;
  readonly #drainTimeMs: number;
  readonly #listeners = new Set<DrainingListener>();
  readonly #timers = new Set<NodeJS.Timeout>();

  /** `drainTimeMs`: --drain-time-s. */
  constructor(stats: StatBlock, drainTimeMs: number) {
    this.#stats = stats;
    this.#drainTimeMs = drainTimeMs;
  }

  /** By name; of several versions the oldest, as in Envoy's /config_dump. */
  get oldest(): ReadonlyMap<string, ResourceVersion> {
    const versions = new Map<string, ResourceVersion>();
    for (const { name, version } of this.#listeners) if (!versions.has(name)) versions.set(name, version);
    return versions;
  }

  addListener(name: string, version: ResourceVersion): void {
    const draining = { name, version };
    this.#listeners.add(draining);
    this.#count(AT.total_listeners_draining, 1, () => this.#listeners.delete(draining));
  }

  addFilterChains(count: number): void {
    if (count > 0) this.#count(AT.total_filter_chains_draining, count, () => undefined);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #count(gauge: number, n: number, onDrained: () => void): void {
    const { values, base } = this.#stats;
    values[base + gauge] += n;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      values[base + gauge] -= n;
      onDrained();
    }, this.#drainTimeMs).unref();
    this.#timers.add(timer);
  }
}
