// The hosts of one priority, arranged so that a key finds the same host as long as the host is there.
// Envoy: ThreadAwareLoadBalancerBase::HashingLoadBalancer.

import type { Host } from '../upstream/host.ts';
import type { HashKey } from './hash_key.ts';

export interface HashTable {
  /** The key's host; with `attempt` > 0 another one, where that is possible. Undefined without hosts. */
  choose(key: HashKey, attempt: number): Host | undefined;
}
