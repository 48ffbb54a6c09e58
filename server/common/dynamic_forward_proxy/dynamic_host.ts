// Which host a request or a connection to a dynamic_forward_proxy cluster names.
// Envoy: Cluster::LoadBalancer::chooseHost (source/extensions/clusters/dynamic_forward_proxy/cluster.cc).

import type { LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { hostKey } from './host_key.ts';

const DYNAMIC_HOST = 'envoy.upstream.dynamic_host';
const DYNAMIC_PORT = 'envoy.upstream.dynamic_port';

/** `host:port`; undefined where none is named. */
export function dynamicHostKey(
  { downstreamHeaders, downstreamConnection, requestStreamInfo }: LoadBalancerContext,
  defaultPort: number,
): string | undefined {
  const state = requestStreamInfo?.filterState;
  const host =
    state?.get(DYNAMIC_HOST)?.serializeAsString() ??
    downstreamHeaders?.host ??
    downstreamConnection?.requestedServerName;
  if (host === undefined || host === '') return undefined;
  const port = Number(state?.get(DYNAMIC_PORT)?.serializeAsString() ?? 0);
  return hostKey(host, port > 0 && port <= 65535 ? port : defaultPort);
}
