import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmurHash2Into } from './murmur_hash_2.ts';

/** The definition, with BigInt. */
function murmur(text: string): bigint {
  const mul = 0xc6a4a7935bd1e995n;
  const u64 = (n: bigint): bigint => BigInt.asUintN(64, n);
  const mix = (n: bigint): bigint => n ^ (n >> 47n);
  const bytes = Buffer.from(text, 'latin1');
  let hash = 0xc70f6907n ^ u64(BigInt(bytes.length) * mul);
  const aligned = bytes.length & ~7;
  for (let i = 0; i < aligned; i += 8) {
    hash = u64((hash ^ u64(mix(u64(bytes.readBigUInt64LE(i) * mul)) * mul)) * mul);
  }
  if (aligned < bytes.length) {
    let rest = 0n;
    for (let i = bytes.length - 1; i >= aligned; i--) rest = (rest << 8n) | BigInt(bytes[i]);
    hash = u64((hash ^ rest) * mul);
  }
  return mix(u64(mix(hash) * mul));
}

test('MurmurHash2 in halves is the definition in BigInt', () => {
  const target = new Uint32Array(4);
  for (let length = 0; length < 40; length++) {
    for (let i = 0; i < 25; i++) {
      const text = Array.from({ length }, (_, at) => String.fromCharCode((at * 37 + i * 101) & 0xff)).join(
        '',
      );
      murmurHash2Into(target, 2, text);
      assert.equal((BigInt(target[3]) << 32n) | BigInt(target[2]), murmur(text), JSON.stringify(text));
    }
  }
});
