// Writes DER, as far as a certificate signing request needs it. ITU-T X.690: tag, length, content; lengths as short as can be.

/** Universal tags; SEQUENCE and SET with the bit of constructed encodings. */
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT_SPECIFIC = 0x80;
const CONSTRUCTED = 0x20;

/** One value of any tag below 31. */
function value(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): number[] {
  return length < 0x80 ? [length] : longForm(length);
}

/** The number of octets, then the octets, the most significant first. */
function longForm(length: number): number[] {
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) octets.unshift(rest & 0xff);
  return [0x80 | octets.length, ...octets];
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return value(SEQUENCE, ...parts);
}

export function setOf(only: Uint8Array): Buffer {
  return value(SET, only);
}

/** `number` is 0 to 127. */
export function smallInteger(number: number): Buffer {
  return value(INTEGER, Buffer.from([number]));
}

export function boolean(truth: boolean): Buffer {
  return value(BOOLEAN, Buffer.from([truth ? 0xff : 0x00]));
}

/** Whole octets: the leading one says that no bit of the last is unused. */
export function bitString(bytes: Uint8Array): Buffer {
  return value(BIT_STRING, Buffer.from([0]), bytes);
}

export function octetString(bytes: Uint8Array): Buffer {
  return value(OCTET_STRING, bytes);
}

/** `text` is dotted: `1.2.840.10045.4.3.2`. */
export function objectIdentifier(text: string): Buffer {
  const [first, second, ...arcs] = text.split('.').map(Number) as [number, number, ...number[]];
  return value(OBJECT_IDENTIFIER, Buffer.from([first * 40 + second, ...arcs.flatMap(base128)]));
}

/** Seven bits an octet, the high bit on all but the last. */
function base128(arc: number): number[] {
  const octets = [arc & 0x7f];
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) octets.unshift((rest & 0x7f) | 0x80);
  return octets;
}

/** `[number] IMPLICIT` of a primitive type. */
export function implicit(number: number, bytes: Uint8Array): Buffer {
  return value(CONTEXT_SPECIFIC | number, bytes);
}

/** `[number] IMPLICIT` of a SEQUENCE or SET. */
export function implicitConstructed(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return value(CONTEXT_SPECIFIC | CONSTRUCTED | number, ...parts);
}
