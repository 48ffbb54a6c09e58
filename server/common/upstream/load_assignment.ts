// Compiles a ClusterLoadAssignment into hosts by priority. Hosts that were there before keep their connections.
// Follows Envoy's source/extensions/clusters/eds/eds.cc; document: config.endpoint.v3.ClusterLoadAssignment.

import type {
  ClusterLoadAssignment,
  Endpoint,
  Endpoint_HealthCheckConfig,
  LbEndpoint,
} from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import type { Locality } from '../../api/upstream/host.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { parseAddress } from '../network/address.ts';
import type { HostSetOptions } from './host_set.ts';
import { type FilterMetadata, filterMetadata } from './metadata.ts';
import { DEFAULT_HOST_SET_OPTIONS } from './priority_set.ts';

/** Source: LocalityLbEndpoints.priority. */
const MAX_PRIORITY = 128;

const ASSIGNMENT_FIELDS = new Set(['cluster_name', 'endpoints', 'named_endpoints', 'policy']);
const POLICY_FIELDS = new Set([
  'overprovisioning_factor',
  'endpoint_stale_after',
  'weighted_priority_health',
]);
const LOCALITY_FIELDS = new Set([
  'locality',
  'metadata',
  'lb_endpoints',
  'load_balancing_weight',
  'priority',
  'proximity',
]);
const LB_ENDPOINT_FIELDS = new Set([
  'endpoint',
  'endpoint_name',
  'health_status',
  'metadata',
  'load_balancing_weight',
]);
const ENDPOINT_FIELDS = new Set(['address', 'hostname', 'health_check_config', 'additional_addresses']);

/** One endpoint as configured, before it is a Host of a worker. */
export interface CompiledEndpoint {
  readonly address: Address;
  /** More IP addresses of the same host and port, tried in turn with `address`. */
  readonly otherIps: readonly string[];
  readonly hostname: string;
  readonly locality: CompiledLocality;
  readonly weight: number;
  readonly metadata: FilterMetadata | undefined;
  readonly healthCheck: EndpointHealthCheck;
}

/** What the endpoints of one entry of `endpoints` have in common. */
export interface CompiledLocality extends Locality {
  readonly priority: number;
  /** 0: it has none. */
  readonly weight: number;
  readonly metadata: FilterMetadata | undefined;
}

/** Endpoint.health_check_config. */
export interface EndpointHealthCheck {
  /** 0: that of the cluster's checks, or the endpoint's. */
  readonly port: number;
  readonly hostname: string;
  readonly address: Address | undefined;
  readonly disabled: boolean;
}

/** In the order of the message: the i-th endpoint has the i-th host slot. */
export interface CompiledEndpoints {
  readonly length: number;
  at(index: number): CompiledEndpoint | undefined;
  /** True when it is known to be just as it was before. Absent: nothing is known. */
  isUnchanged?(index: number): boolean;
}

export interface CompiledLoadAssignment<Endpoints extends CompiledEndpoints = CompiledEndpoints> {
  readonly endpoints: Endpoints;
  readonly policy: Pick<HostSetOptions, 'overprovisioningFactor' | 'weightedPriorityHealth'>;
}

/** Throws ConfigError at what cannot be honoured. Host names are the DNS clusters' business: they come here resolved. */
export function compileLoadAssignment(
  assignment: ClusterLoadAssignment | undefined,
  path: string,
  parse: typeof parseAddress = parseAddress,
): CompiledLoadAssignment<readonly CompiledEndpoint[]> {
  if (assignment === undefined) return { endpoints: [], policy: DEFAULT_HOST_SET_OPTIONS };
  rejectOtherFields(assignment, ASSIGNMENT_FIELDS, path);
  const policy = compilePolicy(assignment, path);
  const localities = compileLocalities(assignment, path);
  const endpoints: CompiledEndpoint[] = [];
  for (let i = 0; i < assignment.endpoints.length; i++) {
    const { lb_endpoints } = assignment.endpoints[i];
    const where = at(at(at(path, 'endpoints'), i), 'lb_endpoints');
    for (let j = 0; j < lb_endpoints.length; j++)
      endpoints.push(compileEndpoint(assignment, lb_endpoints[j], localities[i], parse, at(where, j)));
  }
  return { endpoints, policy };
}

