// This thread's statistics: blocks of slots in its own slab, which the main thread reads in place.
// A slot that was never written is -0: adding to it or setting it to 0 makes it +0, so that `usedonly` can tell a gauge
// that came back to zero from one that was never touched, at no cost on the hot path.

import type {
  Counter,
  Gauge,
  Histogram,
  StatBlock,
  StatDefinition,
  StatSchema,
  StatStore,
  StatTag,
} from '../../api/stats.ts';
import {
  BUCKETS_PER_DECADE,
  bucketInDecade,
  decadeOf,
  MIN_DECADE,
  ZERO_DECADE,
} from './histogram_buckets.ts';
import type { EvictedStat, StatsChange, StatsMessage, TaggedName } from './messages.ts';
import { statSchema } from './schema.ts';
import { Slab, type SlabRun } from './slab.ts';

const UNUSED = -0;

// A stat with a name of its own is a block of one stat with an empty name.
const NAMED_COUNTER = statSchema('counter', { '': 'counter' });
const NAMED_GAUGE = statSchema('gauge', { '': 'gauge' });
const NAMED_HISTOGRAMS = {
  ms: statSchema('histogram:ms', { '': 'histogram:ms' }),
  us: statSchema('histogram:us', { '': 'histogram:us' }),
  bytes: statSchema('histogram:bytes', { '': 'histogram:bytes' }),
  percent: statSchema('histogram:percent', { '': 'histogram:percent' }),
  none: statSchema('histogram:none', { '': 'histogram:none' }),
};

const NAMED_BY_ID: ReadonlyMap<string, StatSchema> = new Map(
  [NAMED_COUNTER, NAMED_GAUGE, ...Object.values(NAMED_HISTOGRAMS)].map((schema) => [schema.id, schema]),
);

export class ThreadStatStore implements StatStore {
  readonly #publish: (message: StatsMessage) => void;
  readonly #slab = new Slab((memory) => {
    this.#chunks.push(memory);
  });
  readonly #blocks = new Map<StatSchema, Map<string, ThreadStatBlock>>();
  readonly #named = new WeakMap<object, ThreadStatBlock>();
  /**
   * A stream that began before its cluster or listener went still counts in the block. Nobody reads that, but the slots
   * must not be another block's until the last holder has let go.
   */
  readonly #abandoned = new FinalizationRegistry<BlockMemory>((memory) => memory.free(this.#slab));
  evictions = 0;
  #blockCount = 0;
  #chunks: SharedArrayBuffer[] = [];
  #schemas: StatSchema[] = [];
  #changes: StatsChange[] = [];
  #flushTimer: NodeJS.Immediate | undefined;

  /** `publish` gets what is new, once per turn of the event loop at most. */
  constructor(publish: (message: StatsMessage) => void) {
    this.#publish = publish;
  }

  block<Name extends string>(schema: StatSchema<Name>, prefix: string): StatBlock<Name> {
    return this.#acquire(schema, prefix, undefined) as StatBlock as StatBlock<Name>;
  }

  counter(name: string, tags?: readonly StatTag[]): Counter {
    const block = this.#acquireNamed(NAMED_COUNTER, name, tags);
    block.handle ??= new NamedCounter(block);
    return this.#remember(block.handle as NamedCounter, block);
  }

  gauge(name: string, tags?: readonly StatTag[]): Gauge {
    const block = this.#acquireNamed(NAMED_GAUGE, name, tags);
    block.handle ??= new NamedGauge(block);
    return this.#remember(block.handle as NamedGauge, block);
  }

  histogram(name: string, unit: StatDefinition['unit'] = 'none', tags?: readonly StatTag[]): Histogram {
    const block = this.#acquireNamed(NAMED_HISTOGRAMS[unit], name, tags);
    block.handle ??= new NamedHistogram(block);
    return this.#remember(block.handle as NamedHistogram, block);
  }

  textReadout(name: string, value: string | undefined): void {
    this.#change({ type: 'text', name, value });
  }

  release(stat: StatBlock | Counter | Gauge | Histogram): void {
    const block = stat instanceof ThreadStatBlock ? stat : this.#named.get(stat);
    if (block === undefined || block.references === 0) return;
    if (--block.references === 0) this.#forget(block);
  }

  /** Takes stats away, whoever holds them. Who asks for one again gets it anew, at 0. */
  evict(stats: readonly EvictedStat[]): void {
    this.evictions++;
    for (const { schema, prefix } of stats) {
      const named = NAMED_BY_ID.get(schema);
      const family = named && this.#blocks.get(named);
      const block = family?.get(prefix);
      if (block === undefined) continue;
      block.references = 0;
      this.#forget(block);
    }
  }

  #forget(block: ThreadStatBlock): void {
    this.#blocks.get(block.schema)?.delete(block.prefix);
    this.#abandoned.register(block, block.memory);
    this.#change({ type: 'release', block: block.number });
  }

  /** Publishes now what is new. The main thread calls it on its own store before it reads. */
  flush(): void {
    if (this.#flushTimer === undefined) return;
    clearImmediate(this.#flushTimer);
    this.#flushTimer = undefined;
    const message: StatsMessage = {
      chunks: this.#chunks,
      schemas: this.#schemas.map(({ id, definitions }) => ({ id, definitions })),
      changes: this.#changes,
    };
    this.#chunks = [];
    this.#schemas = [];
    this.#changes = [];
    this.#publish(message);
  }

  /** The buckets of a decade of a histogram, all 0. */
  allocateDecade(block: number, offset: number, decade: number): SlabRun {
    const run = this.#slab.allocate(decadeSize(decade), 0);
    this.#change({ type: 'decade', block, offset, decade, chunk: run.chunk, base: run.base });
    return run;
  }

  #acquireNamed(schema: StatSchema, name: string, tags: readonly StatTag[] | undefined): ThreadStatBlock {
    if (tags === undefined) return this.#acquire(schema, name, undefined);
    let fullName = name;
    for (const tag of tags) fullName += `.${tag.name}.${tag.value}`;
    return this.#acquire(schema, fullName, { name, tags });
  }

  #acquire(schema: StatSchema, prefix: string, tagged: TaggedName | undefined): ThreadStatBlock {
    let family = this.#blocks.get(schema);
    if (family === undefined) {
      family = new Map();
      this.#blocks.set(schema, family);
      this.#schemas.push(schema);
    }
    let block = family.get(prefix);
    if (block === undefined) {
      const run = this.#slab.allocate(schema.definitions.length, UNUSED);
      block = new ThreadStatBlock(this, this.#blockCount++, schema, prefix, new BlockMemory(schema, run));
      family.set(prefix, block);
      const { chunk, base } = run;
      this.#change({ type: 'block', block: block.number, schema: schema.id, prefix, chunk, base, tagged });
    }
    block.references++;
    return block;
  }

  #remember<Handle extends object>(handle: Handle, block: ThreadStatBlock): Handle {
    this.#named.set(handle, block);
    return handle;
  }

  #change(change: StatsChange): void {
    this.#changes.push(change);
    this.#flushTimer ??= setImmediate(() => this.flush());
  }
}

