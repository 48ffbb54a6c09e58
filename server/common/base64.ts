// Base64 as Envoy reads it: padded, and nothing else than it. Envoy: source/common/common/base64.cc.

/** Undefined for what no encoder would have written. */
export function base64Decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what it does not know.
  return bytes.toString('base64') === text ? bytes : undefined;
}

export function base64Encode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
