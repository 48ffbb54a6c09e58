// Reads the endpoints of a ClusterLoadAssignment right from its wire bytes, without a message object for each: fifty thousand
// of them are read in a few milliseconds. It knows what endpoints mostly are - an IP address and port, a health status, a
// weight, a name, metadata - and gives up on anything else; then the whole assignment is decoded and compiled as always.
// Document: config.endpoint.v3.ClusterLoadAssignment; wire format: protobuf.dev/programming-guides/encoding.

import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import { Reader } from '../../../xds-protos/wire.ts';
import { canonicalIpv6, ipAddress } from '../network/address.ts';
import {
  CHECKED_AS_ITSELF,
  type CompiledEndpoint,
  type CompiledEndpoints,
  type CompiledLoadAssignment,
  type CompiledLocality,
  compileLocalities,
  compilePolicy,
  NO_OTHER_IPS,
} from './load_assignment.ts';
import { type FilterMetadata, filterMetadata } from './metadata.ts';

const latin1Slice = Buffer.prototype.latin1Slice;

/** A tag of a field that is a varint, or has a length. Source: the field numbers of config/endpoint/v3. */
const varint = (field: number): number => field << 3;
const bytes = (field: number): number => (field << 3) | 2;
const ASSIGNMENT_ENDPOINTS = bytes(2);
const ASSIGNMENT_NAMED_ENDPOINTS = bytes(5);
const LOCALITY_LB_ENDPOINTS = bytes(2);
const LB_ENDPOINT_ENDPOINT = bytes(1);
const LB_ENDPOINT_HEALTH_STATUS = varint(2);
const LB_ENDPOINT_METADATA = bytes(3);
const LB_ENDPOINT_WEIGHT = bytes(4);
const ENDPOINT_ADDRESS = bytes(1);
const ENDPOINT_HOSTNAME = bytes(3);
const ADDRESS_SOCKET_ADDRESS = bytes(1);
const SOCKET_PROTOCOL = varint(1);
const SOCKET_ADDRESS = bytes(2);
const SOCKET_PORT = varint(3);
const WRAPPED_VALUE = varint(1);

const DOT = 46;
const ZERO = 48;
const MAX_PORT = 65535;
/** The largest number of core.v3.HealthStatus. */
const MAX_HEALTH_STATUS = 5;

/** Columns of an endpoint: where its parts begin and end in the wire bytes, and its numbers. */
const START = 0;
const END = 1;
const LOCALITY = 2;
const IP_START = 3;
const IP_END = 4;
const PORT = 5;
const HEALTH_STATUS = 6;
const WEIGHT = 7;
const HOSTNAME_START = 8;
const HOSTNAME_END = 9;
const METADATA_START = 10;
const METADATA_END = 11;
const COLUMNS = 12;

/** The endpoints of one assignment, in the order of the message. */
export class PlainEndpoints {
  /** What the endpoints lie in: an assignment with all its localities, and no endpoint in any. */
  readonly shell: ClusterLoadAssignment;
  /** The wire bytes of `shell`. */
  readonly shellBytes: Uint8Array;
  readonly count: number;
  private readonly buffer: Buffer;
  private readonly table: Int32Array;

  private constructor(buffer: Buffer, table: Int32Array, shellBytes: Uint8Array) {
    this.buffer = buffer;
    this.table = table;
    this.count = table.length / COLUMNS;
    this.shellBytes = shellBytes;
    this.shell = decode('envoy.config.endpoint.v3.ClusterLoadAssignment', shellBytes);
  }

  /** Undefined when there are endpoints of another kind. Throws DecodeError for bytes that are no message. */
  static read(assignment: Uint8Array): PlainEndpoints | undefined {
    const reader = new Reader(assignment);
    const shell: Buffer[] = [];
    const bounds: number[] = [];
    let count = 0;
    for (let start = 0, tag = reader.tag(); tag !== 0; start = reader.position, tag = reader.tag()) {
      if (tag === ASSIGNMENT_NAMED_ENDPOINTS) return undefined;
      if (tag === ASSIGNMENT_ENDPOINTS) {
        const from = reader.delimited();
        bounds.push(from, reader.position);
        count += addWithoutEndpoints(reader, from, shell);
      } else {
        reader.skip(tag);
        shell.push(reader.buffer.subarray(start, reader.position));
      }
    }
    const table = new Int32Array(count * COLUMNS);
    if (!fill(table, reader, bounds)) return undefined;
    return new PlainEndpoints(reader.buffer, table, Buffer.concat(shell));
  }

  /** Index of the locality that the endpoint lies in. */
  locality(index: number): number {
    return this.table[index * COLUMNS + LOCALITY];
  }

  port(index: number): number {
    return this.table[index * COLUMNS + PORT];
  }

  /** Its core.v3.HealthStatus, as a number. */
  healthStatus(index: number): number {
    return this.table[index * COLUMNS + HEALTH_STATUS];
  }

