// What Istio's proxies tell each other about the workload behind them, and its encodings: node metadata, a Struct in a
// header or on a TCP connection, a compact string in endpoint metadata, and W3C baggage.
// Istio: extensions/common/metadata_object.cc.

import { fromJson } from '../../../xds-protos/json.ts';
import { encode } from '../../../xds-protos/load.ts';
import type { Json } from '../../../xds-protos/well_known.ts';
import type { FilterStateObject } from '../../api/stream_info.ts';
import { compareBytes } from '../formatter/json_text.ts';

/** Names of filter-state objects. */
export const DOWNSTREAM_PEER = 'downstream_peer';
export const UPSTREAM_PEER = 'upstream_peer';
export const DOWNSTREAM_PEER_OBJ = 'downstream_peer_obj';
export const UPSTREAM_PEER_OBJ = 'upstream_peer_obj';
/** Set when the peer is known to tell nothing. */
export const NO_PEER = 'peer_not_found';

const CANONICAL_NAME_LABEL = 'service.istio.io/canonical-name';
const CANONICAL_REVISION_LABEL = 'service.istio.io/canonical-revision';
const APP_NAME_LABEL = 'app';
const APP_NAME_QUALIFIED_LABEL = 'app.kubernetes.io/name';
const APP_VERSION_LABEL = 'version';
const APP_VERSION_QUALIFIED_LABEL = 'app.kubernetes.io/version';
const OWNER_PREFIX = 'kubernetes://apis/apps/v1/namespaces/';
const WORKLOAD_TYPES = ['pod', 'deployment', 'job', 'cronjob'];

type Fields = Readonly<Record<string, unknown>>;

interface WorkloadFields {
  readonly instanceName: string;
  readonly clusterName: string;
  readonly namespaceName: string;
  readonly workloadName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly appName: string;
  readonly appVersion: string;
  /** `pod`, `deployment`, `job`, `cronjob`, or '' when unknown. */
  readonly workloadType: string;
  readonly identity: string;
  readonly region: string;
  readonly zone: string;
  /** Further labels that were asked for (additional_labels). */
  readonly labels: Readonly<Record<string, string>>;
}

const NOTHING: WorkloadFields = {
  instanceName: '',
  clusterName: '',
  namespaceName: '',
  workloadName: '',
  canonicalName: '',
  canonicalRevision: '',
  appName: '',
  appVersion: '',
  workloadType: '',
  identity: '',
  region: '',
  zone: '',
  labels: {},
};

export class WorkloadMetadata implements FilterStateObject {
  readonly fields: WorkloadFields;
  /** Made when it is first asked for: of all workloads of a mesh, few are ever a peer. */
  private text: string | undefined;

  constructor(fields: Partial<WorkloadFields>) {
    this.fields = { ...NOTHING, ...fields };
    this.text = undefined;
  }

  /** All of it as one string: equal workloads have equal keys. */
  get key(): string {
    return (this.text ??= this.serializeAsString());
  }

  /** Requests of different workloads use different connections, where they are told of the workload. */
  hashKey(): string {
    return this.key;
  }

  serializeAsString(): string {
    const { labels, ...rest } = this.serializeAsJson();
    const pairs = [...Object.entries(rest), ...Object.entries((labels as Fields | undefined) ?? {})];
    return pairs.map(([name, value]) => `${name}=${value}`).join(',');
  }

  serializeAsJson(): Record<string, unknown> {
    const { fields } = this;
    return withoutEmpty({
      type: fields.workloadType,
      workload: fields.workloadName,
      name: fields.instanceName,
      cluster: fields.clusterName,
      namespace: fields.namespaceName,
      service: fields.canonicalName,
      revision: fields.canonicalRevision,
      app: fields.appName,
      version: fields.appVersion,
      identity: fields.identity,
      region: fields.region,
      availability_zone: fields.zone,
      labels: Object.keys(fields.labels).length > 0 ? fields.labels : '',
    });
  }

