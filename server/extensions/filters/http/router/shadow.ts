// Request mirroring: a copy of the request to another cluster, whose answer nobody waits for.
// Follows Envoy's source/common/router/shadow_writer_impl.cc; document: RouteAction.RequestMirrorPolicy.

import type { StreamDecoderFilterCallbacks } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, TrailerMap } from '../../../../api/http/header_map.ts';
import type { ShadowPolicy } from '../../../../api/router.ts';
import { DEFAULT_PRIORITY } from '../../../../api/upstream/cluster.ts';
import type { BodyBuffer } from '../../../../common/buffer/body_buffer.ts';
import { AsyncRequest } from '../../../../common/http/async_client.ts';
import { appendValue } from '../../../../common/http/conn_manager_utility.ts';
import { RequestHeaders } from '../../../../common/http/header_map.ts';
import { CLUSTER_TRAFFIC_STATS } from '../../../../common/stats/families/cluster.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import type { RouterConfig } from './config.ts';

const STAT = CLUSTER_TRAFFIC_STATS.offset;

/** Sends the copy when the policy's fraction says so and the cluster exists. `timeoutMs`: that of the request; 0 = none. */
export function shadowRequest(
  policy: ShadowPolicy,
  headers: RequestHeaderMap,
  body: BodyBuffer | undefined,
  trailers: TrailerMap | undefined,
  callbacks: StreamDecoderFilterCallbacks,
  { clusterManager, localIp }: RouterConfig,
  timeoutMs: number,
): void {
  if (!policy.fraction(callbacks.streamId)) return;
  const name = policy.cluster === '' ? headers.get(policy.clusterHeader) : policy.cluster;
  if (name === undefined) return;
  const cluster = clusterManager.getCluster(name) as ThreadLocalCluster | undefined;
  if (cluster === undefined) return;
  const copy = new RequestHeaders(
    headers.method,
    headers.path,
    shadowHost(headers.host, policy),
    headers.scheme,
    [...headers.list],
  );
  policy.mutateRequestHeaders(copy, callbacks.streamInfo);
  // The copy is a request of this proxy's own.
  copy.set('x-envoy-internal', 'true');
  appendValue(copy, 'x-forwarded-for', localIp);
  const bytes = body === undefined || body.length === 0 ? undefined : body.peek();
  const host = cluster.chooseHost(undefined) as Host | undefined;
  if (host === undefined) {
    const { values, base } = cluster.stats;
    values[base + STAT.upstream_cx_none_healthy]++;
    cluster.chargeLocalResponse(503, copy);
    return;
  }
  const pool = cluster.httpPool(host, DEFAULT_PRIORITY, callbacks.streamInfo, headers);
  if (pool === undefined) cluster.chargeLocalResponse(503, copy);
  else new AsyncRequest(cluster, copy, bytes, trailers).start(pool, timeoutMs);
}

/** `example.com:80` becomes `example.com-shadow:80`. */
function shadowHost(host: string | undefined, policy: ShadowPolicy): string | undefined {
  if (policy.hostRewriteLiteral !== '') return policy.hostRewriteLiteral;
  if (host === undefined || policy.disableShadowHostSuffix) return host;
  const colon = host.lastIndexOf(':');
  return colon < 0 || host.endsWith(']')
    ? `${host}-shadow`
    : `${host.slice(0, colon)}-shadow${host.slice(colon)}`;
}
