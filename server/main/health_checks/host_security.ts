// How the main thread's own connections to a host are secured: health checks, and streams of load reports.
// Envoy: HostImplBase::createHealthCheckConnection, createOrcaReportingConnection.

import type { UpstreamTransportSocketOptions } from '../../api/network/transport_socket.ts';
import { HOST_SLOTS, type HostDescription } from '../../api/upstream/host.ts';
import type { CompiledEndpoint } from '../../common/upstream/load_assignment.ts';
import {
  TRANSPORT_SOCKET_MATCH,
  type TransportSocketMatcher,
} from '../../common/upstream/transport_socket_matcher.ts';
import type { ProbeSecurity } from './probe.ts';

/** Undefined for plaintext. `match` chooses the transport socket in place of the endpoint's metadata. */
export function hostSecurity(
  endpoint: CompiledEndpoint,
  clusterName: string,
  transport: TransportSocketMatcher | undefined,
  match: Readonly<Record<string, unknown>> | undefined,
  alpn: readonly string[] | undefined,
): ProbeSecurity | undefined {
  const wanted = match && { [TRANSPORT_SOCKET_MATCH]: match };
  const transportSocket = transport?.resolve(
    wanted ?? endpoint.metadata,
    wanted === undefined ? endpoint.locality.metadata : undefined,
  );
  if (transportSocket === undefined) return undefined;
  const options: UpstreamTransportSocketOptions = {
    host: describeEndpoint(endpoint, clusterName),
    alpnOverride: alpn,
    alpnFallback: [],
    sniOverride: undefined,
    sanOverride: undefined,
    downstreamAddresses: undefined,
    hashKey: '',
  };
  return { transportSocket, options };
}

/** What a transport socket may want to know of the host. Its live numbers are not among it. */
function describeEndpoint(endpoint: CompiledEndpoint, clusterName: string): HostDescription {
  const { address, hostname, locality, weight, metadata } = endpoint;
  const { priority } = locality;
  const table = new Int32Array(HOST_SLOTS);
  return { address, hostname, locality, priority, weight, metadata, clusterName, table, slot: 0 };
}