  fieldByName(name: string): string | undefined {
    if (name === 'type') return this.fields.workloadType || 'unknown';
    const value = this.serializeAsJson()[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** The Struct that goes to peers, in proto wire format with its keys sorted. */
  toStructBytes(): Uint8Array {
    return encode('google.protobuf.Struct', structOf(this.toMetadata()));
  }

  /** As node metadata has it. */
  toMetadata(): Record<string, Json> {
    const { fields } = this;
    const owner =
      fields.workloadType === ''
        ? ''
        : `${OWNER_PREFIX}${fields.namespaceName}/${fields.workloadType}s/${fields.workloadName}`;
    return withoutEmpty({
      NAME: fields.instanceName,
      NAMESPACE: fields.namespaceName,
      WORKLOAD_NAME: fields.workloadName,
      CLUSTER_ID: fields.clusterName,
      IDENTITY: fields.identity,
      LABELS: withoutEmpty({
        [CANONICAL_NAME_LABEL]: fields.canonicalName,
        [CANONICAL_REVISION_LABEL]: fields.canonicalRevision,
        [APP_NAME_LABEL]: fields.appName,
        [APP_VERSION_LABEL]: fields.appVersion,
        ...fields.labels,
      }),
      OWNER: owner,
      REGION: fields.region,
      AVAILABILITY_ZONE: fields.zone,
    }) as Record<string, Json>;
  }
}

/** A Struct message of plain JSON whose keys are sorted at every level, so that equal content has equal bytes. */
export function structOf(json: Record<string, Json>): { fields: Readonly<Record<string, object>> } {
  return fromJson('google.protobuf.Struct', sorted(json));
}

function sorted(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => compareBytes(a, b));
  return Object.fromEntries(entries.map(([key, field]) => [key, sorted(field)]));
}

/** From node metadata, or from what a peer sent. `locality` fills in where the metadata has none (our own node's). */
export function workloadFromMetadata(
  metadata: Fields,
  additionalLabels: readonly string[] = [],
  locality: { readonly region: string; readonly zone: string } = { region: '', zone: '' },
): WorkloadMetadata {
  const labels = (metadata['LABELS'] ?? {}) as Fields;
  const workloadName = text(metadata['WORKLOAD_NAME']);
  return new WorkloadMetadata({
    instanceName: text(metadata['NAME']),
    clusterName: text(metadata['CLUSTER_ID']),
    namespaceName: text(metadata['NAMESPACE']),
    workloadName,
    canonicalName: text(labels[CANONICAL_NAME_LABEL]),
    canonicalRevision: text(labels[CANONICAL_REVISION_LABEL]),
    appName: text(labels[APP_NAME_QUALIFIED_LABEL]) || text(labels[APP_NAME_LABEL]),
    appVersion: text(labels[APP_VERSION_QUALIFIED_LABEL]) || text(labels[APP_VERSION_LABEL]),
    workloadType: typeFromOwner(text(metadata['OWNER']), workloadName),
    identity: text(metadata['IDENTITY']),
    region: text(metadata['REGION']) || locality.region,
    zone: text(metadata['AVAILABILITY_ZONE']) || locality.zone,
    labels: pickLabels(labels, additionalLabels),
  });
}

/** `workload;namespace;canonical name;canonical revision;cluster`, as istiod puts it into endpoint metadata. */
export function workloadFromEndpoint(encoded: string): WorkloadMetadata | undefined {
  const [workloadName, namespaceName, canonicalName, canonicalRevision, clusterName] = encoded.split(';');
  if (clusterName === undefined) return undefined;
  return new WorkloadMetadata({ workloadName, namespaceName, canonicalName, canonicalRevision, clusterName });
}

/** From a `baggage` header: `k8s.deployment.name=a,k8s.namespace.name=b,...`. */
export function workloadFromBaggage(baggage: string): WorkloadMetadata {
  const values = new Map<string, string>();
  let workloadName = '';
  let workloadType = '';
  for (const property of baggage.split(',')) {
    const [key, value = ''] = property.split('=', 2);
    values.set(key, value);
    const [k8s, type, name] = key.split('.');
    if (k8s === 'k8s' && name === 'name' && WORKLOAD_TYPES.includes(type))
      [workloadName, workloadType] = [value, type];
  }
  const get = (key: string): string => values.get(key) ?? '';
  return new WorkloadMetadata({
    instanceName: get('k8s.instance.name'),
    clusterName: get('k8s.cluster.name'),
    namespaceName: get('k8s.namespace.name'),
    workloadName,
    workloadType,
    canonicalName: get('service.name') || get('app.name'),
    canonicalRevision: get('service.version') || get('app.version'),
    appName: get('app.name') || get('service.name'),
    appVersion: get('app.version') || get('service.version'),
    region: get('cloud.region'),
    zone: get('cloud.availability_zone'),
  });
}

/** `.../namespaces/<ns>/deployments/<workload>` to `deployment`. */
function typeFromOwner(owner: string, workload: string): string {
  if (owner.length <= workload.length + 2) return '';
  const kind = owner.slice(0, -(workload.length + 2));
  const type = kind.slice(kind.lastIndexOf('/') + 1);
  return WORKLOAD_TYPES.includes(type) ? type : '';
}

function pickLabels(labels: Fields, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) if (Object.hasOwn(labels, name)) picked[name] = text(labels[name]);
  return picked;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function withoutEmpty(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}
