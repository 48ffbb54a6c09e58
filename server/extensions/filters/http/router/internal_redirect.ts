// Internal redirects: the upstream's Location becomes the request's own, and the stream begins anew at the route it leads to.
// What cannot be followed goes to the client as it is, with the request as it was.
// Follows Envoy's Filter::convertRequestHeadersForInternalRedirect (source/common/router/router.cc);
// docs: intro/arch_overview/http/http_connection_management#internal-redirects.

import type { StreamDecoderFilterCallbacks } from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { FollowedRedirects, Route } from '../../../../api/router.ts';
import type { FilterStateObject, StreamInfo } from '../../../../api/stream_info.ts';
import type { Cluster } from '../../../../api/upstream/cluster.ts';
import { INTERNAL_REDIRECTS } from '../../../../common/http/recreated_stream.ts';
import { CLUSTER_TRAFFIC_STATS } from '../../../../common/stats/families/cluster.ts';
import { ROUTER_STATS } from '../../../../common/stats/families/router.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';
import type { RouterConfig } from './config.ts';

const STAT = ROUTER_STATS.offset;
const CLUSTER_STAT = CLUSTER_TRAFFIC_STATS.offset;
/** Scheme, host (without user info) and path with query; a fragment is the client's matter. */
const ABSOLUTE_URL =
  /^([a-z][a-z0-9+.-]*):\/\/(?:[^/?#@]*@)?((?:\[[0-9a-f:.]+\]|[^/?#@:[\]]+)(?::\d{1,5})?)(?=[/?#]|$)([^#]*)/i;

/** How often a request was redirected, and from which route to which. */
class InternalRedirects implements FilterStateObject, FollowedRedirects {
  count = 0;
  private readonly targets = new Set<string>();

  noteTarget(from: string, to: string): boolean {
    const key = JSON.stringify([from, to]);
    if (this.targets.has(key)) return false;
    this.targets.add(key);
    return true;
  }

  serializeAsString(): string {
    return String(this.count);
  }
}

/**
 * Begins the stream anew where `response` redirects it to. `body` is the request's, undefined where not all of it is known any
 * more. False where the redirect is the client's to follow.
 */
export function redirectInternally(
  route: Route,
  headers: RequestHeaderMap,
  body: Uint8Array | undefined,
  response: ResponseHeaderMap,
  cluster: ThreadLocalCluster,
  callbacks: StreamDecoderFilterCallbacks,
  config: RouterConfig,
): boolean {
  const { values, base } = cluster.stats;
  if (body === undefined || !convertRequestHeaders(route, headers, response, callbacks, config)) {
    values[base + CLUSTER_STAT.upstream_internal_redirect_failed_total]++;
    return false;
  }
  // RFC 9110 15.4.4: what is seen elsewhere is fetched.
  const fetches = response.status === 303 && headers.method !== 'GET' && headers.method !== 'HEAD';
  if (fetches) {
    headers.method = 'GET';
    headers.remove('content-length');
  }
  values[base + CLUSTER_STAT.upstream_internal_redirect_succeeded_total]++;
  return callbacks.recreateStream(response, fetches || body.length === 0 ? undefined : body);
}

/** Turns the headers into those of the request to come. False, with the headers as they were, where that may not be. */
function convertRequestHeaders(
  { name: routeName, routeEntry }: Route,
  headers: RequestHeaderMap,
  response: ResponseHeaderMap,
  callbacks: StreamDecoderFilterCallbacks,
  { stats }: RouterConfig,
): boolean {
  const policy = routeEntry!.internalRedirectPolicy!;
  const failed = (stat: number): false => {
    stats.values[stats.base + stat]++;
    return false;
  };
  const location = response.get('location');
  if (location === undefined) return false;
  const url = ABSOLUTE_URL.exec(location);
  if (url === null) return failed(STAT.passthrough_internal_redirect_bad_location);
  const [, scheme, authority, pathAndQuery] = url;
  // What the client sees, whatever proxies before this one say.
  const isHttps = headers.scheme !== 'http' && callbacks.streamInfo.connection.ssl !== undefined;
  const targetIsHttps = scheme.toLowerCase() !== 'http';
  if (!policy.allowCrossScheme && isHttps !== targetIsHttps)
    return failed(STAT.passthrough_internal_redirect_unsafe_scheme);
  const { filterState } = callbacks.streamInfo;
  let redirects = filterState.get(INTERNAL_REDIRECTS) as InternalRedirects | undefined;
  if (redirects === undefined) filterState.set(INTERNAL_REDIRECTS, (redirects = new InternalRedirects()));
  if (redirects.count >= policy.maxInternalRedirects)
    return failed(STAT.passthrough_internal_redirect_too_many_redirects);

  const { host, path, scheme: oldScheme, list } = headers;
  const oldList = [...list];
  for (const name of policy.responseHeadersToCopy) {
    headers.remove(name);
    const values = response.list.filter((_, i) => i % 2 === 1 && response.list[i - 1] === name);
    for (const value of values) headers.append(name, value);
  }
  headers.scheme = scheme;
  headers.host = authority;
  headers.path = pathAndQuery === '' ? '/' : pathAndQuery;
  callbacks.clearRouteCache();
  const route = callbacks.route();
  noteTarget(callbacks.streamInfo, route, callbacks.clusterInfo());
  const refusal =
    route === undefined
      ? STAT.passthrough_internal_redirect_no_route
      : policy.predicates.every((predicate) =>
            predicate.acceptTargetRoute(route.name, redirects, routeName, isHttps, targetIsHttps),
          )
        ? undefined
        : STAT.passthrough_internal_redirect_predicate;
  if (refusal !== undefined) {
    headers.scheme = oldScheme;
    headers.host = host;
    headers.path = path;
    while (list.length > 0) headers.remove(list[0]);
    for (let i = 0; i < oldList.length; i += 2) headers.append(oldList[i], oldList[i + 1]);
    return failed(refusal);
  }
  redirects.count++;
  headers.set('x-envoy-original-url', `${isHttps ? 'https' : 'http'}://${host ?? ''}${path}`);
  return true;
}

/** From here on the access log names where the redirect leads, even if it is not followed. */
function noteTarget(info: StreamInfo, route: Route | undefined, cluster: Cluster | undefined): void {
  info.route = route;
  info.routeName = route?.name ?? '';
  info.upstreamCluster = cluster;
  info.upstreamClusterName = cluster?.name ?? '';
}
