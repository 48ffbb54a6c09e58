// The transport sockets of a cluster for its health checks. Workers have their own; here they are made only for clusters
// whose hosts are checked through them. Envoy: HostImplBase::createHealthCheckConnection.

import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { SdsSecretConfig } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decode } from '../../../xds-protos/load.ts';
import type { FactoryContext, Provider } from '../../api/registry.ts';
import type { Secret } from '../../api/secret.ts';
import type { StatStore } from '../../api/stats.ts';
import { resourceKey } from '../../common/config/resource_key.ts';
import { compileSecret } from '../../common/secret/secret_config.ts';
import { statName } from '../../common/upstream/cluster_config.ts';
import { compileHttpOptions } from '../../common/upstream/http_protocol_options.ts';
import {
  compileTransportSockets,
  type TransportSocketMatcher,
} from '../../common/upstream/transport_socket_matcher.ts';
import { type CompileEnvironment, mainFactoryContext } from '../config_store/main_factory_context.ts';

/** Of a cluster that has been compiled before, so that nothing is wrong with it. */
export function probeTransport(
  cluster: Cluster,
  environment: CompileEnvironment,
  stats: StatStore,
): TransportSocketMatcher {
  const context = {
    ...mainFactoryContext(environment, false).context,
    stats,
    secret: (sds: object): Provider<Secret> => {
      const { name, sds_config: source } = sds as SdsSecretConfig;
      return new ServingSecret(resourceKey(source, name), environment);
    },
  };
  return compileProbeTransport(cluster, context, '');
}

/** Throws ConfigError. */
export function compileProbeTransport(
  cluster: Cluster,
  context: FactoryContext,
  path: string,
): TransportSocketMatcher {
  const http = compileHttpOptions(cluster, context, path);
  return compileTransportSockets(cluster, http, context, `cluster.${statName(cluster)}.`, path);
}

/** A secret as it is now. */
class ServingSecret implements Provider<Secret> {
  readonly name: string;
  readonly #environment: CompileEnvironment;
  #bytes: Uint8Array | undefined;
  #compiled: Secret | undefined;

  constructor(name: string, environment: CompileEnvironment) {
    this.name = name;
    this.#environment = environment;
  }

  get current(): Secret | undefined {
    const bytes = this.#environment.servingSecret(this.name);
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#compiled =
        bytes && compileSecret(decode('envoy.extensions.transport_sockets.tls.v3.Secret', bytes), '');
    }
    return this.#compiled;
  }
}
