import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { StatKind, StatSchema } from '../../api/stats.ts';
import { finish } from '../../common/event/steps.ts';
import { StatAggregator } from '../../common/stats/aggregator.ts';
import { statSchema } from '../../common/stats/schema.ts';
import { ThreadStatStore } from '../../common/stats/store.ts';
import { StatRates } from './stat_rates.ts';
import { type StatNumber, type StatSearchQuery, searchStats } from './stat_search.ts';

const TRAFFIC: StatSchema = statSchema('search_traffic', {
  'cx.total': 'counter',
  cx_active: 'gauge',
  rq_2xx: 'counter:unlisted',
});
const HOSTS: StatSchema = statSchema('search_hosts', { cx_hosts: 'gauge', rq_2xx: 'counter' });
const ALL: StatSearchQuery = {
  text: '',
  kinds: new Set<StatKind>(['counter', 'gauge', 'histogram']),
  usedOnly: false,
  accepts: undefined,
  offset: 0,
  limit: 1000,
  sortBy: undefined,
  descending: false,
};

const VALUE: StatNumber = { of: ({ value }) => value, isZero: ({ hasValues }) => !hasValues };

interface Block {
  readonly prefix: string;
  readonly isTraffic: boolean;
  /** By offset; undefined: not written. */
  readonly values: readonly (number | undefined)[];
}

const blocks = fc.array(
  fc.record({
    prefix: fc.stringMatching(/^[acx]{1,2}\.([acx]{1,2}\.)?$/),
    isTraffic: fc.boolean(),
    values: fc.array(fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }), {
      minLength: 3,
      maxLength: 3,
    }),
  }),
  { maxLength: 30 },
);

function filled(all: readonly Block[]): StatAggregator {
  const aggregator = new StatAggregator();
  const store = new ThreadStatStore((message) => aggregator.apply('main', message));
  for (const { prefix, isTraffic, values } of all) {
    if (values.every((value) => value === undefined)) {
      aggregator.declare(isTraffic ? TRAFFIC : HOSTS, prefix);
      continue;
    }
    const block = store.block(isTraffic ? TRAFFIC : HOSTS, prefix);
    block.schema.definitions.forEach((_definition, offset) => {
      const value = values[offset];
      if (value !== undefined) block.values[block.base + offset] = value;
    });
  }
  store.flush();
  return aggregator;
}

/** Name and value of every stat, the plain way. */
function listed(aggregator: StatAggregator, usedOnly: boolean): Map<string, number> {
  const all = new Map<string, number>();
  for (const family of aggregator.families()) {
    for (const [offset, { name, unlisted }] of family.definitions.entries()) {
      if ((usedOnly || unlisted === true) && !family.used(offset)) continue;
      const full = family.prefix + name;
      all.set(full, (all.get(full) ?? 0) + family.value(offset));
    }
  }
  return all;
}

describe('searchStats', () => {
  const texts = fc.oneof(
    fc.constant(''),
    fc.stringMatching(/^[acx._]{1,5}$/),
    fc.constantFrom('a.cx', '.cx.t', 'rq'),
  );

  test('finds what looking at every name finds, page by page', () => {
    const pages = fc.record({ offset: fc.nat(20), limit: fc.integer({ min: 1, max: 10 }) });
    fc.assert(
      fc.property(blocks, texts, pages, fc.boolean(), (all, text, page, usedOnly) => {
        const aggregator = filled(all);
        const found = finish(searchStats(aggregator, { ...ALL, ...page, text, usedOnly }));
        const names = [...listed(aggregator, usedOnly).keys()].filter((name) => name.includes(text)).sort();
        assert.equal(found.total, names.length);
        assert.deepEqual(
          found.stats.map(({ name }) => name),
          names.slice(page.offset, page.offset + page.limit),
        );
      }),
    );
  });

  test('sorts by value', () => {
    fc.assert(
      fc.property(
        blocks,
        texts,
        fc.integer({ min: 1, max: 8 }),
        fc.boolean(),
        fc.boolean(),
        (all, text, limit, descending, usedOnly) => {
          const aggregator = filled(all);
          const query = { ...ALL, text, limit, descending, usedOnly };
          const found = finish(searchStats(aggregator, { ...query, sortBy: VALUE }));
          const values = [...listed(aggregator, usedOnly)].flatMap(([name, value]) =>
            name.includes(text) ? [value + 0] : [],
          );
          values.sort((a, b) => (descending ? b - a : a - b));
          assert.equal(found.total, values.length);
          assert.deepEqual(
            found.stats.map(({ value }) => value + 0),
            values.slice(0, limit),
          );
        },
      ),
    );
  });

  test('names are found in whatever case', () => {
    const aggregator = filled([{ prefix: 'Big.', isTraffic: false, values: [1, 2, 3] }]);
    const found = finish(searchStats(aggregator, { ...ALL, text: 'big.cx' }));
    assert.deepEqual(
      found.stats.map(({ name }) => name),
      ['Big.cx_hosts'],
    );
  });
});

test('rates are of the time between two looks', async () => {
  const aggregator = new StatAggregator();
  const store = new ThreadStatStore((message) => aggregator.apply('main', message));
  const counter = store.counter('requests');
  counter.add(5);
  store.flush();
  const rates = new StatRates(aggregator);
  const [family] = [...aggregator.families()];
  finish(rates.look());
  assert.deepEqual([rates.seconds, rates.of(family!, 0)], [undefined, undefined]);
  counter.add(30);
  // Too soon: the first look holds.
  finish(rates.look());
  assert.equal(rates.seconds, undefined);
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  finish(rates.look());
  assert.ok(rates.seconds! >= 1 && rates.seconds! < 10, String(rates.seconds));
  assert.equal(rates.of(family!, 0), 30 / rates.seconds!);
});
