// What a recorded istiod sent to a proxy at first, as JSON by type and name: for tests that serve it changed to their needs.

import path from 'node:path';
import type {
  DeltaDiscoveryResponse,
  DiscoveryResponse,
} from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Any } from '../../xds-protos/generated/google/protobuf.ts';
import { toJson } from '../../xds-protos/json.ts';
import { decode, type TypeMap } from '../../xds-protos/load.ts';
import { readRecordedStream } from '../xds/recorded_stream.ts';
import type { ControlPlane, Kind } from './control_plane.ts';

const RECORDINGS = path.join(import.meta.dirname, '../fixtures/istiod');
const KINDS: Readonly<Record<string, Kind>> = {
  CDS: 'cluster',
  EDS: 'endpoints',
  LDS: 'listener',
  RDS: 'route',
};

/** Gives a control plane all that a stream of the fixtures began with, each resource as `change` leaves it. */
export function holdRecorded(
  plane: ControlPlane,
  recording: string,
  change: (kind: Kind, name: string, resource: object) => object,
): void {
  const stream = readRecordedStream(path.join(RECORDINGS, recording));
  for (const { dir, step, type, bytes } of stream.messages) {
    const kind = KINDS[type];
    if (dir !== 'recv' || step !== 'initial' || kind === undefined) continue;
    for (const any of resourcesOf(stream.dialect, bytes)) {
      const typeName = any.type_url.slice(any.type_url.indexOf('/') + 1) as keyof TypeMap;
      const json = toJson(typeName, decode(typeName, any.value)) as Record<string, unknown>;
      const resourceName = String(json['name'] ?? json['clusterName']);
      plane.hold(kind, resourceName, change(kind, resourceName, json));
    }
  }
}

function resourcesOf(dialect: string, bytes: Uint8Array): readonly Any[] {
  if (dialect === 'sotw') {
    return decode<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', bytes).resources;
  }
  const { resources } = decode<DeltaDiscoveryResponse>(
    'envoy.service.discovery.v3.DeltaDiscoveryResponse',
    bytes,
  );
  return resources.map(({ resource }) => resource!);
}
