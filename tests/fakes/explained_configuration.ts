// A configuration for questions, out of JSON as in a bootstrap's static_resources.

import { CompiledConfiguration } from '../../server/main/explain/configuration.ts';
import { resourceSource } from '../../server/main/explain/resource_source.ts';
import { fromJson } from '../../xds-protos/json.ts';

export interface JsonResources {
  readonly node?: object;
  readonly listeners?: readonly object[];
  readonly clusters?: readonly object[];
  readonly routes?: readonly object[];
  readonly endpoints?: readonly object[];
}

export function explainedConfiguration(json: JsonResources = {}): CompiledConfiguration {
  return new CompiledConfiguration(
    resourceSource({
      node: json.node && fromJson('envoy.config.core.v3.Node', json.node),
      localClusterName: '',
      listeners: (json.listeners ?? []).map((each) => fromJson('envoy.config.listener.v3.Listener', each)),
      clusters: (json.clusters ?? []).map((each) => fromJson('envoy.config.cluster.v3.Cluster', each)),
      routes: (json.routes ?? []).map((each) => fromJson('envoy.config.route.v3.RouteConfiguration', each)),
      endpoints: (json.endpoints ?? []).map((each) =>
        fromJson('envoy.config.endpoint.v3.ClusterLoadAssignment', each),
      ),
      extensions: [],
    }),
  );
}
