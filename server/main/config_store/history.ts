// Every version of every resource that ever came, accepted or not, within bounds: who sent it, when, the verdict.
// It answers "what changed, when, and was it taken?" for the dashboard and for the tests.

import { type ResourceKind, TYPE_NAMES } from './resource.ts';
import { type Difference, diffRedacted } from './resource_diff.ts';

/** Versions kept of one resource. */
const PER_RESOURCE = 20;
/** Bytes of old versions kept in all; the oldest go first. Current versions cost nothing extra: the store has them anyway. */
const TOTAL_BYTES = 64 * 1024 * 1024;
/** What an entry costs besides its bytes, roughly. */
const ENTRY_BYTES = 256;

export interface HistoryEntry {
  /** Counts all entries since the start, from 1. */
  readonly id: number;
  readonly kind: ResourceKind;
  readonly name: string;
  readonly version: string;
  /** Who sent it: `static`, `ads`, a path, a cluster's name. */
  readonly source: string;
  /** ms since 1970. */
  readonly at: number;
  /** Undefined for a removal. */
  readonly bytes: Uint8Array | undefined;
  /** Why it was rejected; undefined when it was accepted (ACK). */
  readonly error: { readonly path: string; readonly reason: string } | undefined;
}

export class ResourceHistory {
  readonly #entries = new Map<string, HistoryEntry[]>();
  /** Superseded entries, oldest first: what is dropped when the total is exceeded. */
  #superseded: HistoryEntry[] = [];
  #supersededBytes = 0;
  #added = 0;
  readonly #observers = new Set<(entry: HistoryEntry) => void>();

  /** Calls `observer` with each entry to come. Returns what ends it. */
  observe(observer: (entry: HistoryEntry) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  add(unnumbered: Omit<HistoryEntry, 'id'>): void {
    const entry: HistoryEntry = { id: ++this.#added, ...unnumbered };
    const key = `${entry.kind}/${entry.name}`;
    const versions = this.#entries.get(key);
    if (versions === undefined) {
      this.#entries.set(key, [entry]);
    } else {
      const before = versions.at(-1) as HistoryEntry;
      if (before.bytes !== undefined) this.#supersede(before);
      versions.push(entry);
      if (versions.length > PER_RESOURCE) versions.shift();
    }
    // A removal is the last of its name, maybe for ever: it must not stay for ever.
    if (entry.bytes === undefined) this.#supersede(entry);
    for (const observer of this.#observers) observer(entry);
  }

  /** Oldest first. */
  versions(kind: ResourceKind, name: string): readonly HistoryEntry[] {
    return this.#entries.get(`${kind}/${name}`) ?? [];
  }

  /** All entries, by resource, each oldest first. */
  *all(): Iterable<HistoryEntry> {
    for (const versions of this.#entries.values()) yield* versions;
  }

  /** The entry of this id, if it is still there. */
  get(id: number): HistoryEntry | undefined {
    for (const entry of this.all()) if (entry.id === id) return entry;
    return undefined;
  }

  /**
   * What an entry changed against another of its resource, or against the last accepted version before it; undefined when that one
   * is gone, or when one of the two is a removal. Throws DecodeError for what cannot be read.
   */
  diff(entry: HistoryEntry, against = this.#acceptedBefore(entry)): readonly Difference[] | undefined {
    if (against?.bytes === undefined || entry.bytes === undefined) return undefined;
    return diffRedacted(TYPE_NAMES[entry.kind], against.bytes, entry.bytes);
  }

  #acceptedBefore(entry: HistoryEntry): HistoryEntry | undefined {
    const versions = this.versions(entry.kind, entry.name);
    return versions
      .slice(0, versions.indexOf(entry))
      .findLast((other) => other.error === undefined && other.bytes !== undefined);
  }

  #supersede(entry: HistoryEntry): void {
    this.#superseded.push(entry);
    this.#supersededBytes += cost(entry);
    let dropped = 0;
    while (this.#supersededBytes > TOTAL_BYTES) this.#drop(this.#superseded[dropped++] as HistoryEntry);
    if (dropped > 0) this.#superseded = this.#superseded.slice(dropped);
  }

  #drop(entry: HistoryEntry): void {
    this.#supersededBytes -= cost(entry);
    const key = `${entry.kind}/${entry.name}`;
    const versions = this.#entries.get(key);
    if (versions === undefined) return;
    const index = versions.indexOf(entry);
    if (index >= 0) versions.splice(index, 1);
    if (versions.length === 0) this.#entries.delete(key);
  }
}

function cost(entry: HistoryEntry): number {
  return ENTRY_BYTES + (entry.bytes?.length ?? 0);
}
