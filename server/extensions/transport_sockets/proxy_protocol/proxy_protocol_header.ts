// Writes the header of the PROXY protocol, versions 1 and 2.
// https://www.haproxy.org/download/2.1/doc/proxy-protocol.txt; Envoy: source/extensions/common/proxy_protocol/proxy_protocol_header.cc.

import type { DownstreamAddresses } from '../../../api/network/transport_socket.ts';
import { parseIp } from '../../../common/network/address.ts';

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const VERSION_2 = 0x20;
const COMMAND_PROXY = 0x01;
/** Address families with the transport protocol TCP. */
const TCP4 = 0x11;
const TCP6 = 0x21;
const V1_UNKNOWN = Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
const V2_LOCAL = Buffer.concat([V2_SIGNATURE, Buffer.from([VERSION_2, 0, 0, 0])]);

/** 4 or 6; undefined where the header has no words for the addresses: Unix sockets, or one IPv4 and one IPv6. */
function ipVersion({ source, destination }: DownstreamAddresses): 4 | 6 | undefined {
  const version = parseIp(source.ip)?.version;
  return version === parseIp(destination.ip)?.version ? version : undefined;
}

/** The text form; `PROXY UNKNOWN` when there are no addresses to tell. */
export function v1Header(addresses: DownstreamAddresses | undefined): Buffer {
  const version = addresses && ipVersion(addresses);
  if (addresses === undefined || version === undefined) return V1_UNKNOWN;
  const { source, destination } = addresses;
  const text = `PROXY TCP${version} ${source.ip} ${destination.ip} ${source.port} ${destination.port}\r\n`;
  return Buffer.from(text, 'latin1');
}

/** The binary form; the command LOCAL when there are no addresses to tell. */
export function v2Header(addresses: DownstreamAddresses | undefined): Buffer {
  const version = addresses && ipVersion(addresses);
  if (addresses === undefined || version === undefined) return V2_LOCAL;
  const { source, destination } = addresses;
  const ipBytes = version === 4 ? 4 : 16;
  const length = 2 * ipBytes + 4;
  const header = Buffer.alloc(V2_LOCAL.length + length);
  V2_SIGNATURE.copy(header);
  let at = V2_SIGNATURE.length;
  at = header.writeUInt8(VERSION_2 | COMMAND_PROXY, at);
  at = header.writeUInt8(version === 4 ? TCP4 : TCP6, at);
  at = header.writeUInt16BE(length, at);
  at = writeIp(header, source.ip, at);
  at = writeIp(header, destination.ip, at);
  at = header.writeUInt16BE(source.port, at);
  header.writeUInt16BE(destination.port, at);
  return header;
}

function writeIp(header: Buffer, ip: string, at: number): number {
  const { version, value } = parseIp(ip)!;
  if (version === 4) return header.writeUInt32BE(Number(value), at);
  return header.writeBigUInt64BE(value & 0xffff_ffff_ffff_ffffn, header.writeBigUInt64BE(value >> 64n, at));
}
