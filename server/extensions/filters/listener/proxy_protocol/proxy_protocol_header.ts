// Reads the header of the PROXY protocol, versions 1 (a line of text) and 2 (binary, with TLVs).
// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt; where it leaves room, as Envoy's
// source/extensions/filters/listener/proxy_protocol/proxy_protocol.cc.

import type { Address } from '../../../../api/stream_info.ts';
import { ipAddress, parseIp } from '../../../../common/network/address.ts';
import { parseSockaddr } from '../../../../common/network/socket_option.ts';

export interface Tlv {
  /** 0 to 255. */
  readonly type: number;
  readonly value: Uint8Array;
}

export interface ProxyProtocolHeader {
  readonly type: 'header';
  readonly version: 1 | 2;
  /** Bytes of the whole header. */
  readonly length: number;
  /** Undefined for UNKNOWN and LOCAL: the socket's own addresses hold. */
  readonly addresses: { readonly source: Address; readonly destination: Address } | undefined;
  readonly tlvs: readonly Tlv[];
}

export type ProxyProtocolResult =
  | { readonly type: 'more' }
  /** No PROXY protocol, and none can come any more. */
  | { readonly type: 'not_found' }
  /** The beginning of a header that is wrong. */
  | { readonly type: 'error'; readonly version: 1 | 2 }
  | ProxyProtocolHeader;

export const V1_SIGNATURE = Buffer.from('PROXY', 'latin1');
export const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** A version 2 header without addresses, TLVs. */
const V2_HEADER_BYTES = 16;
/** A version 1 line at most, its CRLF included. Source: Envoy's MAX_PROXY_PROTO_LEN_V1 (the specification says 107). */
const V1_MAX_BYTES = 108;
/** The longest header: 16 bit of length behind the version 2 header. */
export const MAX_HEADER_BYTES = V2_HEADER_BYTES + 0xffff;

const MORE: ProxyProtocolResult = { type: 'more' };
const NOT_FOUND: ProxyProtocolResult = { type: 'not_found' };
const NO_TLVS: readonly Tlv[] = [];

/** Do the bytes so far begin as `signature` does? */
export function maybe(signature: Buffer, bytes: Buffer): boolean {
  const length = Math.min(signature.length, bytes.length);
  return signature.compare(bytes, 0, length, 0, length) === 0;
}

/** Parses all bytes that came so far. Never throws. */
export function parseProxyProtocol(bytes: Buffer): ProxyProtocolResult {
  if (bytes.length >= V2_HEADER_BYTES) {
    if (maybe(V2_SIGNATURE, bytes)) return parseV2(bytes);
    if (!maybe(V1_SIGNATURE, bytes)) return NOT_FOUND;
  }
  const end = bytes.indexOf('\r\n', 1, 'latin1');
  if (end < 0) return bytes.length > V1_MAX_BYTES ? NOT_FOUND : MORE;
  // Less than a version 2 signature, which has line ends of its own.
  if (maybe(V2_SIGNATURE, bytes)) return MORE;
  return parseV1(bytes.toString('latin1', 0, end), end + 2);
}

function parseV1(line: string, length: number): ProxyProtocolResult {
  const error: ProxyProtocolResult = { type: 'error', version: 1 };
  if (length > V1_MAX_BYTES) return error;
  const [signature, protocol, source, destination, sourcePort, destinationPort, ...rest] = line
    .trimEnd()
    .split(' ');
  if (signature !== 'PROXY') return error;
  if (protocol === 'UNKNOWN')
    return { type: 'header', version: 1, length, addresses: undefined, tlvs: NO_TLVS };
  if ((protocol !== 'TCP4' && protocol !== 'TCP6') || rest.length > 0) return error;
  const version = protocol === 'TCP4' ? 4 : 6;
  const from = v1Address(source, sourcePort, version);
  const to = v1Address(destination, destinationPort, version);
  if (from === undefined || to === undefined) return error;
  return { type: 'header', version: 1, length, addresses: { source: from, destination: to }, tlvs: NO_TLVS };
}

function v1Address(ip: string | undefined, port: string | undefined, version: 4 | 6): Address | undefined {
  if (ip === undefined || port === undefined || !/^\d{1,5}$/.test(port) || Number(port) > 0xffff)
    return undefined;
  return parseIp(ip)?.version === version && isUnicast(ip) ? ipAddress(ip, Number(port)) : undefined;
}

function parseV2(bytes: Buffer): ProxyProtocolResult {
  const error: ProxyProtocolResult = { type: 'error', version: 2 };
  const command = bytes[12];
  const length = V2_HEADER_BYTES + bytes.readUInt16BE(14);
  if (command === 0x20) {
    if (bytes.length < length) return MORE;
    return { type: 'header', version: 2, length, addresses: undefined, tlvs: NO_TLVS };
  }
  const family = bytes[13] >> 4;
  const transport = bytes[13] & 0xf;
  if (command !== 0x21 || (family !== 1 && family !== 2) || (transport !== 1 && transport !== 2))
    return error;
  const addressEnd = V2_HEADER_BYTES + (family === 1 ? 12 : 36);
  if (length < addressEnd) return error;
  if (bytes.length < length) return MORE;
  const addresses = v2Addresses(bytes.subarray(V2_HEADER_BYTES, addressEnd), family === 1 ? 4 : 6);
  const tlvs = parseTlvs(bytes.subarray(addressEnd, length));
  if (addresses === undefined || tlvs === undefined) return error;
  return { type: 'header', version: 2, length, addresses, tlvs };
}

/** Source, destination, source port, destination port. */
function v2Addresses(body: Buffer, version: 4 | 6): ProxyProtocolHeader['addresses'] {
  const size = version === 4 ? 4 : 16;
  const source = v2Address(body.subarray(0, size), body.readUInt16BE(2 * size), version);
  const destination = v2Address(body.subarray(size, 2 * size), body.readUInt16BE(2 * size + 2), version);
  return isUnicast(source.ip) && isUnicast(destination.ip) ? { source, destination } : undefined;
}

function v2Address(ip: Buffer, port: number, version: 4 | 6): Address {
  const sockaddr = Buffer.alloc(28);
  sockaddr.writeUInt16BE(port, 2);
  ip.copy(sockaddr, version === 4 ? 4 : 8);
  return parseSockaddr(sockaddr, version);
}

/** Not the unspecified address, the broadcast address, nor multicast. Envoy: Ip::isUnicastAddress. */
function isUnicast(ip: string): boolean {
  const { version, value } = parseIp(ip)!;
  if (value === 0n) return false;
  if (version === 6) return value >> 120n !== 0xffn;
  return value !== 0xffffffffn && value >> 28n !== 0xen;
}

/** Undefined when one of them runs over the end. */
function parseTlvs(bytes: Buffer): Tlv[] | undefined {
  const tlvs: Tlv[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return undefined;
    const start = at + 3;
    const end = start + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) return undefined;
    tlvs.push({ type: bytes[at], value: bytes.subarray(start, end) });
    at = end;
  }
  return tlvs;
}
