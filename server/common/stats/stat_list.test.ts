import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StatAggregator } from './aggregator.ts';
import { listStats } from './stat_list.ts';
import { ThreadStatStore } from './store.ts';

const names = fc.uniqueArray(fc.stringMatching(/^[ab.\- _]{1,6}$/), { maxLength: 40 });

function listed(all: readonly string[], order: 'name' | 'token'): string[] {
  const aggregator = new StatAggregator();
  const store = new ThreadStatStore((message) => aggregator.apply('main', message));
  for (const name of all) store.counter(name);
  store.flush();
  const kinds = new Set(['counter'] as const);
  const stats = listStats(aggregator, { kinds, usedOnly: false, accepts: undefined, order });
  return [...stats].flatMap((stat) => (stat === '' ? [] : stat.name));
}

describe('listStats', () => {
  test('lists every name once, in order', () => {
    fc.assert(fc.property(names, (all) => assert.deepEqual(listed(all, 'name'), all.toSorted())));
  });

  test('keeps names apart where the first of those that begin alike is left out', () => {
    fc.assert(
      fc.property(names, fc.func(fc.boolean()), (all, isCounter) => {
        const aggregator = new StatAggregator();
        const store = new ThreadStatStore((message) => aggregator.apply('main', message));
        for (const name of all) (isCounter(name) ? store.counter(name) : store.gauge(name)).add(1);
        store.flush();
        const kinds = new Set(['counter'] as const);
        const stats = [
          ...listStats(aggregator, { kinds, usedOnly: false, accepts: undefined, order: 'name' }),
        ];
        assert.deepEqual(
          stats.flatMap((stat) => (stat === '' ? [] : [[stat.name, stat.value]])),
          all
            .filter((name) => isCounter(name))
            .toSorted()
            .map((name) => [name, 1]),
        );
      }),
    );
  });

  test('orders by tokens for Prometheus', () => {
    assert.deepEqual(listed(['a-b.x', 'a.x', 'a_b.x', 'a b.x'], 'token'), ['a.x', 'a b.x', 'a-b.x', 'a_b.x']);
    assert.deepEqual(listed(['a-b.x', 'a.x', 'a_b.x', 'a b.x'], 'name'), ['a b.x', 'a-b.x', 'a.x', 'a_b.x']);
  });
});