/** Throws ConfigError at a field that is not known. */
export function compilePolicy(
  { policy }: ClusterLoadAssignment,
  path: string,
): CompiledLoadAssignment['policy'] {
  if (policy !== undefined) rejectOtherFields(policy, POLICY_FIELDS, at(path, 'policy'));
  return {
    overprovisioningFactor:
      wrapperValue(policy?.overprovisioning_factor) ?? DEFAULT_HOST_SET_OPTIONS.overprovisioningFactor,
    weightedPriorityHealth: policy?.weighted_priority_health === true,
  };
}

/** One for each entry of `endpoints`. Throws ConfigError at what cannot be honoured. */
export function compileLocalities({ endpoints }: ClusterLoadAssignment, path: string): CompiledLocality[] {
  return endpoints.map((group, index) => {
    const where = at(at(path, 'endpoints'), index);
    rejectOtherFields(group, LOCALITY_FIELDS, where);
    if (group.priority > MAX_PRIORITY)
      throw new ConfigError(at(where, 'priority'), `priority ${group.priority} is above ${MAX_PRIORITY}`);
    return {
      region: group.locality?.region ?? '',
      zone: group.locality?.zone ?? '',
      subZone: group.locality?.sub_zone ?? '',
      priority: group.priority,
      weight: wrapperValue(group.load_balancing_weight) ?? 0,
      metadata: filterMetadata(group.metadata),
    };
  });
}

/** The Endpoint of an LbEndpoint, written in place or by name. */
export function endpointOf(
  assignment: ClusterLoadAssignment,
  lbEndpoint: LbEndpoint,
): LbEndpoint['endpoint'] {
  const name = lbEndpoint.endpoint_name;
  return name === undefined ? lbEndpoint.endpoint : assignment.named_endpoints[name];
}

function compileEndpoint(
  assignment: ClusterLoadAssignment,
  lb: LbEndpoint,
  locality: CompiledLocality,
  parse: typeof parseAddress,
  path: string,
): CompiledEndpoint {
  rejectOtherFields(lb, LB_ENDPOINT_FIELDS, path);
  const name = lb.endpoint_name;
  if (name !== undefined && !(name in assignment.named_endpoints))
    throw new ConfigError(at(path, 'endpoint_name'), `unknown endpoint '${name}'`);
  const endpoint = endpointOf(assignment, lb);
  if (endpoint === undefined) throw new ConfigError(at(path, 'endpoint'), 'an endpoint is required');
  rejectOtherFields(endpoint, ENDPOINT_FIELDS, at(path, 'endpoint'));
  const address = parse(endpoint.address, at(path, 'endpoint.address'));
  return {
    address,
    otherIps: compileOtherIps(endpoint, address, at(path, 'endpoint.additional_addresses')),
    hostname: endpoint.hostname,
    locality,
    weight: wrapperValue(lb.load_balancing_weight) ?? 1,
    metadata: filterMetadata(lb.metadata),
    healthCheck: compileEndpointHealthCheck(
      endpoint.health_check_config,
      at(path, 'endpoint.health_check_config'),
    ),
  };
}

/** Of most endpoints. */
export const NO_OTHER_IPS: readonly string[] = [];

function compileOtherIps(
  { additional_addresses: others }: Endpoint,
  { port }: Address,
  path: string,
): readonly string[] {
  if (others.length === 0) return NO_OTHER_IPS;
  return others.map(({ address }, index) => {
    const where = at(at(path, index), 'address');
    const other = parseAddress(address, where);
    if (other.ip === '') throw new ConfigError(where, 'additional addresses must be IP addresses');
    if (other.port !== port)
      throw new ConfigError(where, 'additional addresses on other ports are not supported');
    return other.ip;
  });
}

export const CHECKED_AS_ITSELF: EndpointHealthCheck = Object.freeze({
  port: 0,
  hostname: '',
  address: undefined,
  disabled: false,
});

function compileEndpointHealthCheck(
  config: Endpoint_HealthCheckConfig | undefined,
  path: string,
): EndpointHealthCheck {
  if (config === undefined) return CHECKED_AS_ITSELF;
  return {
    port: config.port_value,
    hostname: config.hostname,
    address: config.address && parseAddress(config.address, at(path, 'address')),
    disabled: config.disable_active_health_check,
  };
}
