// First tokens that keep Envoy's prefix off a Prometheus name: `istiocustom.istio_requests_total` is scraped as
// `istio_requests_total`. Envoy: source/common/stats/custom_stat_namespaces_impl.cc; Istio's proxy registers the first.

const NAMESPACES: readonly string[] = ['istiocustom.', 'wasmcustom.'];

/** The name below its custom namespace, undefined for a stat of Envoy's own. */
export function stripCustomNamespace(name: string): string | undefined {
  const namespace = NAMESPACES.find((prefix) => name.startsWith(prefix));
  return namespace === undefined ? undefined : name.slice(namespace.length);
}
