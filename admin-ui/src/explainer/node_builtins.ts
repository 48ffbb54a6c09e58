// What the server's explanations use of node, for the browser. What only a proxy that serves does (files, sockets, processes) is not
// here: it throws.

import descriptors from '../../../xds-protos/generated/descriptors.txt?raw';

function onlyInNode(): never {
  throw new Error('only a proxy can do this');
}

// node:module
export const createRequire = (): typeof onlyInNode => onlyInNode;

// node:fs, node:child_process: of files only the descriptors of messages are there.
export const existsSync = (file: string): boolean => file.endsWith('descriptors.txt');
export function readFileSync(file: string): Buffer {
  return existsSync(file) ? Buffer.from(descriptors) : onlyInNode();
}
export const openSync = onlyInNode;
export const execFileSync = onlyInNode;
export function closeSync(): void {}

// node:path
const path = { join: (...parts: readonly (string | undefined)[]): string => parts.filter(Boolean).join('/') };

// biome-ignore lint/style/noDefaultExport: so node has it
export { path as default };

// node:os
export const hostname = (): string => '';

// node:util
export const getSystemErrorMessage = (code: number): string => `error ${code}`;

// node:buffer
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

// node:net
export class Socket {}
export const connect = onlyInNode;
/** 4, 6, or 0 for what is no address. */
export function isIP(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : 0;
}
function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}
export function isIPv6(text: string): boolean {
  // What URLs take in brackets is RFC 4291's text, without a zone.
  const address = text.replace(/%[^%]+$/, '');
  return address.includes(':') && URL.canParse(`http://[${address}]/`);
}
/** As far as addresses are parsed. */
export class SocketAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 'ipv4' | 'ipv6';

  constructor({
    address,
    port = 0,
    family = 'ipv4',
  }: { address: string; port?: number; family?: 'ipv4' | 'ipv6' }) {
    this.address = family === 'ipv6' ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
    this.port = port;
    this.family = family;
  }
}
