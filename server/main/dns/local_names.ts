// Names that no server is asked for: those of /etc/hosts, and those that mean this host (RFC 6761). As c-ares does.

import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

const HOSTS_FILE = '/etc/hosts';
const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;

/** Its addresses of these families; empty: a server has to be asked. */
export async function localAddresses(name: string, families: readonly (4 | 6)[]): Promise<readonly string[]> {
  const lower = name.toLowerCase();
  const inFile = hostsFileAddresses(await readFile(HOSTS_FILE, 'utf8').catch(() => ''), lower);
  const isLoopback = lower === 'localhost' || lower.endsWith('.localhost');
  return families.flatMap((family) => {
    const found = inFile.filter((address) => isIP(address) === family);
    return found.length === 0 && isLoopback ? [LOOPBACK[family]] : found;
  });
}

/** No server is to hear of it (RFC 7686). */
export function isSecretName(name: string): boolean {
  return /(^|\.)onion\.?$/i.test(name);
}

/** `name` is in lower case. */
export function hostsFileAddresses(text: string, name: string): string[] {
  const found = new Set<string>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) !== 0 && names.some((each) => each.toLowerCase() === name)) found.add(address);
  }
  return [...found];
}
