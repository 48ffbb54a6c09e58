// Reads what a TLS ClientHello says about the server it wants: SNI, ALPN, kinds of certificates. Bytes are those of the wire, in as many TLS
// records as the client liked to use. It decides as BoringSSL does for Envoy's inspector: a hello that could not start a
// handshake is "not TLS". RFC 8446 4.1.2 and 5.1, RFC 6066 3, RFC 7301 3.1.

/** Handshake message of this many bytes at most, header included. Source: BoringSSL's limit for a ClientHello. */
export const MAX_CLIENT_HELLO_BYTES = 16_384;

/** Lists of code points are as on the wire: two bytes each, without their length; empty when the client sent none. */
export interface ClientHello {
  readonly type: 'client_hello';
  /** Lower case; '' when the client sent none. */
  readonly serverName: string;
  /** Undefined when the client sent none. */
  readonly applicationProtocols: readonly string[] | undefined;
  readonly cipherSuites: Uint8Array;
  readonly supportedGroups: Uint8Array;
  readonly signatureAlgorithms: Uint8Array;
  /** The highest it can speak of those that there are, as on the wire. */
  readonly version: number;
  /** It has the supported_versions extension, as everyone who speaks TLS 1.3. */
  readonly hasSupportedVersions: boolean;
  /** It would like an OCSP response. */
  readonly statusRequest: boolean;
  /** Name of the key of the session ticket it shows, in hexadecimal; '' when it shows none. RFC 5077 4, RFC 8446 4.2.11. */
  readonly ticketName: string;
  /** Wire bytes up to the end of the record that completed it. */
  readonly wireBytes: number;
}

export type ClientHelloResult = { readonly type: 'more' } | { readonly type: 'not_tls' } | ClientHello;

const MORE: ClientHelloResult = { type: 'more' };
const NOT_TLS: ClientHelloResult = { type: 'not_tls' };

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
/** TLSPlaintext.length, RFC 8446 5.1. */
const MAX_RECORD_BYTES = 16_384;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;
const STATUS_REQUEST_EXTENSION = 5;
const SUPPORTED_GROUPS_EXTENSION = 10;
const SIGNATURE_ALGORITHMS_EXTENSION = 13;
const ALPN_EXTENSION = 16;
const SESSION_TICKET_EXTENSION = 35;
const PRE_SHARED_KEY_EXTENSION = 41;
const SUPPORTED_VERSIONS_EXTENSION = 43;
const TICKET_NAME_BYTES = 16;
const NO_BYTES = new Uint8Array(0);
const TLS_1_0 = 0x0301;
export const TLS_1_3 = 0x0304;

/** Parses all bytes that came so far. Never throws. */
export function parseClientHello(bytes: Uint8Array): ClientHelloResult {
  const pieces: Uint8Array[] = [];
  let gathered = 0;
  let needed = HANDSHAKE_HEADER_BYTES;
  let at = 0;
  while (gathered < needed) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return NOT_TLS;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return NOT_TLS;
    if (at + RECORD_HEADER_BYTES > bytes.length) return MORE;
    const length = (bytes[at + 3] << 8) | bytes[at + 4];
    if (length === 0 || length > MAX_RECORD_BYTES) return NOT_TLS;
    const start = at + RECORD_HEADER_BYTES;
    const piece = bytes.subarray(start, start + length);
    pieces.push(piece);
    gathered += piece.length;
    if (gathered >= HANDSHAKE_HEADER_BYTES && needed === HANDSHAKE_HEADER_BYTES) {
      const header = pieces.length === 1 ? piece : Buffer.concat(pieces);
      if (header[0] !== CLIENT_HELLO) return NOT_TLS;
      needed += (header[1] << 16) | (header[2] << 8) | header[3];
      if (needed > MAX_CLIENT_HELLO_BYTES) return NOT_TLS;
    }
    if (piece.length < length) return MORE;
    at = start + length;
  }
  const message = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  return parseMessage(message.subarray(HANDSHAKE_HEADER_BYTES, needed), at);
}

/** A cursor over one length-delimited piece. `ok` turns false, for good, when a read runs over the end. */
class Cursor {
  readonly bytes: Uint8Array;
  at = 0;
  ok = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    if (this.left < 1) return this.fail();
    return this.bytes[this.at++];
  }

  u16(): number {
    if (this.left < 2) return this.fail();
    return (this.bytes[this.at++] << 8) | this.bytes[this.at++];
  }

  /** The next `length` bytes. */
  take(length: number): Uint8Array {
    if (this.left < length) this.fail();
    if (!this.ok) return this.bytes.subarray(0, 0);
    return this.bytes.subarray(this.at, (this.at += length));
  }

  private fail(): number {
    this.ok = false;
    this.at = this.bytes.length;
    return 0;
  }
}

