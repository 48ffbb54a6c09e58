// The log of health checks: a line of JSON for each host that became healthy or unhealthy, or was found so.
// Envoy: source/common/upstream/health_checker_event_logger.cc; document: data.core.v3.HealthCheckEvent.

import type { LogFile } from '../../api/registry.ts';
import type { Address } from '../../api/stream_info.ts';
import type { Locality } from '../../api/upstream/host.ts';
import type { FilterMetadata } from '../../common/upstream/metadata.ts';
import type { FailureType } from './probe.ts';

/** What is said of one host. */
export interface HealthCheckEvents {
  addHealthy(first: boolean): void;
  ejectUnhealthy(type: FailureType, status: number): void;
  unhealthy(type: FailureType, first: boolean, status: number): void;
  successful(): void;
  degraded(): void;
  noLongerDegraded(): void;
}

/** The host, as its events name it. */
export interface EventHost {
  readonly checker: 'HTTP' | 'TCP' | 'GRPC';
  readonly clusterName: string;
  readonly address: Address;
  readonly locality: Locality;
  readonly metadata: FilterMetadata | undefined;
}

export class HealthCheckEventLogger implements HealthCheckEvents {
  readonly #files: readonly LogFile[];
  readonly #host: EventHost;

  constructor(files: readonly LogFile[], host: EventHost) {
    this.#files = files;
    this.#host = host;
  }

  addHealthy(first: boolean): void {
    this.#write({ add_healthy_event: { first_check: first } }, {});
  }
  ejectUnhealthy(failure_type: FailureType, http_status_code: number): void {
    this.#write({ eject_unhealthy_event: { failure_type, http_status_code } }, {});
  }
  unhealthy(failure_type: FailureType, first_check: boolean, http_status_code: number): void {
    this.#write({}, { health_check_failure_event: { failure_type, first_check, http_status_code } });
  }
  successful(): void {
    this.#write({}, {}, { successful_health_check_event: {} });
  }
  degraded(): void {
    this.#write({}, { degraded_healthy_host: {} });
  }
  noLongerDegraded(): void {
    this.#write({}, { no_longer_degraded_host: {} });
  }

  /** Fields in the order of the message: events of number 4 and 5 stand before the timestamp, the last after all. */
  #write(before: object, after: object, last: object = {}): void {
    const { checker, clusterName, address, locality, metadata } = this.#host;
    const { region, zone, subZone } = locality;
    const line = {
      health_checker_type: checker,
      host: addressJson(address),
      cluster_name: clusterName,
      ...before,
      timestamp: new Date().toISOString(),
      ...after,
      ...(metadata !== undefined && { metadata: { filter_metadata: metadata, typed_filter_metadata: {} } }),
      locality: { region, zone, sub_zone: subZone },
      ...last,
    };
    for (const file of this.#files) file.write(`${JSON.stringify(line)}\n`);
  }
}

function addressJson({ ip, port, text }: Address): object {
  if (ip === '') return { pipe: { path: text, mode: 0 } };
  return {
    socket_address: {
      protocol: 'TCP',
      address: ip,
      port_value: port,
      resolver_name: '',
      ipv4_compat: false,
      network_namespace_filepath: '',
    },
  };
}
