// The pools of HTTP connections that hosts have: made with the first request that needs one, gone with their last connection,
// and no more of them than the circuit breaker allows. Envoy: source/common/upstream/conn_pool_map_impl.h.

import type { Priority } from '../../api/upstream/cluster.ts';
import { CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import type { ConnPoolBase } from './conn_pool_base.ts';
import type { PoolOptions } from './http_conn_pool.ts';
import { Http1ConnPool } from './http1_conn_pool.ts';
import { Http2ConnPool } from './http2_conn_pool.ts';
import { MixedConnPool } from './mixed_conn_pool.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

const POOLS = { http1: Http1ConnPool, http2: Http2ConnPool, auto: MixedConnPool };

/** Undefined when there are as many as may be, and all pools of the host are in use. */
export function createConnPool(
  cluster: ThreadLocalCluster,
  host: Host,
  options: PoolOptions,
): ConnPoolBase | undefined {
  const resources = cluster.resourceManager(options.priority);
  if (
    !resources.tryAcquireConnectionPool() &&
    !(freeOnePool(host, options.priority) && resources.tryAcquireConnectionPool())
  ) {
    const { values, base } = cluster.stats;
    values[base + STAT.upstream_cx_pool_overflow]++;
    return undefined;
  }
  return new POOLS[options.protocol](cluster, host, options);
}

/** Gives up a pool in which nothing is going on. */
function freeOnePool(host: Host, priority: Priority): boolean {
  for (const pool of [host.http1Pool, host.http2Pool, ...(host.otherPools?.values() ?? [])] as (
    | ConnPoolBase
    | undefined
  )[]) {
    if (pool === undefined || pool.options.priority !== priority || pool.hasActiveStreams) continue;
    pool.discard();
    return true;
  }
  return false;
}

/** `pool` is gone: the next request makes another. */
export function removeConnPool(pool: ConnPoolBase): void {
  const { host, cluster, options } = pool;
  cluster.resourceManager(options.priority).releaseConnectionPool();
  if (host.http1Pool === pool) host.http1Pool = undefined;
  else if (host.http2Pool === pool) host.http2Pool = undefined;
  else if (host.otherPools?.get(options.key) === pool) host.otherPools.delete(options.key);
}
