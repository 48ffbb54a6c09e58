// The counter, common to all workers, of requests that wait for a name. Envoy: DnsCacheResourceManager.

/** Its name for a DNS cache. */
export function pendingRequestsOf(cache: string): string {
  return `dns_cache.${cache}.pending_requests`;
}
