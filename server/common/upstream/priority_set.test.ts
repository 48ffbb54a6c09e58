import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { host, hundredHosts } from '../../../tests/fakes/hosts.ts';
import { PrioritySet } from './priority_set.ts';

const PANIC = 50;

/** Healthy load of each priority for percents of healthy hosts. */
function load(...healthy: number[]): readonly number[] {
  return new PrioritySet(
    healthy.flatMap((percent, priority) => hundredHosts(priority, percent)),
    PANIC,
  ).load.healthy;
}

describe('the load of priorities (the tables of Envoy, arch_overview/upstream/load_balancing/priority)', () => {
  const two: [number, number[]][] = [
    [100, [100, 0]],
    [72, [100, 0]],
    [71, [99, 1]],
    [50, [70, 30]],
    [25, [35, 65]],
    [0, [0, 100]],
  ];
  for (const [percent, expected] of two) {
    test(`P0 ${percent} % healthy`, () => assert.deepEqual(load(percent, 100), expected));
  }

  const three: [number[], number[]][] = [
    [
      [100, 100, 100],
      [100, 0, 0],
    ],
    [
      [72, 72, 100],
      [100, 0, 0],
    ],
    [
      [71, 71, 100],
      [99, 1, 0],
    ],
    [
      [50, 50, 100],
      [70, 30, 0],
    ],
    [
      [25, 100, 100],
      [35, 65, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
  ];
  for (const [percents, expected] of three) {
    test(`P0 to P2 ${percents.join(', ')} % healthy`, () => assert.deepEqual(load(...percents), expected));
  }

  const panics: [number[], number[], boolean[]][] = [
    [
      [72, 72],
      [100, 0],
      [false, false],
    ],
    [
      [50, 60],
      [70, 30],
      [false, false],
    ],
    [
      [25, 100],
      [35, 65],
      [false, false],
    ],
    [
      [25, 25],
      [50, 50],
      [true, true],
    ],
    // Envoy's document rounds to 7 and 93; in its code the first priority gets what integer division leaves.
    [
      [5, 65],
      [8, 92],
      [true, false],
    ],
  ];
  for (const [[p0, p1], expected, panic] of panics) {
    test(`panic at ${p0} % and ${p1} %`, () => {
      const set = new PrioritySet([...hundredHosts(0, p0), ...hundredHosts(1, p1)], PANIC);
      assert.deepEqual(set.load.healthy, expected);
      assert.deepEqual(set.load.panic, panic);
    });
  }

  test('degraded hosts take what healthy ones of all priorities cannot', () => {
    const set = new PrioritySet([...hundredHosts(0, 25, 75), ...hundredHosts(1, 25, 0)], PANIC);
    assert.deepEqual(set.load.healthy, [35, 35]);
    assert.deepEqual(set.load.degraded, [30, 0]);
  });

  test('nobody healthy: all panic, by their numbers of hosts', () => {
    const set = new PrioritySet([host(1, { health: 'unhealthy' })], PANIC);
    assert.deepEqual(set.load.healthy, [100]);
    assert.deepEqual(set.load.panic, [true]);
  });

  test('without panic nobody is used when nobody is healthy', () => {
    const set = new PrioritySet([host(1, { health: 'unhealthy' })], 0);
    assert.deepEqual(set.load.panic, [false]);
  });

  test('choose gives each priority its share of the random numbers', () => {
    const set = new PrioritySet([...hundredHosts(0, 50), ...hundredHosts(1, 100)], PANIC);
    const counts = [0, 0];
    for (let random = 0; random < 100; random++) counts[set.choose(random).priority]++;
    assert.deepEqual(counts, [70, 30]);
  });
});
