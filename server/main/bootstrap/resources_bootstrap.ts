// The bootstrap for `--resources DIR`: this proxy's own folder control plane over ADS. A bootstrap of the user is merged over it.

import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { DEFAULT_ADMIN, deltaAds, grpcCluster } from './grpc_cluster.ts';

const CLUSTER = 'resources';

/** `address` is where the folder is served: `127.0.0.1:<port>`. */
export function resourcesBootstrap(address: string): Bootstrap {
  const colon = address.lastIndexOf(':');
  return fromJson('envoy.config.bootstrap.v3.Bootstrap', {
    node: { id: 'pilotfish', cluster: 'pilotfish' },
    admin: DEFAULT_ADMIN,
    dynamic_resources: deltaAds(CLUSTER),
    layered_runtime: { layers: [{ name: 'admin', admin_layer: {} }] },
    static_resources: {
      clusters: [
        grpcCluster(CLUSTER, 'STATIC', {
          socket_address: { address: address.slice(0, colon), port_value: Number(address.slice(colon + 1)) },
        }),
      ],
    },
  });
}
