// A cluster that a control plane asks to be checked: no traffic goes to it. Envoy: HdsCluster of source/common/upstream/health_discovery_service.cc.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import type {
  ClusterEndpointsHealth,
  ClusterHealthCheck,
} from '../../../xds-protos/generated/envoy/service/health/v3.ts';
import { create, encode, type Init } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { HostHealthFlag } from '../../api/upstream/host.ts';
import { rejectOtherFields } from '../../common/config/handled_fields.ts';
import { compileHealthCheck } from '../../common/upstream/health_check_config.ts';
import { compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import type { EndpointSource, Endpoints } from '../config_store/endpoint_source.ts';
import { type CompileEnvironment, mainFactoryContext } from '../config_store/main_factory_context.ts';
import { Observable } from '../config_store/warming.ts';
import { ClusterHealthChecks, type HealthCheckServices } from '../health_checks/cluster_health_checks.ts';
import { compileProbeTransport, probeTransport } from '../health_checks/probe_transport.ts';

const TYPE = 'envoy.service.health.v3.ClusterHealthCheck';
const FIELDS = new Set(['cluster_name', 'health_checks', 'locality_endpoints', 'transport_socket_matches']);

type Health = Init<ClusterEndpointsHealth['locality_endpoints_health'][number]['endpoints_health'][number]>;

/** Hosts as the control plane gave them last. */
class GivenEndpoints extends Observable implements EndpointSource {
  readonly name: string;
  readonly ready = true;
  #assignment: ClusterLoadAssignment;

  constructor(name: string, assignment: ClusterLoadAssignment) {
    super();
    this.name = name;
    this.#assignment = assignment;
  }

  give(assignment: ClusterLoadAssignment): void {
    this.#assignment = assignment;
    this.changed();
  }

  endpoints(): Endpoints {
    return { bytes: undefined, version: '', assignment: this.#assignment };
  }

  close(): void {}
}

export class CheckedCluster {
  #config: ClusterHealthCheck;
  /** How hosts are checked, without the hosts: as long as it is the same, results are kept. */
  readonly #manner: string;
  readonly #source: GivenEndpoints;
  readonly #checks: readonly ClusterHealthChecks[];

  /** Throws ConfigError. */
  constructor(
    config: ClusterHealthCheck,
    services: Omit<HealthCheckServices, 'transport' | 'secrets'>,
    environment: CompileEnvironment,
    path: string,
  ) {
    rejectOtherFields(config, FIELDS, path);
    this.#config = config;
    this.#manner = mannerOf(config);
    const name = config.cluster_name;
    this.#source = new GivenEndpoints(name, assignmentOf(config, path));
    const clusters = config.health_checks.map((check) => clusterOf(config, check));
    const settings = clusters.map((cluster) => compileHealthCheck(cluster, true, path)!);
    clusters.forEach((cluster) => void checkTransport(cluster, environment, path));
    this.#checks = settings.map((each, i) => {
      const transport = each.secure ? probeTransport(clusters[i]!, environment, services.stats) : undefined;
      const prefix = `cluster.${name.replaceAll(':', '_')}.`;
      return new ClusterHealthChecks(name, prefix, each, this.#source, {
        ...services,
        transport,
        secrets: [],
      });
    });
  }

  /** Takes other hosts over; false when it is to be made anew, since they are checked in another manner. Throws ConfigError. */
  update(config: ClusterHealthCheck, path: string): boolean {
    if (mannerOf(config) !== this.#manner) return false;
    const assignment = assignmentOf(config, path);
    this.#config = config;
    this.#source.give(assignment);
    return true;
  }

  health(): Init<ClusterEndpointsHealth> {
    let index = 0;
    return {
      cluster_name: this.#config.cluster_name,
      locality_endpoints_health: this.#config.locality_endpoints.map(({ locality, endpoints }) => ({
        locality: locality ?? {},
        endpoints_health: endpoints.map(({ address }): Health => {
          const health_status = this.#statusOf(index++);
          return { endpoint: { address } as Health['endpoint'], health_status };
        }),
      })),
    };
  }

  close(): void {
    for (const checks of this.#checks) checks.close();
  }

  #statusOf(index: number): 'HEALTHY' | 'UNHEALTHY' | 'TIMEOUT' {
    let flags = 0;
    for (const checks of this.#checks) flags |= checks.flagsOf(index);
    if (flags === 0) return 'HEALTHY';
    return (flags & HostHealthFlag.ActiveHcTimeout) !== 0 ? 'TIMEOUT' : 'UNHEALTHY';
  }
}

function mannerOf(config: ClusterHealthCheck): string {
  return Buffer.from(
    encode(TYPE, { ...config, locality_endpoints: [] } as Init<ClusterHealthCheck>),
  ).toString('latin1');
}

/** Throws ConfigError. */
function assignmentOf(config: ClusterHealthCheck, path: string): ClusterLoadAssignment {
  const assignment = create('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    cluster_name: config.cluster_name,
    endpoints: config.locality_endpoints.map(({ locality, endpoints }) => ({
      locality,
      lb_endpoints: endpoints.map((endpoint) => ({ endpoint })),
    })),
  } as Init<ClusterLoadAssignment>);
  compileLoadAssignment(assignment, at(path, 'locality_endpoints'));
  return assignment;
}

function clusterOf(config: ClusterHealthCheck, check: ClusterHealthCheck['health_checks'][number]): Cluster {
  return create('envoy.config.cluster.v3.Cluster', {
    name: config.cluster_name,
    health_checks: [check],
    transport_socket_matches: config.transport_socket_matches,
  } as Init<Cluster>);
}

/** Throws ConfigError for transport sockets that need something that has to be fetched. */
function checkTransport(cluster: Cluster, environment: CompileEnvironment, path: string): void {
  const { context, dependencies } = mainFactoryContext(environment, false);
  compileProbeTransport(cluster, context, path);
  if (dependencies.length === 0) return;
  throw new ConfigError(at(path, 'transport_socket_matches'), 'secrets by SDS are not supported here');
}
