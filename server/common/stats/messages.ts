// What a thread tells the main thread of its stats: new shared memory and what lies where in it. Values never travel,
// the main thread reads them in place.

import type { StatDefinition, StatTag } from '../../api/stats.ts';

/** Sent in batches (`publish` of ThreadStatStore); to be applied in order by `StatAggregator.apply`. */
export interface StatsMessage {
  /** New chunks, numbered on from the last one sent. */
  readonly chunks: readonly SharedArrayBuffer[];
  /** Families this thread uses for the first time: the main thread may not have loaded the module that declares them. */
  readonly schemas: readonly { readonly id: string; readonly definitions: readonly StatDefinition[] }[];
  readonly changes: readonly StatsChange[];
}

export type StatsChange =
  /** `block` is a number of this thread's choice that later changes use. */
  | {
      readonly type: 'block';
      readonly block: number;
      readonly schema: string;
      readonly prefix: string;
      readonly chunk: number;
      readonly base: number;
      readonly tagged: TaggedName | undefined;
    }
  /** Buckets of one decade of the histogram at `offset`. */
  | {
      readonly type: 'decade';
      readonly block: number;
      readonly offset: number;
      readonly decade: number;
      readonly chunk: number;
      readonly base: number;
    }
  | { readonly type: 'release'; readonly block: number }
  /** `value` undefined: the text is gone. */
  | { readonly type: 'text'; readonly name: string; readonly value: string | undefined };

/** A stat with a name of its own that is to be taken away, by its family. */
export interface EvictedStat {
  readonly schema: string;
  readonly prefix: string;
}

/** The name without its tags and the tags, of a stat that was made with tags. */
export interface TaggedName {
  readonly name: string;
  readonly tags: readonly StatTag[];
}
