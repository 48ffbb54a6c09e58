// XXH64 without BigInt arithmetic: a 64-bit word is a pair of 32-bit halves. Same hash keys must reach the same hosts as in Envoy
// (HashUtil::xxHash64). Specification: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md

// The five primes of the specification, as high and low halves.
const P1H = 0x9e3779b1;
const P1L = 0x85ebca87;
const P2H = 0xc2b2ae3d;
const P2L = 0x27d4eb4f;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9;
const P4H = 0x85ebca77;
const P4L = 0xc2b2ae63;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;

// The word that the functions below leave behind: two results without an allocation.
let high = 0;
let low = 0;

function set(h: number, l: number): void {
  high = h | 0;
  low = l | 0;
}

function add(h: number, l: number): void {
  const sum = (low >>> 0) + (l >>> 0);
  high = (high + h + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

function xor(h: number, l: number): void {
  high ^= h;
  low ^= l;
}

function multiply(h: number, l: number): void {
  // The low half's full product in 16-bit pieces, the rest modulo 2^32.
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = l & 0xffff;
  const b1 = l >>> 16;
  const p00 = a0 * b0;
  const p01 = a0 * b1;
  const p10 = a1 * b0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const carry = a1 * b1 + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16);
  high = (carry + Math.imul(high, l) + Math.imul(low, h)) | 0;
  low = (middle << 16) | (p00 & 0xffff);
}

/** 0 < bits < 32. */
function rotate(bits: number): void {
  const h = high;
  high = (h << bits) | (low >>> (32 - bits));
  low = (low << bits) | (h >>> (32 - bits));
}

function xorShifted(bits: number): void {
  if (bits >= 32) low ^= high >>> (bits - 32);
  else {
    low ^= (low >>> bits) | (high << (32 - bits));
    high ^= high >>> bits;
  }
}

function word(text: string, at: number): number {
  return (
    (text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    ((text.charCodeAt(at + 3) & 0xff) << 24)
  );
}

/** acc = rotl(acc + lane * P2, 31) * P1, on the word. */
function round(laneHigh: number, laneLow: number): void {
  const accHigh = high;
  const accLow = low;
  set(laneHigh, laneLow);
  multiply(P2H, P2L);
  add(accHigh, accLow);
  rotate(31);
  multiply(P1H, P1L);
}

function mergeRound(accHigh: number, accLow: number): void {
  const h = high;
  const l = low;
  set(0, 0);
  round(accHigh, accLow);
  const roundedHigh = high;
  const roundedLow = low;
  set(h, l);
  xor(roundedHigh, roundedLow);
  multiply(P1H, P1L);
  add(P4H, P4L);
}

const accumulators = new Int32Array(8);
const MERGE_ROTATIONS = [1, 7, 12, 18];

/** accumulators[n] = the word. */
function store(n: number): void {
  accumulators[2 * n] = high;
  accumulators[2 * n + 1] = low;
}

function load(n: number): void {
  set(accumulators[2 * n], accumulators[2 * n + 1]);
}

/** Reads whole stripes of 32 bytes; the result is where they end. */
function stripes(text: string, seedHigh: number, seedLow: number): number {
  set(seedHigh, seedLow);
  store(2);
  add(P2H, P2L);
  store(1);
  add(P1H, P1L);
  store(0);
  set(seedHigh, seedLow);
  // seed - P1 is seed + ~P1 + 1.
  add(~P1H, ~P1L);
  add(0, 1);
  store(3);

  let at = 0;
  for (; at + 32 <= text.length; at += 32) {
    for (let n = 0; n < 4; n++) {
      load(n);
      round(word(text, at + n * 8 + 4), word(text, at + n * 8));
      store(n);
    }
  }

  let sumHigh = 0;
  let sumLow = 0;
  for (let n = 0; n < 4; n++) {
    load(n);
    rotate(MERGE_ROTATIONS[n]);
    add(sumHigh, sumLow);
    sumHigh = high;
    sumLow = low;
  }
  for (let n = 0; n < 4; n++) mergeRound(accumulators[2 * n], accumulators[2 * n + 1]);
  return at;
}

function remainder(text: string, from: number): void {
  let at = from;
  for (; at + 8 <= text.length; at += 8) {
    const h = high;
    const l = low;
    set(0, 0);
    round(word(text, at + 4), word(text, at));
    xor(h, l);
    rotate(27);
    multiply(P1H, P1L);
    add(P4H, P4L);
  }
  if (at + 4 <= text.length) {
    const h = high;
    const l = low;
    set(0, word(text, at));
    multiply(P1H, P1L);
    xor(h, l);
    rotate(23);
    multiply(P2H, P2L);
    add(P3H, P3L);
    at += 4;
  }
  for (; at < text.length; at++) {
    const h = high;
    const l = low;
    set(0, text.charCodeAt(at) & 0xff);
    multiply(P5H, P5L);
    xor(h, l);
    rotate(11);
    multiply(P1H, P1L);
  }
}

/** The hash of `text` (a character is a byte), left in the word. */
function hash(text: string, seedHigh: number, seedLow: number): void {
  let at = 0;
  if (text.length >= 32) at = stripes(text, seedHigh, seedLow);
  else {
    set(seedHigh, seedLow);
    add(P5H, P5L);
  }
  add(0, text.length);
  remainder(text, at);
  xorShifted(33);
  multiply(P2H, P2L);
  xorShifted(29);
  multiply(P3H, P3L);
  xorShifted(32);
}

function result(): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** XXH64 of latin1 text, seed 0 unless given. */
export function xxHash64(text: string, seed = 0n): bigint {
  hash(text, Number((seed >> 32n) & 0xffffffffn), Number(seed & 0xffffffffn));
  return result();
}

/** XXH64 of latin1 text into `target[at]` (low half) and `target[at + 1]` (high half), without an allocation. `seed` below 2^32. */
export function xxHash64Into(target: Uint32Array, at: number, text: string, seed = 0): void {
  hash(text, 0, seed);
  target[at] = low;
  target[at + 1] = high;
}

/** XXH64 of several texts: each one's hash is the next one's seed, as Envoy hashes a repeated header. */
export function xxHash64All(texts: readonly string[]): bigint {
  hash(texts[0] ?? '', 0, 0);
  for (let i = 1; i < texts.length; i++) hash(texts[i], high, low);
  return result();
}
