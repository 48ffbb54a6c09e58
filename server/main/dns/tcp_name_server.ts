// Asks name servers over TCP (RFC 7766), which node's resolver cannot: one connection for each question.
// Messages: RFC 1035 4.1. Failures have the codes of node's dns module.

import net from 'node:net';

const TYPES = { 4: 1, 6: 28 } as const;
const HEADER_BYTES = 12;
/** Of a name: the rest of it is elsewhere in the message (RFC 1035 4.1.4). */
const POINTER = 0xc0;
const RECURSION_DESIRED = 0x0100;
/** RCODEs. */
const CODES: Readonly<Record<number, string>> = {
  1: 'EFORMERR',
  2: 'ESERVFAIL',
  3: 'ENOTFOUND',
  4: 'ENOTIMP',
  5: 'EREFUSED',
};

export interface AddressRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

/** `server`: `1.2.3.4:53` or `[::1]:53`. Rejects as node's Resolver does. */
export function askOverTcp(
  server: string,
  name: string,
  family: 4 | 6,
  timeoutMs: number,
): Promise<AddressRecord[]> {
  const colon = server.lastIndexOf(':');
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '');
  const question = encodeQuestion(name, TYPES[family]);
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port: Number(server.slice(colon + 1)), autoSelectFamily: false });
    const fail = (code: string): void => {
      socket.destroy();
      reject(failure(code, name));
    };
    let received = Buffer.alloc(0);
    socket.setTimeout(timeoutMs, () => fail('ETIMEOUT'));
    socket.on('error', () => fail('ECONNREFUSED')).on('end', () => fail('ECONNREFUSED'));
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      socket.destroy();
      try {
        resolve(decodeAnswer(received.subarray(2), name, family));
      } catch (error) {
        reject((error as NodeJS.ErrnoException).code === undefined ? failure('EBADRESP', name) : error);
      }
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.length);
    socket.write(Buffer.concat([length, question]));
  });
}

function failure(code: string, name: string): Error {
  return Object.assign(new Error(`query ${code} ${name}`), { code });
}

function encodeQuestion(name: string, type: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(Math.floor(Math.random() * 0x1_0000), 0);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4);
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'));
  if (labels.some(({ length }) => length === 0 || length > 63)) throw failure('EBADNAME', name);
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), label]);
  return Buffer.concat([header, ...parts, Buffer.from([0, 0, type, 0, 1])]);
}

/** Throws a RangeError for a message that ends too early. */
export function decodeAnswer(message: Buffer, name: string, family: 4 | 6): AddressRecord[] {
  const code = message.readUInt8(3) & 0x0f;
  if (code !== 0) throw failure(CODES[code] ?? 'EBADRESP', name);
  const records: AddressRecord[] = [];
  let at = HEADER_BYTES;
  for (let i = message.readUInt16BE(4); i > 0; i--) at = afterName(message, at) + 4;
  for (let i = message.readUInt16BE(6); i > 0; i--) {
    at = afterName(message, at);
    const type = message.readUInt16BE(at);
    const ttl = message.readUInt32BE(at + 4);
    const length = message.readUInt16BE(at + 8);
    const data = message.subarray(at + 10, at + 10 + length);
    at += 10 + length;
    if (type === TYPES[family] && length === (family === 4 ? 4 : 16))
      records.push({ address: text(data), ttl });
  }
  if (records.length === 0) throw failure('ENODATA', name);
  return records;
}

function afterName(message: Buffer, start: number): number {
  let at = start;
  for (let length = message.readUInt8(at); length !== 0; length = message.readUInt8(at)) {
    if ((length & POINTER) === POINTER) return at + 2;
    at += 1 + length;
  }
  return at + 1;
}

function text(address: Buffer): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(2 * i).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
