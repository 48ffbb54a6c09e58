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
import type { StatsChange, StatsMessage, TaggedName } from './messages.ts';
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

export class ThreadStatStore implements StatStore {
  readonly #publish: (message: StatsMessage) => void;
  readonly #slab = new Slab((memory) => {
    this.#chunks.push(memory);
  });
  readonly #blocks = new Map<StatSchema, Map<string, ThreadStatBlock>>();
  readonly #named = new WeakMap<object, ThreadStatBlock>();
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
    if (--block.references > 0) return;
    this.#blocks.get(block.schema)?.delete(block.prefix);
    this.#slab.free(block.run, block.schema.definitions.length);
    block.freeHistograms(this.#slab);
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
      block = new ThreadStatBlock(this, this.#blockCount++, schema, prefix, run);
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

class ThreadStatBlock implements StatBlock {
  readonly prefix: string;
  readonly schema: StatSchema;
  readonly values: Float64Array;
  readonly base: number;
  readonly number: number;
  readonly run: SlabRun;
  /** Holders: `block()` and `counter()` add one, `release()` takes one. */
  references = 0;
  handle: Counter | Gauge | Histogram | undefined = undefined;
  readonly #store: ThreadStatStore;
  #decades: (SlabRun | undefined)[][] | undefined = undefined;

  constructor(store: ThreadStatStore, number: number, schema: StatSchema, prefix: string, run: SlabRun) {
    this.#store = store;
    this.number = number;
    this.schema = schema;
    this.prefix = prefix;
    this.run = run;
    this.values = run.values;
    this.base = run.base;
  }

  record(offset: number, value: number): void {
    this.#decades ??= this.schema.definitions.map(() => []);
    const decades = this.#decades[offset] as (SlabRun | undefined)[];
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

  freeHistograms(slab: Slab): void {
    for (const decades of this.#decades ?? []) {
      decades.forEach((run, index) => {
        if (run !== undefined) slab.free(run, decadeSize(index + ZERO_DECADE));
      });
    }
    this.#decades = undefined;
  }
}

class NamedCounter implements Counter {
  readonly #values: Float64Array;
  readonly #slot: number;

  constructor(block: StatBlock) {
    this.#values = block.values;
    this.#slot = block.base;
  }

  add(n: number): void {
    this.#values[this.#slot] = (this.#values[this.#slot] as number) + n;
  }
}

class NamedGauge extends NamedCounter implements Gauge {
  readonly #block: StatBlock;

  constructor(block: StatBlock) {
    super(block);
    this.#block = block;
  }

  set(value: number): void {
    this.#block.values[this.#block.base] = value;
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
