// How a DNS cache names hosts. Envoy: DnsHostInfo::normalizeHostForDfp (source/extensions/common/dynamic_forward_proxy/dns_cache_impl.cc).

import { isIPv6 } from 'node:net';

/** `host` with a port, `[::1]:80`, whether it has one or not. */
export function hostKey(host: string, defaultPort: number): string {
  const { name, port } = splitHost(host);
  const text = isIPv6(name) ? `[${name}]` : name;
  return `${text}:${port ?? defaultPort}`;
}

/** The name without brackets, and the port where there is a valid one. */
export function splitHost(host: string): { readonly name: string; readonly port: number | undefined } {
  const colon = host.lastIndexOf(':');
  const bracket = host.lastIndexOf(']');
  const hasPort = colon > bracket && /^\d{1,5}$/.test(host.slice(colon + 1));
  const name = hasPort ? host.slice(0, colon) : host;
  const port = hasPort ? Number(host.slice(colon + 1)) : undefined;
  return { name: name.startsWith('[') ? name.slice(1, -1) : name, port };
}
