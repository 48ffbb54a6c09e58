// Where explanations of flags look: the request as it was kept, the configuration that serves now, and live numbers.

import type { Cluster } from '../../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { Route, VirtualHost } from '../../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { HttpConnectionManager } from '../../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { decodeAny, typeNameOf } from '../../../../xds-protos/load.ts';
import type { CapturedRequest } from '../../../common/capture/captured_request.ts';
import type { ThreadLocalCluster } from '../../../common/upstream/thread_local_cluster.ts';
import type { ResourceStatus } from '../../admin/context.ts';
import type { CompiledConfiguration } from '../configuration.ts';
import type { Explanation } from '../explanation.ts';

const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

export interface FlagServices {
  readonly configuration: CompiledConfiguration;
  /** All resources of a kind, with what was refused and what warms. */
  resources(kind: 'cluster' | 'route' | 'listener' | 'extension'): Iterable<ResourceStatus>;
  /** What a warming resource still waits for, `cluster foo`. */
  unreadyTargets(): Iterable<{ readonly name: string; readonly targetNames: readonly string[] }>;
  /** A counter or gauge; undefined where nobody has counted. */
  stat(name: string): number | undefined;
}

export class FlagEvidence {
  readonly request: CapturedRequest;
  readonly services: FlagServices;
  /** What would happen to the request now. */
  readonly explanation: Explanation;

  constructor(request: CapturedRequest, services: FlagServices, explanation: Explanation) {
    this.request = request;
    this.services = services;
    this.explanation = explanation;
  }

  /** As it is now. */
  get cluster(): ThreadLocalCluster | undefined {
    const { cluster } = this.request;
    return cluster === '' ? undefined : this.services.configuration.cluster(cluster);
  }

  get clusterMessage(): Cluster | undefined {
    return this.services.configuration.clusterMessage(this.request.cluster);
  }

  resource(kind: 'cluster' | 'route' | 'listener' | 'extension', name: string): ResourceStatus | undefined {
    for (const status of this.services.resources(kind)) if (status.name === name) return status;
    return undefined;
  }

  /** `cluster.<name>.<stat>` now. */
  clusterStat(stat: string): number {
    const name = this.cluster?.statName ?? this.request.cluster;
    return this.services.stat(`cluster.${name}.${stat}`) ?? 0;
  }

  /** The connection managers of the listener, of the chain of that name if it has one. */
  get manager(): HttpConnectionManager | undefined {
    const { listener, filter_chain } = this.request;
    const message = this.services.configuration.listeners.find(({ name }) => name === listener)?.message;
    if (message === undefined) return undefined;
    const chains = [
      ...message.filter_chains,
      ...(message.default_filter_chain === undefined ? [] : [message.default_filter_chain]),
    ];
    const chain = chains.find(({ name }) => name === filter_chain) ?? chains[0];
    const typed = chain?.filters.at(-1)?.typed_config;
    if (typed === undefined || typeNameOf(typed.type_url) !== MANAGER) return undefined;
    return decodeAny(typed).message as unknown as HttpConnectionManager;
  }

  /** The route that it took, as it is configured now. */
  get route(): { readonly route: Route; readonly virtualHost: VirtualHost } | undefined {
    const { route_config, virtual_host, route: name } = this.request;
    const { configuration } = this.services;
    const message =
      configuration.routeConfigurations.find((each) => each.name === route_config)?.message ??
      this.manager?.route_config;
    const host = message?.virtual_hosts.find((each) => each.name === virtual_host);
    const { route_index: index } = this.explanation.result;
    const route =
      name === ''
        ? index === undefined
          ? undefined
          : host?.routes[index]
        : host?.routes.find((each) => each.name === name);
    return host === undefined || route === undefined ? undefined : { route, virtualHost: host };
  }

  /** ms that a phase took; undefined where it was not reached. */
  phaseMs(name: string): number | undefined {
    const phase = this.request.phases.find((each) => each.name === name);
    return phase && Math.round(phase.end_ms - phase.start_ms);
  }

  requestHeader(name: string): string | undefined {
    return this.request.request_headers.find((header) => header.name === name)?.value;
  }
}
