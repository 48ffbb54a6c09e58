// Reads certificates as far as people ask about them: whose, by whom, until when. Nothing is verified. RFC 5280, in DER (X.690).

export interface X509 {
  readonly subject: string;
  readonly issuer: string;
  /** In hexadecimal digits, as the proxy says it. */
  readonly serialNumber: string;
  /** The values of all kinds. */
  readonly subjectAltNames: readonly string[];
  /** ms since 1970. */
  readonly validFrom: number;
  readonly expiresAt: number;
}

/** A value of DER: what is in it, and where it is. */
interface Element {
  readonly tag: number;
  readonly bytes: Uint8Array;
}

const TAG = { version: 0xa0, extensions: 0xa3, utcTime: 0x17, octets: 0x04, bmpString: 0x1e, email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const; // biome-ignore format: a list
const SUBJECT_ALT_NAME = '2.5.29.17';
/** Names of attributes as OpenSSL shows them, and so node. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '1.2.840.113549.1.9.1': 'emailAddress',
  '0.9.2342.19200300.100.1.25': 'DC',
};

/** Every certificate of a PEM; what is none is left out. */
export function certificatesOfPem(pem: string): X509[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/g);
  return [...blocks].flatMap(([, base64]) => {
    try {
      return [certificateOf(Uint8Array.from(atob(base64!.replace(/\s/g, '')), (each) => each.charCodeAt(0)))];
    } catch {
      return [];
    }
  });
}

/** Throws RangeError for what is no certificate. */
function certificateOf(der: Uint8Array): X509 {
  const [certificate] = elements(der);
  const parts = elements(elements(some(certificate).bytes)[0]!.bytes);
  const [serial, , issuer, validity, subject] = some(parts[0]).tag === TAG.version ? parts.slice(1) : parts;
  const [from, to] = elements(some(validity).bytes);
  const extensions = parts.find(({ tag }) => tag === TAG.extensions);
  return {
    subject: nameOf(some(subject)),
    issuer: nameOf(some(issuer)),
    serialNumber: hex(some(serial).bytes).replace(/^00(?=.)/, ''),
    subjectAltNames: extensions === undefined ? [] : altNames(extensions),
    validFrom: timeOf(some(from)),
    expiresAt: timeOf(some(to)),
  };
}

function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at]!;
    let length = bytes[at + 1]!;
    at += 2;
    if (length > 0x80) {
      const size = length - 0x80;
      length = bytes.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
      at += size;
    }
    if (!(at + length <= bytes.length)) throw new RangeError('it is cut off');
    found.push({ tag, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

function some(element: Element | undefined): Element {
  if (element === undefined) throw new RangeError('a part is missing');
  return element;
}

/** A Name: sets of attributes, which mostly hold one each. */
function nameOf({ bytes }: Element): string {
  return elements(bytes)
    .flatMap((set) => elements(set.bytes))
    .map((attribute) => {
      const [type, value] = elements(attribute.bytes);
      const oid = identifier(some(type).bytes);
      return `${ATTRIBUTES[oid] ?? oid}=${textOf(some(value))}`;
    })
    .join(', ');
}

function altNames(extensions: Element): string[] {
  const [all] = elements(extensions.bytes);
  for (const extension of elements(some(all).bytes)) {
    const parts = elements(extension.bytes);
    if (identifier(some(parts[0]).bytes) !== SUBJECT_ALT_NAME) continue;
    const [names] = elements(some(parts.find(({ tag }) => tag === TAG.octets)).bytes);
    return elements(some(names).bytes).flatMap((name) => {
      if (name.tag === TAG.ip) return [addressOf(name.bytes)];
      return name.tag === TAG.dns || name.tag === TAG.uri || name.tag === TAG.email ? [textOf(name)] : [];
    });
  }
  return [];
}

function addressOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Every kind of string but one is ASCII or UTF-8. */
function textOf({ tag, bytes }: Element): string {
  return new TextDecoder(tag === TAG.bmpString ? 'utf-16be' : 'utf-8').decode(bytes);
}

/** Years of two digits are of 1950 to 2049. */
function timeOf({ tag, bytes }: Element): number {
  const digits = textOf({ tag, bytes });
  const full = tag === TAG.utcTime ? `${Number(digits.slice(0, 2)) < 50 ? '20' : '19'}${digits}` : digits;
  return Date.parse(
    full.replace(
      /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?.*$/,
      (_, y, m, d, h, min, s = '00') => `${y}-${m}-${d}T${h}:${min}:${s}Z`,
    ),
  );
}

function identifier(bytes: Uint8Array): string {
  const [first = 0, ...rest] = bytes;
  const parts = [Math.min(2, Math.floor(first / 40)), first - 40 * Math.min(2, Math.floor(first / 40))];
  let part = 0;
  for (const byte of rest) {
    part = part * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      parts.push(part);
      part = 0;
    }
  }
  return parts.join('.');
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
