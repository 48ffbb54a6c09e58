// Loads what connects to hosts with several addresses with the first such host.

import { createRequire } from 'node:module';
import type { ConnPoolBase } from './conn_pool_base.ts';
import type { HappyEyeballs, HappyEyeballsCallbacks } from './happy_eyeballs.ts';
import type { UpstreamConnection, UpstreamConnectionOwner } from './upstream_connection.ts';

const require = createRequire(import.meta.url);

/** The class, loaded when it is first needed. */
export function happyEyeballs(): typeof HappyEyeballs {
  return (require('./happy_eyeballs.ts') as typeof import('./happy_eyeballs.ts')).HappyEyeballs;
}

/** A connection for `pool`, with room for so many streams; `ownerOf` makes its client. Returns `capacity`. */
export function connectToAny(
  pool: ConnPoolBase,
  capacity: number,
  ownerOf: (upstream: UpstreamConnection) => UpstreamConnectionOwner,
): number {
  const Race = happyEyeballs();
  const callbacks: HappyEyeballsCallbacks = {
    ownerOf,
    onConnectFailed: (timeout, _event, transportFailure) =>
      pool.onConnectFailed(capacity, timeout ? 'Timeout' : 'RemoteConnectionFailure', transportFailure),
  };
  const { cluster, host, options } = pool;
  new Race(cluster, host, options.priority, options.transportSocket, false, callbacks);
  return capacity;
}
