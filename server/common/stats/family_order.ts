// Families of stats sorted by their prefixes. Kept until a family comes or goes: scrapes come every few seconds, clusters do not.

import { type Steps, sortInSteps } from '../event/steps.ts';
import type { StatFamily } from './stat_family.ts';

/** `name`: by the characters of the name. `token`: by its parts between dots, the order of the Prometheus answer. */
export type NameOrder = 'name' | 'token';

const KEYED_PER_STEP = 2048;

export class FamilyOrder {
  readonly #keyOf: (name: string) => string;
  #sorted: readonly StatFamily[] = [];
  #version = -1;

  constructor(order: NameOrder) {
    this.#keyOf = keyFor(order);
  }

  /** `version` is another one whenever `families` has others than before. */
  *sorted(families: Iterable<StatFamily>, version: number): Steps<readonly StatFamily[]> {
    if (version === this.#version) return this.#sorted;
    const keyed: { readonly key: string; readonly family: StatFamily }[] = [];
    for (const family of families) {
      keyed.push({ key: this.#keyOf(family.prefix), family });
      if (keyed.length % KEYED_PER_STEP === 0) yield '';
    }
    const inOrder = yield* sortInSteps(keyed);
    this.#sorted = inOrder.map(({ family }) => family);
    this.#version = version;
    return this.#sorted;
  }
}

/** What names are compared by. */
export function keyFor(order: NameOrder): (name: string) => string {
  return order === 'name' ? (name) => name : tokenKey;
}

/** NUL sorts before every character of a name. */
export function tokenKey(name: string): string {
  return name.replaceAll('.', '\0');
}
