// What the main thread needs of a ClusterLoadAssignment: that it can be honoured, and who its hosts are.
// Envoy: source/extensions/clusters/eds/eds.cc, source/common/upstream/upstream_impl.cc.

import type {
  ClusterLoadAssignment,
  LbEndpoint,
} from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { HostHealthFlag } from '../../api/upstream/host.ts';
import { rejectOtherFields } from '../../common/config/handled_fields.ts';
import { parseAddress } from '../../common/network/address.ts';

const ASSIGNMENT_FIELDS = new Set(['cluster_name', 'endpoints', 'named_endpoints', 'policy']);
const POLICY_FIELDS = new Set([
  'overprovisioning_factor',
  'endpoint_stale_after',
  'weighted_priority_health',
]);
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
  rejectOtherFields(assignment, ASSIGNMENT_FIELDS, path);
  if (assignment.policy !== undefined)
    rejectOtherFields(assignment.policy, POLICY_FIELDS, at(path, 'policy'));
  assignment.endpoints.forEach((locality, index) => {
    const where = at(at(path, 'endpoints'), index);
    let weights = 0;
    locality.lb_endpoints.forEach((endpoint, position) => {
      checkEndpoint(assignment, endpoint, names, at(at(where, 'lb_endpoints'), position));
      weights += endpoint.load_balancing_weight?.value ?? 1;
    });
    if (weights > MAX_UINT32) {
      throw new ConfigError(where, `The sum of weights of all endpoints in a locality exceeds ${MAX_UINT32}`);
    }
  });
}

function checkEndpoint(
  assignment: ClusterLoadAssignment,
  lbEndpoint: LbEndpoint,
  names: boolean,
  path: string,
): void {
  if (lbEndpoint.endpoint_name !== undefined && !(lbEndpoint.endpoint_name in assignment.named_endpoints)) {
    throw new ConfigError(at(path, 'endpoint_name'), `unknown endpoint '${lbEndpoint.endpoint_name}'`);
  }
  const address = endpointOf(assignment, lbEndpoint)?.address;
  const where = at(at(path, 'endpoint'), 'address');
  if (names && address?.socket_address !== undefined) return;
  try {
    parseAddress(address, where);
  } catch (error) {
    if (!(error instanceof ConfigError) || !error.reason.startsWith('malformed IP address')) throw error;
    const hint = "Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'";
    throw new ConfigError(error.path, `${error.reason}. ${hint}`);
  }
}

/** The Endpoint of an LbEndpoint, written in place or by name. */
export function endpointOf(
  assignment: ClusterLoadAssignment,
  lbEndpoint: LbEndpoint,
): LbEndpoint['endpoint'] {
  const name = lbEndpoint.endpoint_name;
  return name === undefined ? lbEndpoint.endpoint : assignment.named_endpoints[name];
}

/** A text that is equal for the same address: `10.0.0.1:80`, a path. */
export function addressKey(assignment: ClusterLoadAssignment, lbEndpoint: LbEndpoint): string {
  const address = endpointOf(assignment, lbEndpoint)?.address;
  if (address?.socket_address !== undefined) {
    const { address: ip, port_value: port } = address.socket_address;
    return `${ip}:${port}`;
  }
  return address?.pipe?.path ?? '';
}

/** The bits of HostHealthFlag that an endpoint's health_status stands for. */
export function edsHealthFlags(lbEndpoint: LbEndpoint): number {
  switch (lbEndpoint.health_status) {
    case 'HEALTHY':
      return HostHealthFlag.EdsStatusHealthy;
    case 'UNHEALTHY':
      return HostHealthFlag.FailedEdsHealth;
    case 'TIMEOUT':
      return HostHealthFlag.FailedEdsHealth | HostHealthFlag.EdsStatusTimeout;
    case 'DRAINING':
      return HostHealthFlag.EdsStatusDraining;
    case 'DEGRADED':
      return HostHealthFlag.DegradedEdsHealth;
    default:
      return 0;
  }
}
