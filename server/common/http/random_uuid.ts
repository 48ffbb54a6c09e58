// Random UUIDs (RFC 9562, version 4) for request ids, made many at a time as one text, of which each is a slice: node's
// randomUUID joins twenty strings, which the encoder would have to flatten for every request.

import { crypto } from '../builtins.ts';

const UUID_LENGTH = 36;
const UUID_BYTES = 16;
/** Made at a time: 2 KiB of text, small enough to stay in the processor's cache. */
const BATCH = 64;
/** Bytes of randomness fetched at a time: asking costs more than what it brings. */
const RANDOM_BYTES = 16 * BATCH * UUID_BYTES;

const HEX_DIGITS = Buffer.from('0123456789abcdef', 'latin1');
const HYPHEN = 45;

const random = Buffer.allocUnsafeSlow(RANDOM_BYTES);
let used = RANDOM_BYTES;
const digits = Buffer.alloc(BATCH * UUID_LENGTH, HYPHEN);
let batch = '';
let next = 0;

/** A fresh UUID of cryptographic randomness, lower-case. */
export function randomUuid(): string {
  if (next === batch.length) makeBatch();
  const start = next;
  next += UUID_LENGTH;
  return batch.slice(start, next);
}

function makeBatch(): void {
  if (used === RANDOM_BYTES) {
    crypto.randomFillSync(random);
    used = 0;
  }
  for (let i = 0; i < BATCH; i++) writeUuid(used + i * UUID_BYTES, i * UUID_LENGTH);
  used += BATCH * UUID_BYTES;
  batch = digits.toString('latin1');
  next = 0;
}

function writeUuid(from: number, to: number): void {
  random[from + 6] = (random[from + 6] & 0x0f) | 0x40;
  random[from + 8] = (random[from + 8] & 0x3f) | 0x80;
  let at = to;
  for (let i = 0; i < UUID_BYTES; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) at++;
    const byte = random[from + i];
    digits[at++] = HEX_DIGITS[byte >> 4];
    digits[at++] = HEX_DIGITS[byte & 15];
  }
}
