// Where a request goes: the cluster that its route leads to. What leads nowhere, or answers by itself, is answered here.
// Follows the beginning of Envoy's Filter::decodeHeaders (source/common/router/router.cc).

import type { StreamDecoderFilterCallbacks } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { Route } from '../../../../api/router.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import { ROUTER_STATS } from '../../../../common/stats/families/router.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import type { RouterConfig } from './config.ts';
import { respondDirectly } from './direct_response.ts';

const STAT = ROUTER_STATS.offset;

/** Undefined when the request has been answered. */
export function findCluster(
  route: Route | undefined,
  headers: RequestHeaderMap,
  callbacks: StreamDecoderFilterCallbacks,
  { stats, clusterManager }: RouterConfig,
): ThreadLocalCluster | undefined {
  const { values, base } = stats;
  const info = callbacks.streamInfo;
  if (route === undefined) {
    values[base + STAT.no_route]++;
    info.responseFlags |= ResponseFlag.NoRouteFound;
    callbacks.sendLocalReply(404, '', 'route_not_found');
    return undefined;
  }
  if (route.directResponseEntry !== undefined) {
    values[base + STAT.rq_direct_response]++;
    respondDirectly(route, route.directResponseEntry, headers, callbacks);
    return undefined;
  }
  const entry = route.routeEntry!;
  const name = entry.clusterName(headers, callbacks.streamId);
  const cluster = clusterManager.getCluster(name) as ThreadLocalCluster | undefined;
  if (cluster === undefined) {
    values[base + STAT.no_cluster]++;
    info.responseFlags |= ResponseFlag.NoClusterFound;
    callbacks.sendLocalReply(entry.clusterNotFoundResponseCode, '', 'cluster_not_found');
  }
  return cluster;
}