/** The slots of a block: its values, and its histograms' buckets by offset and decade. */
class BlockMemory {
  readonly run: SlabRun;
  readonly size: number;
  #decades: (SlabRun | undefined)[][] | undefined = undefined;

  constructor(schema: StatSchema, run: SlabRun) {
    this.run = run;
    this.size = schema.definitions.length;
  }

  get decades(): (SlabRun | undefined)[][] {
    return (this.#decades ??= Array.from({ length: this.size }, () => []));
  }

  free(slab: Slab): void {
    slab.free(this.run, this.size);
    for (const decades of this.#decades ?? []) {
      decades.forEach((run, index) => {
        if (run !== undefined) slab.free(run, decadeSize(index + ZERO_DECADE));
      });
    }
  }
}

class ThreadStatBlock implements StatBlock {
  readonly prefix: string;
  readonly schema: StatSchema;
  readonly values: Float64Array;
  readonly base: number;
  readonly number: number;
  readonly memory: BlockMemory;
  /** Holders: `block()` and `counter()` add one, `release()` takes one. */
  references = 0;
  handle: Counter | Gauge | Histogram | undefined = undefined;
  readonly #store: ThreadStatStore;

  constructor(
    store: ThreadStatStore,
    number: number,
    schema: StatSchema,
    prefix: string,
    memory: BlockMemory,
  ) {
    this.#store = store;
    this.number = number;
    this.schema = schema;
    this.prefix = prefix;
    this.memory = memory;
    this.values = memory.run.values;
    this.base = memory.run.base;
  }

  record(offset: number, value: number): void {
    const decades = this.memory.decades[offset] as (SlabRun | undefined)[];
    const decade = decadeOf(value);
    let run = decades[decade - ZERO_DECADE];
    if (run === undefined) {
      while (decades.length <= decade - ZERO_DECADE) decades.push(undefined);
      run = this.#store.allocateDecade(this.number, offset, decade);
      decades[decade - ZERO_DECADE] = run;
    }
    const slot = run.base + (decade < MIN_DECADE ? 0 : bucketInDecade(value, decade));
    run.values[slot] = (run.values[slot] as number) + 1;
  }
}

class NamedCounter implements Counter {
  /** Holds the slots. */
  protected readonly block: StatBlock;
  readonly #values: Float64Array;
  readonly #slot: number;

  constructor(block: StatBlock) {
    this.block = block;
    this.#values = block.values;
    this.#slot = block.base;
  }

  add(n: number): void {
    this.#values[this.#slot] = (this.#values[this.#slot] as number) + n;
  }
}

class NamedGauge extends NamedCounter implements Gauge {
  set(value: number): void {
    this.block.values[this.block.base] = value;
  }
}

class NamedHistogram implements Histogram {
  readonly #block: StatBlock;

  constructor(block: StatBlock) {
    this.#block = block;
  }

  record(value: number): void {
    this.#block.record(0, value);
  }
}

/** Slots of a decade's buckets; the bucket of zero is alone. */
function decadeSize(decade: number): number {
  return decade === ZERO_DECADE ? 1 : BUCKETS_PER_DECADE;
}
