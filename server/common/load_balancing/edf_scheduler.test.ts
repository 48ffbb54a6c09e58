import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EdfScheduler } from './edf_scheduler.ts';

function picks(weights: Readonly<Record<string, number>>, count: number): string[] {
  const scheduler = new EdfScheduler<string>();
  for (const [name, weight] of Object.entries(weights)) scheduler.add(weight, name);
  return Array.from({ length: count }, () => scheduler.pickAndAdd((name) => weights[name])!);
}

describe('EdfScheduler', () => {
  test('nothing to pick', () =>
    assert.equal(
      new EdfScheduler().pickAndAdd(() => 1),
      undefined,
    ));

  test('equal weights go round in the order they were added', () => {
    assert.equal(picks({ a: 1, b: 1, c: 1 }, 9).join(''), 'abcabcabc');
  });

  test('heavier entries come more often, spread out', () => {
    assert.equal(picks({ a: 1, b: 3 }, 8).filter((name) => name === 'b').length, 6);
    assert.doesNotMatch(picks({ a: 2, b: 3 }, 50).join(''), /aa|bbb/);
  });

  test('every entry gets its share, whatever the weights', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 128 }), { minLength: 1, maxLength: 20 }), (list) => {
        const total = list.reduce((sum, weight) => sum + weight, 0);
        const weights = Object.fromEntries(list.map((weight, i) => [`h${i}`, weight]));
        const seen = picks(weights, total);
        for (const [name, weight] of Object.entries(weights)) {
          const count = seen.filter((one) => one === name).length;
          assert.ok(Math.abs(count - weight) <= 1, `${name}: ${count} of ${weight}`);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('a weight that changes counts from the next time on', () => {
    let weight = 1;
    const scheduler = new EdfScheduler<string>();
    scheduler.add(1, 'a');
    scheduler.add(1, 'b');
    const pick = (): string => scheduler.pickAndAdd((name) => (name === 'a' ? weight : 1))!;
    for (let i = 0; i < 10; i++) pick();
    weight = 9;
    pick();
    pick();
    const rest = Array.from({ length: 100 }, pick);
    assert.ok(rest.filter((name) => name === 'a').length >= 88);
  });
});
