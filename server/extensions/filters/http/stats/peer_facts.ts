// Who talks to whom in a stream, as the labels of Istio's metrics say it.
// Istio: IstioStatsFilter::populatePeerInfo in source/extensions/filters/http/istio_stats/istio_stats.cc.

import type { StatTag } from '../../../../api/stats.ts';
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
const EMPTY_WORKLOAD = new WorkloadMetadata({});

interface Service {
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
  const ssl = info.upstreamSsl;
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

/** `spiffe://<domain>/ns/<namespace>/sa/<account>` → the namespace, or ''. */
function namespaceOfPrincipal(principal: string): string {
  return /\/ns\/([^/]*)/.exec(principal)?.[1] ?? '';
}

/** The labels about peers in the order Istio's proxy adds them. `local` is our own workload. */
export function peerTags(reporter: Reporter, facts: PeerFacts, local: WorkloadMetadata): StatTag[] {
  const peerNamespace = namespaceOfPrincipal(facts.peerPrincipal) || (facts.peer?.fields.namespaceName ?? '');
  const peer = peerSide(facts.peer, peerNamespace, facts.peerPrincipal);
  const ours = localSide(local, facts.localPrincipal);
  const { service } = facts;
  const tags: StatTag[] = [{ name: 'reporter', value: reporter }];
  if (reporter === 'source') {
    return tags.concat(
      sourceTags(ours),
      destinationTags(peer, {
        host: service.host || 'unknown',
        name: service.name || 'unknown',
        namespace: service.namespace || peerNamespace || 'unknown',
      }),
    );
  }
  if (reporter === 'waypoint') {
    const { endpoint } = facts;
    const behind = peerSide(
      endpoint,
      endpoint?.fields.namespaceName ?? '',
      endpoint?.fields.identity ?? '',
      'unknown',
    );
    return tags.concat(
      sourceTags(peer),
      destinationTags(behind, {
        host: service.host || 'unknown',
        name: service.name || 'unknown',
        namespace: service.namespace || 'unknown',
      }),
    );
  }
  return tags.concat(
    sourceTags(peer),
    destinationTags(ours, {
      host: service.host || ours.canonicalService,
      name: service.name || ours.canonicalService,
      namespace: ours.namespace,
    }),
  );
}

/** One side of a call in label values. */
interface Side {
  readonly workload: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly namespace: string;
  readonly principal: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
}

function peerSide(
  peer: WorkloadMetadata | undefined,
  namespace: string,
  principal: string,
  noRevision = 'latest',
): Side {
  const { fields } = peer ?? EMPTY_WORKLOAD;
  return {
    workload: fields.workloadName || 'unknown',
    canonicalService: fields.canonicalName || 'unknown',
    canonicalRevision: fields.canonicalRevision || noRevision,
    namespace: namespace || 'unknown',
    principal: principal || 'unknown',
    app: fields.appName || 'unknown',
    version: fields.appVersion || 'unknown',
    cluster: fields.clusterName || 'unknown',
  };
}

/** Our own labels are as the node's metadata has them, empty where it has none. */
function localSide({ fields }: WorkloadMetadata, principal: string): Side {
  return {
    workload: fields.workloadName,
    canonicalService: fields.canonicalName,
    canonicalRevision: fields.canonicalRevision,
    namespace: fields.namespaceName,
    principal: principal || 'unknown',
    app: fields.appName,
    version: fields.appVersion,
    cluster: fields.clusterName,
  };
}

function sourceTags(side: Side): StatTag[] {
  return [
    { name: 'source_workload', value: side.workload },
    { name: 'source_canonical_service', value: side.canonicalService },
    { name: 'source_canonical_revision', value: side.canonicalRevision },
    { name: 'source_workload_namespace', value: side.namespace },
    { name: 'source_principal', value: side.principal },
    { name: 'source_app', value: side.app },
    { name: 'source_version', value: side.version },
    { name: 'source_cluster', value: side.cluster },
  ];
}

function destinationTags(side: Side, service: Service): StatTag[] {
  return [
    { name: 'destination_workload', value: side.workload },
    { name: 'destination_workload_namespace', value: side.namespace },
    { name: 'destination_principal', value: side.principal },
    { name: 'destination_app', value: side.app },
    { name: 'destination_version', value: side.version },
    { name: 'destination_service', value: service.host },
    { name: 'destination_canonical_service', value: side.canonicalService },
    { name: 'destination_canonical_revision', value: side.canonicalRevision },
    { name: 'destination_service_name', value: service.name },
    { name: 'destination_service_namespace', value: service.namespace },
    { name: 'destination_cluster', value: side.cluster },
  ];
}
