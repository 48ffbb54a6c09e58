import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PrivateReadBuffer } from './socket.ts';

const MIN = 4096;

/** The buffer's sizes after each of `reads` (bytes; Infinity fills it). */
function sizes(buffer: PrivateReadBuffer, reads: readonly number[]): number[] {
  return reads.map((bytes) => {
    buffer.adapt(Math.min(bytes, buffer.current.length));
    return buffer.current.length;
  });
}

describe('PrivateReadBuffer', () => {
  test('begins small and grows while reads fill it', () => {
    const full = [Infinity, Infinity, Infinity, Infinity];
    assert.deepEqual(sizes(new PrivateReadBuffer(0), full), [32_768, 262_144, 1_048_576, 1_048_576]);
  });

  test('stays within what the connection may buffer', () => {
    assert.deepEqual(
      sizes(new PrivateReadBuffer(50_000), [Infinity, Infinity, Infinity]),
      [32_768, 50_000, 50_000],
    );
    assert.deepEqual(sizes(new PrivateReadBuffer(1), [Infinity]), [MIN], 'but never below its least size');
  });

  test('stays small where little is said', () => {
    assert.deepEqual(new Set(sizes(new PrivateReadBuffer(0), new Array(100).fill(100))), new Set([MIN]));
  });

  test('shrinks after many small reads, not after a few', () => {
    const buffer = new PrivateReadBuffer(0);
    sizes(buffer, [Infinity, Infinity]);
    const small = new Array<number>(31).fill(100);
    assert.equal(sizes(buffer, [...small, 200_000]).at(-1), 262_144, 'a large read starts the count again');
    assert.equal(sizes(buffer, [...small, 100]).at(-1), 32_768);
    assert.equal(sizes(buffer, [...small, 100]).at(-1), MIN);
  });

  test('memory that was lent is not read into again', () => {
    const buffer = new PrivateReadBuffer(0);
    const lent = buffer.current;
    buffer.detach();
    assert.notEqual(buffer.current, lent);
    assert.equal(buffer.current.length, lent.length);
  });
});
