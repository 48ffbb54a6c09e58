// This machine's own address: the first that is not loopback. Envoy: source/common/network/utility.cc, getLocalAddress.

import { networkInterfaces } from 'node:os';

/** Of the wanted IP version; the loopback address when there is no other. */
export function localIp(version: 'v4' | 'v6'): string {
  const family = version === 'v4' ? 'IPv4' : 'IPv6';
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const own = addresses.find((each) => each.family === family && !each.internal);
  return own?.address ?? (version === 'v4' ? '127.0.0.1' : '::1');
}
