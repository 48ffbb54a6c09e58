// Counts an upstream response for its cluster and host: by code, by class, and how long it took; and apart for canaries and
// for internal and external requests. Follows Envoy's source/common/http/codes.cc (CodeStatsImpl::chargeResponseStat).

import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { RequestStats } from '../../../../api/router.ts';
import { type HostDescription, HostSlot } from '../../../../api/upstream/host.ts';
import { grpcStatusOf, grpcToHttpStatus } from '../../../../common/grpc/status.ts';
import { isGrpc } from '../../../../common/http/local_reply.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import type { OutlierMonitor } from '../../../../common/upstream/outlier_monitor.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';

/** `others`: who counts beside the cluster. `ms` is the time since the attempt began. */
export function chargeResponse(
  cluster: ThreadLocalCluster,
  others: readonly RequestStats[],
  host: Host,
  ms: number,
  request: RequestHeaderMap,
  response: ResponseHeaderMap,
  dynamicStats: boolean,
): void {
  const { status } = response;
  host.add(status >= 500 ? HostSlot.RequestError : HostSlot.RequestSuccess, 1);
  host.recordLatency(ms);
  if (!dynamicStats) return;
  cluster.responseCodes.charge(status);
  cluster.responseCodes.recordTime(ms);
  for (let i = 0; i < others.length; i++) {
    others[i].charge(status);
    others[i].recordTime(ms);
  }
  const part =
    request.get('x-envoy-internal') === 'true'
      ? cluster.internalResponseCodes
      : cluster.externalResponseCodes;
  part.charge(status);
  part.recordTime(ms);
  const zone = cluster.zoneResponseCodes(host.locality.zone);
  if (zone !== undefined) {
    zone.charge(status);
    zone.recordTime(ms);
  }
  if (response.get('x-envoy-upstream-canary') === 'true' || host.metadata?.['envoy.lb']?.canary === true) {
    cluster.canaryResponseCodes.charge(status);
    cluster.canaryResponseCodes.recordTime(ms);
    for (const other of others) other.chargeCanary?.(status, ms);
  }
}

/** An answer of the router's own, for what `host`, if there was one, did not do. */
export function chargeLocalResponse(
  cluster: ThreadLocalCluster,
  others: readonly RequestStats[],
  status: number,
  request: RequestHeaderMap,
  host?: HostDescription,
): void {
  if (host !== undefined) cluster.zoneResponseCodes(host.locality.zone)?.charge(status);
  cluster.chargeLocalResponse(status, request);
  for (const other of others) other.charge(status);
}

/** Tells outlier detection of an answer: by its gRPC status where the head has one. */
export function putResponse(
  monitor: OutlierMonitor,
  host: Host,
  request: RequestHeaderMap,
  response: ResponseHeaderMap,
): void {
  const grpc = isGrpc(request) ? grpcStatusOf(response) : undefined;
  const code = grpc === undefined ? response.status : grpcToHttpStatus(grpc);
  monitor.putHttpResponseCode(host, code);
  if (monitor.detectsDegraded && code < 500 && response.has('x-envoy-degraded')) monitor.putDegraded(host);
}
