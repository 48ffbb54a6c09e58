// Headers are latin1 text (a character is a byte), configuration is Unicode. A configured text that is compared with a header,
// or put into one, is first turned into the bytes of its UTF-8 form; without that `é` would never match.

const ASCII = /^[\x00-\x7f]*$/;

/** The UTF-8 bytes of `text`, a character each. */
export function latin1Of(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** Are all characters below 0x80? */
export function isAscii(text: string): boolean {
  return ASCII.test(text);
}
