// What the main thread needs of a ClusterLoadAssignment: that it can be honoured, and who its hosts are.
// Envoy: source/extensions/clusters/eds/eds.cc, source/common/upstream/upstream_impl.cc.

import type { Address as AddressMessage } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type {
  ClusterLoadAssignment,
  LbEndpoint,
} from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import { unknownFields } from '../../../xds-protos/unknown_fields.ts';
import { validate } from '../../../xds-protos/validate.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import { HostHealthFlag } from '../../api/upstream/host.ts';
import { parseAddress } from '../../common/network/address.ts';
import { compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import type { PlainEndpoints } from '../../common/upstream/plain_endpoints.ts';

const MAX_UINT32 = 0xffff_ffff;

/** The bits that EDS decides on. */
export const EDS_HEALTH_FLAGS =
  HostHealthFlag.FailedEdsHealth |
  HostHealthFlag.DegradedEdsHealth |
  HostHealthFlag.EdsStatusDraining |
  HostHealthFlag.EdsStatusTimeout |
  HostHealthFlag.EdsStatusHealthy;

/** Throws ConfigError for what cannot be honoured. With `names`, socket addresses may be host names (DNS clusters). */
export function checkLoadAssignment(assignment: ClusterLoadAssignment, names: boolean, path: string): void {
  try {
    compileLoadAssignment(assignment, path, names ? nameOrAddress : parseAddress);
  } catch (error) {
    if (!(error instanceof ConfigError) || !error.reason.startsWith('malformed IP address')) throw error;
    const hint = "Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'";
    throw new ConfigError(error.path, `${error.reason}. ${hint}`);
  }
  assignment.endpoints.forEach(({ lb_endpoints }, index) => {
    let weights = 0;
    for (const { load_balancing_weight: weight } of lb_endpoints) weights += weight?.value ?? 1;
    checkWeights(weights, at(at(path, 'endpoints'), index));
  });
}

function checkWeights(sum: number, path: string): void {
  if (sum <= MAX_UINT32) return;
  throw new ConfigError(path, `The sum of weights of all endpoints in a locality exceeds ${MAX_UINT32}`);
}

/** Of DNS clusters: names are looked up later. */
function nameOrAddress(address: AddressMessage | undefined, path: string): Address {
  if (address?.socket_address === undefined) return parseAddress(address, path);
  const { address: ip, port_value: port } = address.socket_address;
  return { ip, port: port ?? 0, text: '' };
}

/** As `checkLoadAssignment`, of what the shell has not got. False: only the whole message can tell. Throws ConfigError. */
export function checkPlainEndpoints(endpoints: PlainEndpoints): boolean {
  const metadata = new Set<string>();
  const weights = new Float64Array(endpoints.shell.endpoints.length);
  for (let i = 0; i < endpoints.count; i++) {
    weights[endpoints.locality(i)]! += endpoints.weight(i);
    const key = endpoints.metadataKey(i);
    if (key !== '') metadata.add(key);
  }
  for (const [locality, sum] of weights.entries()) checkWeights(sum, at('endpoints', locality));
  for (const key of metadata) if (!isPlainMetadata(Buffer.from(key, 'latin1'))) return false;
  return true;
}

function isPlainMetadata(bytes: Uint8Array): boolean {
  const type = 'envoy.config.core.v3.Metadata';
  return unknownFields(type, bytes).length === 0 && validate(type, decode(type, bytes)).length === 0;
}

/** core.v3.HealthStatus by its numbers. */
const HEALTH_STATUSES: readonly string[] = [
  'UNKNOWN',
  'HEALTHY',
  'UNHEALTHY',
  'DRAINING',
  'TIMEOUT',
  'DEGRADED',
];
/** The bits of HostHealthFlag that each of them stands for. */
export const EDS_FLAGS_OF: readonly number[] = [
  0,
  HostHealthFlag.EdsStatusHealthy,
  HostHealthFlag.FailedEdsHealth,
  HostHealthFlag.EdsStatusDraining,
  HostHealthFlag.FailedEdsHealth | HostHealthFlag.EdsStatusTimeout,
  HostHealthFlag.DegradedEdsHealth,
];

/** The bits of HostHealthFlag that an endpoint's health_status stands for. */
export function edsHealthFlags({ health_status: status }: LbEndpoint): number {
  return typeof status === 'number' ? 0 : EDS_FLAGS_OF[HEALTH_STATUSES.indexOf(status)];
}
