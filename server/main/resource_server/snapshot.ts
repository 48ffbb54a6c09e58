// All resources of a folder at one moment, and the ways from one moment to the next that break nothing.

import { crypto } from '../../common/builtins.ts';
import type { ServedResource } from './resource_file.ts';

/** Type URL to name to resource. */
export type Snapshot = ReadonlyMap<string, ReadonlyMap<string, ServedResource>>;

export const EMPTY_SNAPSHOT: Snapshot = new Map();

const NONE: ReadonlyMap<string, ServedResource> = new Map();

export function resourcesOf(snapshot: Snapshot, typeUrl: string): ReadonlyMap<string, ServedResource> {
  return snapshot.get(typeUrl) ?? NONE;
}

/** Everything of `next`, and of `before` what `next` no longer has: new things are there before old ones go. */
export function withOldOnes(before: Snapshot, next: Snapshot): Snapshot {
  const merged = new Map(next);
  for (const [typeUrl, resources] of before) {
    merged.set(typeUrl, new Map([...resources, ...resourcesOf(next, typeUrl)]));
  }
  return merged;
}

/** One version for a set of resources, whatever their order. */
export function versionOf(resources: Iterable<ServedResource>): string {
  const parts = Array.from(resources, ({ name, version }) => `${name}\0${version}`).sort();
  return crypto.createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
}
