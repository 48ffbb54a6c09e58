// The labels about peers, from the facts. https://istio.io/latest/docs/reference/config/metrics/

import type { StatTag } from '../../../../api/stats.ts';
import { WorkloadMetadata } from '../../../../common/istio/workload_metadata.ts';
import type { PeerFacts, Reporter, Service } from './peer_facts.ts';

const EMPTY_WORKLOAD = new WorkloadMetadata({});

/** `spiffe://<domain>/ns/<namespace>/sa/<account>` to the namespace, or ''. */
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