  weight(index: number): number {
    return this.table[index * COLUMNS + WEIGHT] >>> 0;
  }

  /** Its IPv4 address as a number; -1 for an IPv6 address. */
  ipv4(index: number): number {
    const row = index * COLUMNS;
    return ipv4At(this.buffer, this.table[row + IP_START], this.table[row + IP_END]);
  }

  ip(index: number): string {
    const text = this.text(index * COLUMNS + IP_START);
    return text.includes(':') ? canonicalIpv6(text) : text;
  }

  hostname(index: number): string {
    return this.text(index * COLUMNS + HOSTNAME_START);
  }

  /** The wire bytes of its metadata, as latin1; '' for none. */
  metadataKey(index: number): string {
    return this.text(index * COLUMNS + METADATA_START);
  }

  /** Do both describe the `index`-th endpoint in the same words? Their localities are not looked at. */
  isSame(index: number, other: PlainEndpoints): boolean {
    if (index >= other.count) return false;
    const row = index * COLUMNS;
    const start = this.table[row + START];
    const size = this.table[row + END] - start;
    const otherStart = other.table[row + START];
    if (size !== other.table[row + END] - otherStart) return false;
    const { buffer } = this;
    const theirs = other.buffer;
    for (let i = 0; i < size; i++) if (buffer[start + i] !== theirs[otherStart + i]) return false;
    return true;
  }

  /** As compileLoadAssignment of the whole message. `before`: the endpoints that these come in place of. */
  compile(before: PlainEndpoints | undefined): CompiledLoadAssignment {
    const { shell } = this;
    return { policy: compilePolicy(shell, ''), endpoints: new CompiledPlainEndpoints(this, before) };
  }

  private text(at: number): string {
    const start = this.table[at];
    const end = this.table[at + 1];
    return start === end ? '' : latin1Slice.call(this.buffer, start, end);
  }
}

class CompiledPlainEndpoints implements CompiledEndpoints {
  readonly length: number;
  private readonly plain: PlainEndpoints;
  private readonly before: PlainEndpoints | undefined;
  private readonly localities: readonly CompiledLocality[];
  /** Is this locality as it was before? */
  private readonly sameLocality: readonly boolean[];
  /** By its wire bytes: many endpoints have the same. */
  private readonly metadata = new Map<string, FilterMetadata | undefined>();

  constructor(plain: PlainEndpoints, before: PlainEndpoints | undefined) {
    this.length = plain.count;
    this.plain = plain;
    this.before = before;
    this.localities = compileLocalities(plain.shell, '');
    const others = before === undefined ? [] : compileLocalities(before.shell, '');
    this.sameLocality = this.localities.map((one, index) => isDeepStrictEqual(one, others[index]));
  }

  isUnchanged(index: number): boolean {
    const { plain, before } = this;
    const locality = plain.locality(index);
    return (
      before !== undefined &&
      this.sameLocality[locality] &&
      plain.isSame(index, before) &&
      before.locality(index) === locality
    );
  }

  at(index: number): CompiledEndpoint {
    const { plain } = this;
    return {
      address: ipAddress(plain.ip(index), plain.port(index)),
      otherIps: NO_OTHER_IPS,
      hostname: plain.hostname(index),
      locality: this.localities[plain.locality(index)],
      weight: plain.weight(index),
      metadata: this.metadataAt(index),
      healthCheck: CHECKED_AS_ITSELF,
    };
  }

  private metadataAt(index: number): FilterMetadata | undefined {
    const key = this.plain.metadataKey(index);
    if (key === '') return undefined;
    if (this.metadata.has(key)) return this.metadata.get(key);
    const metadata = filterMetadata(decode('envoy.config.core.v3.Metadata', Buffer.from(key, 'latin1')));
    this.metadata.set(key, metadata);
    return metadata;
  }
}

/** False where there is an endpoint that is not plain. */
function fill(table: Int32Array, reader: Reader, bounds: readonly number[]): boolean {
  let row = 0;
  for (let locality = 0; locality < bounds.length / 2; locality++) {
    reader.position = bounds[2 * locality];
    reader.end = bounds[2 * locality + 1];
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag !== LOCALITY_LB_ENDPOINTS) {
        reader.skip(tag);
        continue;
      }
      table[row + LOCALITY] = locality;
      if (!readLbEndpoint(reader, table, row)) return false;
      row += COLUMNS;
    }
  }
  return true;
}

// Each of these stands before a length, and reads as far as that goes. False for what is not plain.

