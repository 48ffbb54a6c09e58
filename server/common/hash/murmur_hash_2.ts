// MurmurHash2, 64-bit, as libstdc++ hashes bytes: a word is a pair of 32-bit halves, without BigInt arithmetic.
// Envoy: source/common/common/hash.h (MurmurHash). Specification: https://github.com/aappleby/smhasher (MurmurHash64A).

/** Source: MurmurHash::STD_HASH_SEED, the seed of std::hash. */
const SEED = 0xc70f6907;
/** The multiplier 0xc6a4a7935bd1e995. */
const MUL_HIGH = 0xc6a4a793;
const MUL_LOW = 0x5bd1e995;

let high = 0;
let low = 0;

function multiply(): void {
  // The upper half of the low halves' product, in 16-bit pieces.
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = MUL_LOW & 0xffff;
  const b1 = MUL_LOW >>> 16;
  const middle = ((a0 * b0) >>> 16) + ((a0 * b1) & 0xffff) + ((a1 * b0) & 0xffff);
  const carry = a1 * b1 + ((a0 * b1) >>> 16) + ((a1 * b0) >>> 16) + (middle >>> 16);
  high = (carry + Math.imul(low, MUL_HIGH) + Math.imul(high, MUL_LOW)) | 0;
  low = Math.imul(low, MUL_LOW);
}

/** word ^= word >>> 47. */
function shiftMix(): void {
  low ^= high >>> 15;
}

function byte(text: string, at: number): number {
  return text.charCodeAt(at) & 0xff;
}

function half(text: string, at: number): number {
  return byte(text, at) | (byte(text, at + 1) << 8) | (byte(text, at + 2) << 16) | (byte(text, at + 3) << 24);
}

/** The hash of latin1 text into `target[at]` (low half) and `target[at + 1]` (high half). */
export function murmurHash2Into(target: Uint32Array, at: number, text: string): void {
  low = text.length;
  high = 0;
  multiply();
  let hashHigh = high;
  let hashLow = low ^ SEED;
  let position = 0;
  for (; position + 8 <= text.length; position += 8) {
    low = half(text, position);
    high = half(text, position + 4);
    multiply();
    shiftMix();
    multiply();
    high ^= hashHigh;
    low ^= hashLow;
    multiply();
    hashHigh = high;
    hashLow = low;
  }
  high = hashHigh;
  low = hashLow;
  if (position < text.length) {
    for (let i = position; i < text.length; i++) {
      const shift = (i - position) * 8;
      if (shift < 32) low ^= byte(text, i) << shift;
      else high ^= byte(text, i) << (shift - 32);
    }
    multiply();
  }
  shiftMix();
  multiply();
  shiftMix();
  target[at] = low;
  target[at + 1] = high;
}
