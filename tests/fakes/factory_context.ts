// A FactoryContext for unit tests: counts stats in plain maps, knows no secrets, clusters or other extensions.

import { ConfigError } from '../../server/api/config_error.ts';
import type { FactoryContext, LogFileManager } from '../../server/api/registry.ts';
import type { Runtime } from '../../server/api/runtime.ts';
import type { SharedCounter } from '../../server/api/shared_counter.ts';
import type { StatBlock, StatSchema, StatStore, StatTag } from '../../server/api/stats.ts';
import { TableCounter } from '../../server/common/shared_counter.ts';

/** Keeps every stat by its full name; tags are appended as `name{a=b,c=d}`. Histograms keep their values. */
export class FakeStatStore implements StatStore {
  readonly evictions = 0;
  readonly numbers = new Map<string, number>();
  readonly histograms = new Map<string, number[]>();
  private readonly blocks = new Map<string, StatBlock>();

  block<Name extends string>(schema: StatSchema<Name>, prefix: string): StatBlock<Name> {
    const key = `${schema.id}|${prefix}`;
    let block = this.blocks.get(key);
    if (block === undefined) {
      const histograms = this.histograms;
      block = {
        prefix,
        schema,
        values: new Float64Array(schema.definitions.length),
        base: 0,
        record(offset, value) {
          const name = `${prefix}${schema.definitions[offset].name}`;
          histograms.set(name, [...(histograms.get(name) ?? []), value]);
        },
      };
      this.blocks.set(key, block);
    }
    return block as StatBlock<Name>;
  }

  release(): void {}

  counter(name: string, tags?: readonly StatTag[]): { add(n: number): void } {
    const key = keyOf(name, tags);
    return { add: (n) => void this.numbers.set(key, (this.numbers.get(key) ?? 0) + n) };
  }

  gauge(name: string, tags?: readonly StatTag[]): { set(n: number): void; add(n: number): void } {
    const key = keyOf(name, tags);
    return {
      set: (n) => void this.numbers.set(key, n),
      add: (n) => void this.numbers.set(key, (this.numbers.get(key) ?? 0) + n),
    };
  }

  histogram(name: string, _unit?: unknown, tags?: readonly StatTag[]): { record(value: number): void } {
    const key = keyOf(name, tags);
    return { record: (value) => void this.histograms.set(key, [...(this.histograms.get(key) ?? []), value]) };
  }

  textReadout(): void {}

  /** Counters and gauges that are not 0, by full name. */
  all(): Record<string, number> {
    const result: Record<string, number> = Object.fromEntries(this.numbers);
    for (const { prefix, schema, values, base } of this.blocks.values()) {
      schema.definitions.forEach(({ name }, index) => {
        if (values[base + index] !== 0) result[prefix + name] = values[base + index];
      });
    }
    return result;
  }

  /** The value of a stat by its full name, blocks included; 0 when nothing was counted. */
  value(name: string): number {
    for (const block of this.blocks.values()) {
      const index = block.schema.definitions.findIndex((stat) => block.prefix + stat.name === name);
      if (index >= 0) return block.values[block.base + index];
    }
    return this.numbers.get(name) ?? 0;
  }
}

function keyOf(name: string, tags: readonly StatTag[] | undefined): string {
  return tags === undefined ? name : `${name}{${tags.map((tag) => `${tag.name}=${tag.value}`).join(',')}}`;
}

/** Runtime with the keys of `values`; fractions are decided by `random % denominator < numerator`. */
export function fakeRuntime(values: Readonly<Record<string, number | boolean>> = {}): Runtime {
  return {
    getInteger: (key, fallback) => (typeof values[key] === 'number' ? values[key] : fallback),
    getDouble: (key, fallback) => (typeof values[key] === 'number' ? values[key] : fallback),
    getBoolean: (key, fallback) => (typeof values[key] === 'boolean' ? values[key] : fallback),
    featureEnabled(key, numerator, denominator, random) {
      const value = values[key];
      return typeof value === 'number' ? random % 100 < value : random % denominator < numerator;
    },
    hasBelow: (prefix) => Object.keys(values).some((key) => key.startsWith(prefix)),
  };
}

const unavailable = (what: string) => (): never => {
  throw new Error(`this test has no ${what}`);
};

/** A context on a worker thread with `overrides`; `stats` is a FakeStatStore unless given. */
export function fakeFactoryContext(overrides: Partial<FactoryContext> = {}): FactoryContext {
  const logFiles: LogFileManager = { open: unavailable('log files') };
  const counters = new Map<string, SharedCounter>();
  return {
    thread: 'worker',
    server: {
      nodeId: 'node',
      nodeCluster: 'cluster',
      locality: { region: '', zone: '', subZone: '' },
      localClusterName: '',
      defaultTracing: undefined,
      nodeMetadata: {},
      localIp: '127.0.0.1',
      concurrency: 1,
      fileFlushIntervalMs: 10_000,
      fileFlushMinSizeBytes: 65_536,
    },
    stats: new FakeStatStore(),
    runtime: fakeRuntime(),
    registry: {
      resolve(_category, name, _typedConfig, path) {
        throw new ConfigError(path, `Didn't find a registered implementation for '${name}'`);
      },
      resolveRoute: () => undefined,
      all: [],
    },
    clusterManager: { getCluster: () => undefined },
    workloads: { getMetadata: () => undefined },
    secret: unavailable('secrets'),
    routeConfiguration: unavailable('route configurations'),
    discoveredVirtualHosts: unavailable('virtual hosts'),
    routeDiscovery: () => ({ request: () => () => undefined }),
    scopedRouteConfigurations: unavailable('scoped routes'),
    httpFilterConfiguration: unavailable('filter configurations'),
    dnsCache: () => ({ name: 'fake', get: () => undefined, has: () => false, load: () => 'host_overflow' }),
    sharedCounter(name) {
      let counter = counters.get(name);
      if (counter === undefined) {
        counter = new TableCounter(new Int32Array(1), new Int32Array(1), 0);
        counters.set(name, counter);
      }
      return counter;
    },
    clusterDiscovery: unavailable('cluster discovery'),
    subClusters: unavailable('sub clusters'),
    sharedMemory: (_path, bytes) => new SharedArrayBuffer(bytes),
    resource: { path: '', id: () => '' },
    tracer: () => undefined,
    checkCluster() {},
    logFiles,
    listener: undefined,
    httpStatPrefix: '',
    clusterStatPrefix: 'cluster.c.',
    ...overrides,
  };
}
