// What the rest of the code knows of statistics. A family of stats (a cluster's, a listener's, a connection manager's)
// is one *block*: a fixed list of literal names below one prefix. A block is a run of slots in shared memory, so an
// increment on the hot path is one add at `block.values[block.base + OFFSET]`, and names exist only when somebody reads them.
// Envoy's document: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/statistics

/** How a stat is summed over threads and printed. */
export type StatKind = 'counter' | 'gauge' | 'histogram' | 'text_readout';

/** A stat of a schema: its name below the block's prefix, kind and, for histograms, unit. */
export interface StatDefinition {
  readonly name: string;
  readonly kind: StatKind;
  readonly unit?: 'ms' | 'us' | 'bytes' | 'percent' | 'none';
  /** Shown only once it was written: Envoy makes such a stat on its first use (`upstream_rq_2xx`). */
  readonly unlisted?: boolean;
}

/** The list of a family's stats. Made once per family at module load by `statSchema` (server/common/stats/schema.ts). */
export interface StatSchema<Name extends string = string> {
  /** Unique and stable across threads: it travels in messages. */
  readonly id: string;
  readonly definitions: readonly StatDefinition[];
  /** Offset of each stat in a block. Hot code copies what it needs into module constants. */
  readonly offset: Readonly<Record<Name, number>>;
}

/**
 * One family under one prefix in this thread's own slab.
 * Counters and gauges live in `values[base + offset]`; a gauge is this thread's share, the sum over threads is what people see.
 */
export interface StatBlock<Name extends string = string> {
  readonly prefix: string;
  readonly schema: StatSchema<Name>;
  readonly values: Float64Array;
  readonly base: number;
  /** Records a value in the histogram at `offset`. Allocates its buckets on the first call only. */
  record(offset: number, value: number): void;
}

/** A stat that is not part of a schema because its name is only known at run time (`upstream_rq_503`, a tenant's name). */
export interface Counter {
  add(n: number): void;
}
export interface Gauge {
  set(value: number): void;
  add(n: number): void;
}
export interface Histogram {
  record(value: number): void;
}

/** This thread's statistics. */
export interface StatStore {
  /** How often stats with tags were taken away (stats_eviction_interval): who keeps them has to ask for them again then. */
  readonly evictions: number;
  /** The block of `schema` under `prefix` (ends with a dot unless empty, e.g. `cluster.foo.`). The same arguments give the same block. */
  block<Name extends string>(schema: StatSchema<Name>, prefix: string): StatBlock<Name>;
  /** Undoes one `block`, `counter`, `gauge` or `histogram`. After the last one the slots are given back: the stats disappear once no thread holds them. */
  release(stat: StatBlock | Counter | Gauge | Histogram): void;
  /** `tags`: of a stat whose name is without its tags already (Istio's standard metrics). The same arguments give the same stat. */
  counter(name: string, tags?: readonly StatTag[]): Counter;
  gauge(name: string, tags?: readonly StatTag[]): Gauge;
  histogram(name: string, unit?: StatDefinition['unit'], tags?: readonly StatTag[]): Histogram;
  /** Undefined takes the text away. */
  textReadout(name: string, value: string | undefined): void;
}

export interface StatTag {
  readonly name: string;
  readonly value: string;
}
