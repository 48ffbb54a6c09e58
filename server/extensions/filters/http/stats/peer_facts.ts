// Who talks to whom in a stream, as the labels of Istio's metrics say it.
// Istio: IstioStatsFilter::populatePeerInfo in source/extensions/filters/http/istio_stats/istio_stats.cc.

import type { FilterState, StreamInfo } from '../../../../api/stream_info.ts';
import type { Cluster } from '../../../../api/upstream/cluster.ts';
import {
  DOWNSTREAM_PEER,
  NO_PEER,
  UPSTREAM_PEER,
  WorkloadMetadata,
  workloadFromEndpoint,
} from '../../../../common/istio/workload_metadata.ts';

/** `source`: an outbound listener of a sidecar. `destination`: an inbound one. `waypoint`: a gateway in front of workloads. */
export type Reporter = 'source' | 'destination' | 'waypoint';

const WELL_KNOWN_CLUSTERS = new Set([
  'BlackHoleCluster',
  'PassthroughCluster',
  'InboundPassthroughCluster',
  'InboundPassthroughClusterIpv4',
  'InboundPassthroughClusterIpv6',
]);

export interface Service {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}
const NO_SERVICE: Service = { host: '', name: '', namespace: '' };

/** Facts of a stream's peers. Equal facts have equal keys. */
export interface PeerFacts {
  readonly peer: WorkloadMetadata | undefined;
  /** The workload behind a waypoint. */
  readonly endpoint: WorkloadMetadata | undefined;
  readonly service: Service;
  readonly peerPrincipal: string;
  readonly localPrincipal: string;
  /** `mutual_tls`, `none`, or `unknown` where only the other side knows. */
  readonly securityPolicy: string;
  readonly key: string;
}

/** Is it known who the peer is, or that nobody can know? */
export function peerInfoRead(reporter: Reporter, state: FilterState): boolean {
  return (
    state.get(reporter === 'source' ? UPSTREAM_PEER : DOWNSTREAM_PEER) !== undefined ||
    state.get(NO_PEER) !== undefined
  );
}

/** `requestHost` is the Host header where it may name the service, else ''. */
export function peerFacts(
  reporter: Reporter,
  info: StreamInfo,
  state: FilterState,
  requestHost: string,
): PeerFacts {
  const service = serviceOf(info, requestHost);
  return reporter === 'source'
    ? clientFacts(info, state, service)
    : serverFacts(reporter, info, state, service);
}

function clientFacts(info: StreamInfo, state: FilterState, service: Service): PeerFacts {
  const exchanged = workload(state, UPSTREAM_PEER);
  const ssl = info.upstreamConnection?.ssl;
  const peerPrincipal = ssl?.uriSanPeer[0] ?? exchanged?.fields.identity ?? '';
  const peer = exchanged ?? endpointWorkload(info);
  return facts(peer, undefined, service, peerPrincipal, ssl?.uriSanLocal[0] ?? '', 'unknown');
}

function serverFacts(reporter: Reporter, info: StreamInfo, state: FilterState, service: Service): PeerFacts {
  let peerPrincipal = info.filterState.get('io.istio.peer_principal')?.serializeAsString() ?? '';
  let localPrincipal = info.filterState.get('io.istio.local_principal')?.serializeAsString() ?? '';
  if (peerPrincipal === '' && localPrincipal === '') {
    peerPrincipal = info.connection.ssl?.uriSanPeer[0] ?? '';
    localPrincipal = info.connection.ssl?.uriSanLocal[0] ?? '';
  }
  const policy = peerPrincipal !== '' && localPrincipal !== '' ? 'mutual_tls' : 'none';
  const endpoint = reporter === 'waypoint' ? workload(state, UPSTREAM_PEER) : undefined;
  return facts(workload(state, DOWNSTREAM_PEER), endpoint, service, peerPrincipal, localPrincipal, policy);
}

function facts(
  peer: WorkloadMetadata | undefined,
  endpoint: WorkloadMetadata | undefined,
  service: Service,
  peerPrincipal: string,
  localPrincipal: string,
  securityPolicy: string,
): PeerFacts {
  const key =
    `${peer?.key ?? ''}\n${endpoint?.key ?? ''}\n${service.host}\n${service.name}\n${service.namespace}\n` +
    `${peerPrincipal}\n${localPrincipal}\n${securityPolicy}`;
  return { peer, endpoint, service, peerPrincipal, localPrincipal, securityPolicy, key };
}

function workload(state: FilterState, name: string): WorkloadMetadata | undefined {
  const object = state.get(name);
  return object instanceof WorkloadMetadata ? object : undefined;
}

/** Decoded once per text: hosts come and go, their workloads repeat. */
const endpointWorkloads = new WeakMap<object, WorkloadMetadata | undefined>();

function endpointWorkload({ upstreamHost }: StreamInfo): WorkloadMetadata | undefined {
  const istio = upstreamHost?.metadata?.['istio'];
  if (istio === undefined) return undefined;
  if (!endpointWorkloads.has(istio)) {
    const encoded = istio['workload'];
    endpointWorkloads.set(istio, typeof encoded === 'string' ? workloadFromEndpoint(encoded) : undefined);
  }
  return endpointWorkloads.get(istio);
}

function serviceOf(info: StreamInfo, requestHost: string): Service {
  if (info.routeName === 'block_all') return { host: requestHost, name: 'BlackHoleCluster', namespace: '' };
  if (info.routeName === 'allow_any') return { host: requestHost, name: 'PassthroughCluster', namespace: '' };
  if (WELL_KNOWN_CLUSTERS.has(info.upstreamClusterName)) {
    return { host: requestHost, name: info.upstreamClusterName, namespace: '' };
  }
  const service = info.upstreamCluster && clusterService(info.upstreamCluster);
  if (service !== undefined) return service.host === '' ? { ...service, host: requestHost } : service;
  return requestHost === '' ? NO_SERVICE : { host: requestHost, name: requestHost, namespace: '' };
}

const clusterServices = new WeakMap<Cluster, Service | undefined>();

/** The first service in the cluster's Istio metadata. */
function clusterService(cluster: Cluster): Service | undefined {
  if (!clusterServices.has(cluster)) clusterServices.set(cluster, readService(cluster));
  return clusterServices.get(cluster);
}

function readService(cluster: Cluster): Service | undefined {
  const services = cluster.metadata?.['istio']?.['services'];
  const first: unknown = Array.isArray(services) ? services[0] : undefined;
  if (typeof first !== 'object' || first === null) return undefined;
  const { host, name, namespace } = first as Readonly<Record<string, unknown>>;
  const hostText = typeof host === 'string' ? host : '';
  return {
    host: hostText,
    name: typeof name === 'string' ? name : hostText.split('.', 1)[0],
    namespace: typeof namespace === 'string' ? namespace : '',
  };
}
