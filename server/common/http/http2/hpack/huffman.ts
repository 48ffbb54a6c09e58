// HPACK's Huffman code. Source: RFC 7541 5.2 and appendix B. The code is canonical, so the lengths tell it all. Decoding
// walks a table by half bytes, which emits at most one character a step.

/** Bits of the code of each byte, and of EOS. */
// biome-ignore format: a table
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const EOS = 256;
const LONGEST = 30;

const CODES = canonicalCodes();

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(LENGTHS.length);
  let code = 0;
  for (let length = 1; length <= LONGEST; length++) {
    for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
      if (LENGTHS[symbol] === length) codes[symbol] = code++;
    }
    code <<= 1;
  }
  return codes;
}

// A step of the decoder, packed: the character, whether there is one, whether the input may end here, and the next state.
const EMITS = 0x100;
const MAY_END = 0x200;
const NEXT_SHIFT = 10;
const FAILURE = 0xffff;

/** By `state * 16 + half byte`. A state is an inner node of the code's tree; 0 is its root. */
const STEPS = decodingSteps();

function decodingSteps(): Uint32Array {
  const { children, mayEnd } = codeTree();
  const states = children.length / 2;
  const steps = new Uint32Array(states * 16);
  for (let state = 0; state < states; state++) {
    for (let nibble = 0; nibble < 16; nibble++)
      steps[state * 16 + nibble] = step(children, mayEnd, state, nibble);
  }
  return steps;
}

/** `children[2 * node + bit]` is a node, or a symbol as its bitwise complement. `mayEnd`: nodes reached by fewer than eight 1s. */
function codeTree(): { children: number[]; mayEnd: boolean[] } {
  const children = [0, 0];
  for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
    let node = 0;
    for (let bit = LENGTHS[symbol] - 1; bit >= 0; bit--) {
      const at = 2 * node + ((CODES[symbol] >>> bit) & 1);
      if (bit === 0) {
        children[at] = ~symbol;
      } else {
        if (children[at] === 0) {
          children[at] = children.length / 2;
          children.push(0, 0);
        }
        node = children[at];
      }
    }
  }
  const mayEnd: boolean[] = new Array(children.length / 2).fill(false);
  for (let node = 0, ones = 0; ones < 8 && node >= 0; ones++) {
    mayEnd[node] = true;
    node = children[2 * node + 1];
  }
  return { children, mayEnd };
}

function step(children: readonly number[], mayEnd: readonly boolean[], from: number, nibble: number): number {
  let node = from;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    node = children[2 * node + ((nibble >>> bit) & 1)];
    if (node >= 0) continue;
    if (~node === EOS) return FAILURE << NEXT_SHIFT;
    emitted = EMITS | ~node;
    node = 0;
  }
  return (node << NEXT_SHIFT) | (mayEnd[node] ? MAY_END : 0) | emitted;
}

/**
 * Decodes `bytes[start, end)` into `target` from offset `at`, which needs room for 8/5 of the input. Returns the end of
 * what was written, or -1 for what no encoder makes (EOS, wrong padding).
 */
export function huffmanDecode(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let state = 0;
  let to = at;
  let entry = MAY_END;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    entry = STEPS[(state << 4) | (byte >>> 4)];
    if ((entry & EMITS) !== 0) target[to++] = entry & 0xff;
    state = entry >>> NEXT_SHIFT;
    if (state === FAILURE) return -1;
    entry = STEPS[(state << 4) | (byte & 15)];
    if ((entry & EMITS) !== 0) target[to++] = entry & 0xff;
    state = entry >>> NEXT_SHIFT;
    if (state === FAILURE) return -1;
  }
  return (entry & MAY_END) !== 0 ? to : -1;
}

/** Bytes that `text` (latin1) takes when encoded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i) & 0xff];
  return (bits + 7) >>> 3;
}

/** Encodes `text` (latin1) into `target` from offset `at`. Returns the end of what was written. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let to = at;
  // Fewer than 8 bits wait here, and a code has up to 30: numbers, not 32-bit integers, hold them.
  let waiting = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    waiting = waiting * 2 ** LENGTHS[symbol] + CODES[symbol];
    count += LENGTHS[symbol];
    while (count >= 8) {
      count -= 8;
      const unit = 2 ** count;
      const byte = Math.floor(waiting / unit);
      target[to++] = byte;
      waiting -= byte * unit;
    }
  }
  if (count > 0) target[to++] = (waiting << (8 - count)) | (0xff >>> count);
  return to;
}