interface Extensions {
  version: number;
  serverName: string;
  applicationProtocols: readonly string[] | undefined;
  supportedGroups: Uint8Array;
  signatureAlgorithms: Uint8Array;
  hasSupportedVersions: boolean;
  statusRequest: boolean;
  ticketName: string;
}

function parseMessage(message: Uint8Array, wireBytes: number): ClientHelloResult {
  const cursor = new Cursor(message);
  const found: Extensions = {
    version: cursor.u16(),
    serverName: '',
    applicationProtocols: undefined,
    supportedGroups: NO_BYTES,
    signatureAlgorithms: NO_BYTES,
    hasSupportedVersions: false,
    statusRequest: false,
    ticketName: '',
  };
  cursor.take(32);
  const sessionId = cursor.take(cursor.u8());
  const cipherSuites = cursor.take(cursor.u16());
  const compressionMethods = cursor.take(cursor.u8());
  if (!cursor.ok || sessionId.length > 32) return NOT_TLS;
  if (cipherSuites.length < 2 || cipherSuites.length % 2 === 1 || compressionMethods.length === 0)
    return NOT_TLS;
  if (cursor.left > 0) {
    const extensions = new Cursor(cursor.take(cursor.u16()));
    if (!cursor.ok || cursor.left > 0 || !readExtensions(extensions, found)) return NOT_TLS;
  }
  if (found.version < TLS_1_0) return NOT_TLS;
  return { type: 'client_hello', ...found, cipherSuites, wireBytes };
}

/** False when the list is broken, or when an extension comes twice. */
function readExtensions(cursor: Cursor, found: Extensions): boolean {
  const seen = new Set<number>();
  while (cursor.left > 0) {
    const type = cursor.u16();
    const body = cursor.take(cursor.u16());
    if (!cursor.ok || seen.has(type)) return false;
    seen.add(type);
    if (type === SERVER_NAME_EXTENSION) {
      const name = readServerName(new Cursor(body));
      if (name === undefined) return false;
      found.serverName = name;
    } else if (type === ALPN_EXTENSION) {
      found.applicationProtocols = readProtocols(new Cursor(body));
    } else if (type === SUPPORTED_VERSIONS_EXTENSION) {
      found.version = readVersions(new Cursor(body));
      found.hasSupportedVersions = true;
    } else if (type === SUPPORTED_GROUPS_EXTENSION) {
      found.supportedGroups = readCodePoints(new Cursor(body));
    } else if (type === SIGNATURE_ALGORITHMS_EXTENSION) {
      found.signatureAlgorithms = readCodePoints(new Cursor(body));
    } else if (type === STATUS_REQUEST_EXTENSION) {
      found.statusRequest = true;
    } else if (type === SESSION_TICKET_EXTENSION) {
      found.ticketName = ticketName(body);
    } else if (type === PRE_SHARED_KEY_EXTENSION) {
      const identities = new Cursor(body);
      identities.u16();
      found.ticketName = ticketName(identities.take(identities.u16()));
    }
  }
  return true;
}

/** Exactly one host name of 1 to 255 bytes without NUL, as BoringSSL wants it. */
function readServerName(cursor: Cursor): string | undefined {
  const list = new Cursor(cursor.take(cursor.u16()));
  const type = list.u8();
  const name = list.take(list.u16());
  if (!cursor.ok || !list.ok || cursor.left > 0 || list.left > 0 || type !== 0) return undefined;
  if (name.length === 0 || name.length > 255 || name.includes(0)) return undefined;
  return Buffer.from(name).toString('latin1').toLowerCase();
}

/** Undefined when broken: the handshake itself will complain. */
function readProtocols(cursor: Cursor): readonly string[] | undefined {
  const list = new Cursor(cursor.take(cursor.u16()));
  const protocols: string[] = [];
  while (list.left > 0) {
    const name = list.take(list.u8());
    if (!list.ok || name.length === 0) return undefined;
    protocols.push(Buffer.from(name).toString('latin1'));
  }
  return cursor.ok && cursor.left === 0 && protocols.length > 0 ? protocols : undefined;
}

function ticketName(ticket: Uint8Array): string {
  return ticket.length < TICKET_NAME_BYTES ? '' : Buffer.from(ticket).toString('hex', 0, TICKET_NAME_BYTES);
}

/** Empty when broken: the handshake itself will complain. */
function readCodePoints(cursor: Cursor): Uint8Array {
  const list = cursor.take(cursor.u16());
  return cursor.ok && cursor.left === 0 && list.length % 2 === 0 ? list : NO_BYTES;
}

/** The highest version both sides may know, or 0. */
function readVersions(cursor: Cursor): number {
  const list = new Cursor(cursor.take(cursor.u8()));
  let highest = 0;
  while (list.left > 0) {
    const version = list.u16();
    if (version >= TLS_1_0 && version <= TLS_1_3) highest = Math.max(highest, version);
  }
  return cursor.ok && list.ok ? highest : 0;
}