function readLbEndpoint(reader: Reader, table: Int32Array, row: number): boolean {
  const outer = enter(reader);
  table[row + START] = reader.position;
  table[row + END] = reader.end;
  table[row + WEIGHT] = 1;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === LB_ENDPOINT_ENDPOINT) {
      // Messages that come in pieces are put together: not here.
      if (table[row + IP_END] !== 0 || !readEndpoint(reader, table, row)) return false;
    } else if (tag === LB_ENDPOINT_HEALTH_STATUS) {
      const status = reader.varint();
      if (status > MAX_HEALTH_STATUS || reader.high !== 0) return false;
      table[row + HEALTH_STATUS] = status;
    } else if (tag === LB_ENDPOINT_WEIGHT) {
      if (!readWeight(reader, table, row)) return false;
    } else if (tag === LB_ENDPOINT_METADATA && table[row + METADATA_END] === 0) {
      readBytes(reader, table, row + METADATA_START);
    } else return false;
  }
  reader.end = outer;
  return table[row + IP_END] !== 0;
}

function readEndpoint(reader: Reader, table: Int32Array, row: number): boolean {
  const outer = enter(reader);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ENDPOINT_ADDRESS) {
      if (table[row + IP_END] !== 0 || !readAddress(reader, table, row)) return false;
    } else if (tag === ENDPOINT_HOSTNAME) {
      readBytes(reader, table, row + HOSTNAME_START);
      // What is not ASCII would have to be checked.
      for (let i = table[row + HOSTNAME_START]; i < table[row + HOSTNAME_END]; i++)
        if (reader.buffer[i] >= 0x80) return false;
    } else return false;
  }
  reader.end = outer;
  return true;
}

function readAddress(reader: Reader, table: Int32Array, row: number): boolean {
  const outer = enter(reader);
  if (reader.tag() !== ADDRESS_SOCKET_ADDRESS || !readSocketAddress(reader, table, row)) return false;
  const whole = reader.position === reader.end;
  reader.end = outer;
  return whole;
}

function readSocketAddress(reader: Reader, table: Int32Array, row: number): boolean {
  const outer = enter(reader);
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === SOCKET_ADDRESS) {
      readBytes(reader, table, row + IP_START);
      if (!isIpAt(reader.buffer, table[row + IP_START], table[row + IP_END])) return false;
    } else if (tag === SOCKET_PORT) {
      const port = reader.varint();
      if (port > MAX_PORT || reader.high !== 0) return false;
      table[row + PORT] = port;
    } else if (tag !== SOCKET_PROTOCOL || reader.varint() !== 0) return false;
  }
  reader.end = outer;
  return true;
}

function readWeight(reader: Reader, table: Int32Array, row: number): boolean {
  const outer = enter(reader);
  let weight = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== WRAPPED_VALUE) return false;
    weight = reader.varint();
  }
  table[row + WEIGHT] = weight;
  reader.end = outer;
  return weight > 0;
}

function readBytes(reader: Reader, table: Int32Array, column: number): void {
  table[column] = reader.delimited();
  table[column + 1] = reader.position;
}

function isIpAt(buffer: Buffer, start: number, end: number): boolean {
  if (ipv4At(buffer, start, end) >= 0) return true;
  const text = latin1Slice.call(buffer, start, end);
  return isIP(text) === 6 && !text.includes('%');
}

/** Moves into the part that the reader stands before; the result is the end to go back to. */
function enter(reader: Reader): number {
  const outer = reader.end;
  const start = reader.delimited();
  reader.end = reader.position;
  reader.position = start;
  return outer;
}

/** Adds a locality to the wire bytes of the shell; returns how many endpoints it has. `reader` stands behind it, and does so again. */
function addWithoutEndpoints(reader: Reader, from: number, shell: Buffer[]): number {
  const { end, position } = reader;
  const kept: Buffer[] = [];
  let count = 0;
  reader.end = position;
  reader.position = from;
  for (let start = from, tag = reader.tag(); tag !== 0; start = reader.position, tag = reader.tag()) {
    reader.skip(tag);
    if (tag === LOCALITY_LB_ENDPOINTS) count++;
    else kept.push(reader.buffer.subarray(start, reader.position));
  }
  reader.end = end;
  let size = 0;
  for (const part of kept) size += part.length;
  shell.push(Buffer.from([ASSIGNMENT_ENDPOINTS, ...varintOf(size)]), ...kept);
  return count;
}

function varintOf(value: number): number[] {
  const all: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) all.push((rest & 0x7f) | 0x80);
  return [...all, rest];
}

/** The number of an IPv4 address in text, as inet_pton(3) takes it: four decimal numbers without leading zeros. Else -1. */
function ipv4At(buffer: Buffer, start: number, end: number): number {
  let value = 0;
  let dots = 0;
  let part = -1;
  for (let i = start; i < end; i++) {
    const byte = buffer[i];
    if (byte === DOT) {
      if (part < 0 || ++dots > 3) return -1;
      value = value * 256 + part;
      part = -1;
      continue;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9 || part === 0) return -1;
    part = part < 0 ? digit : part * 10 + digit;
    if (part > 255) return -1;
  }
  return dots === 3 && part >= 0 ? value * 256 + part : -1;
}
