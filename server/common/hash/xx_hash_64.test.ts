import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xxHash64, xxHash64All } from './xx_hash_64.ts';

// Known values of XXH64 with seed 0, of every path through the algorithm.
const KNOWN: [string, bigint][] = [
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['abc', 0x44bc2cf5ad770999n],
  ['Call me Ishmael. Some years ago--never mind how long precisely-', 0x02a2e85470d6fd96n],
];

test('known hashes', () => {
  for (const [text, hash] of KNOWN) assert.equal(xxHash64(text), hash);
});

test('several texts are chained by the seed', () => {
  assert.equal(xxHash64All(['abc']), xxHash64('abc'));
  assert.equal(xxHash64All(['abc', 'd']), xxHash64('d', xxHash64('abc')));
  assert.equal(xxHash64All([]), xxHash64(''));
});
