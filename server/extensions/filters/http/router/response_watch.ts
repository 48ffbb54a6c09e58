// What an answer says about the host itself: its load (ORCA), or that it wants to be left alone.
// Envoy: Filter::maybeProcessOrcaLoadReport and Filter::onUpstreamHeaders in source/common/router/router.cc.

import type { HeaderMap } from '../../../../api/http/header_map.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import type { ThreadLocalCluster } from '../../../../common/upstream/thread_local_cluster.ts';

const IMMEDIATE_FAIL = 'x-envoy-immediate-health-check-fail';

export class ResponseWatch {
  private readonly cluster: ThreadLocalCluster;
  private readonly host: Host;
  private reported = false;

  private constructor(cluster: ThreadLocalCluster, host: Host) {
    this.cluster = cluster;
    this.host = host;
  }

  /** Undefined for a cluster that goes by neither. */
  static create(cluster: ThreadLocalCluster, host: Host): ResponseWatch | undefined {
    return cluster.watchesResponses ? new ResponseWatch(cluster, host) : undefined;
  }

  onHeaders(headers: HeaderMap): void {
    const { cluster, host } = this;
    if (cluster.config.healthCheck !== undefined && headers.has(IMMEDIATE_FAIL))
      cluster.onHostEvent(host, 'IMMEDIATE_HEALTH_CHECK_FAIL');
    this.reported = cluster.clientSideWeights?.takeReport(host, headers) === true;
  }

  onTrailers(trailers: HeaderMap): void {
    if (!this.reported) this.cluster.clientSideWeights?.takeReport(this.host, trailers);
  }
}
