// Compiles a ClusterLoadAssignment into hosts by priority. Hosts that were there before keep their connections.
// Follows Envoy's source/extensions/clusters/eds/eds.cc; document: config.endpoint.v3.ClusterLoadAssignment.

import type {
  ClusterLoadAssignment,
  Endpoint_HealthCheckConfig,
  LbEndpoint,
  LocalityLbEndpoints,
} from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { parseAddress } from '../network/address.ts';
import type { HostSetOptions } from './host_set.ts';
import { type FilterMetadata, filterMetadata } from './metadata.ts';
import { DEFAULT_HOST_SET_OPTIONS } from './priority_set.ts';

/** Source: LocalityLbEndpoints.priority. */
const MAX_PRIORITY = 128;

const ASSIGNMENT_FIELDS = new Set(['cluster_name', 'endpoints', 'policy']);
const POLICY_FIELDS = new Set(['overprovisioning_factor', 'weighted_priority_health']);
const LOCALITY_FIELDS = new Set([
  'locality',
  'metadata',
  'lb_endpoints',
  'load_balancing_weight',
  'priority',
  'proximity',
]);
const LB_ENDPOINT_FIELDS = new Set(['endpoint', 'health_status', 'metadata', 'load_balancing_weight']);
const ENDPOINT_FIELDS = new Set(['address', 'hostname', 'health_check_config']);

/** One endpoint as configured, before it is a Host of a worker. */
export interface CompiledEndpoint {
  readonly address: Address;
  readonly hostname: string;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly priority: number;
  readonly weight: number;
  /** 0: its locality has no weight. */
  readonly localityWeight: number;
  readonly metadata: FilterMetadata | undefined;
  readonly localityMetadata: FilterMetadata | undefined;
  readonly healthCheck: EndpointHealthCheck;
}

/** Endpoint.health_check_config. */
export interface EndpointHealthCheck {
  /** 0: that of the cluster's checks, or the endpoint's. */
  readonly port: number;
  readonly hostname: string;
  readonly address: Address | undefined;
  readonly disabled: boolean;
}

export interface CompiledLoadAssignment {
  /** In the order of the message: the i-th endpoint has the i-th host slot. */
  readonly endpoints: readonly CompiledEndpoint[];
  readonly policy: Pick<HostSetOptions, 'overprovisioningFactor' | 'weightedPriorityHealth'>;
}

/** Throws ConfigError at what cannot be honoured. Host names are the DNS clusters' business: they come here resolved. */
export function compileLoadAssignment(
  assignment: ClusterLoadAssignment | undefined,
  path: string,
): CompiledLoadAssignment {
  if (assignment === undefined) return { endpoints: [], policy: DEFAULT_HOST_SET_OPTIONS };
  rejectOtherFields(assignment, ASSIGNMENT_FIELDS, path);
  if (assignment.policy !== undefined)
    rejectOtherFields(assignment.policy, POLICY_FIELDS, at(path, 'policy'));
  const endpoints: CompiledEndpoint[] = [];
  for (let i = 0; i < assignment.endpoints.length; i++) {
    const group = assignment.endpoints[i];
    const where = at(at(path, 'endpoints'), i);
    rejectOtherFields(group, LOCALITY_FIELDS, where);
    if (group.priority > MAX_PRIORITY)
      throw new ConfigError(at(where, 'priority'), `priority ${group.priority} is above ${MAX_PRIORITY}`);
    const localityMetadata = filterMetadata(group.metadata);
    for (let j = 0; j < group.lb_endpoints.length; j++) {
      endpoints.push(
        compileEndpoint(group.lb_endpoints[j], group, localityMetadata, at(at(where, 'lb_endpoints'), j)),
      );
    }
  }
  return {
    endpoints,
    policy: {
      overprovisioningFactor:
        wrapperValue(assignment.policy?.overprovisioning_factor) ??
        DEFAULT_HOST_SET_OPTIONS.overprovisioningFactor,
      weightedPriorityHealth: assignment.policy?.weighted_priority_health === true,
    },
  };
}

function compileEndpoint(
  lb: LbEndpoint,
  group: LocalityLbEndpoints,
  localityMetadata: FilterMetadata | undefined,
  path: string,
): CompiledEndpoint {
  rejectOtherFields(lb, LB_ENDPOINT_FIELDS, path);
  const endpoint = lb.endpoint;
  if (endpoint === undefined) throw new ConfigError(at(path, 'endpoint'), 'an endpoint is required');
  rejectOtherFields(endpoint, ENDPOINT_FIELDS, at(path, 'endpoint'));
  return {
    address: parseAddress(endpoint.address, at(path, 'endpoint.address')),
    hostname: endpoint.hostname,
    region: group.locality?.region ?? '',
    zone: group.locality?.zone ?? '',
    subZone: group.locality?.sub_zone ?? '',
    priority: group.priority,
    weight: wrapperValue(lb.load_balancing_weight) ?? 1,
    localityWeight: wrapperValue(group.load_balancing_weight) ?? 0,
    metadata: filterMetadata(lb.metadata),
    localityMetadata,
    healthCheck: compileEndpointHealthCheck(
      endpoint.health_check_config,
      at(path, 'endpoint.health_check_config'),
    ),
  };
}

const CHECKED_AS_ITSELF: EndpointHealthCheck = Object.freeze({
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
