// What the clusters of single hosts are called that a dynamic_forward_proxy cluster has with `sub_clusters_config`.
// Envoy: ProxyFilter::loadDynamicCluster (source/extensions/filters/http/dynamic_forward_proxy/proxy_filter.cc).

import { splitHost } from './host_key.ts';

/** `host`: a name or an address, with a port or without one. */
export function subClusterName(host: string, defaultPort: number): string {
  const { name, port } = splitHost(host);
  return `DFPCluster:${name}:${port ?? defaultPort}`;
}

/** The host and the port of a name that `subClusterName` has made. */
export function hostOfSubCluster(name: string): { readonly host: string; readonly port: number } {
  const colon = name.lastIndexOf(':');
  return { host: name.slice('DFPCluster:'.length, colon), port: Number(name.slice(colon + 1)) };
}

const SOURCE = 'sub clusters of ';

/** Where workers ask for the sub clusters of `parent`. */
export function subClusterSource(parent: string): string {
  return SOURCE + parent;
}

/** The parent; undefined for sources of other clusters. */
export function parentOfSubClusters(source: string): string | undefined {
  return source.startsWith(SOURCE) ? source.slice(SOURCE.length) : undefined;
}
