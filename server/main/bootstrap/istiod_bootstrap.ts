// Writes the bootstrap for `--istiod HOST:PORT`: what Istio's agent would give the proxy, reduced to what one needs
// without the agent. Delta ADS on one stream, the node on its first message only, no limit on the first fetch.

import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { IstiodOptions } from './command_line.ts';
import { DEFAULT_ADMIN, deltaAds, grpcCluster } from './grpc_cluster.ts';
import { localIp } from './local_address.ts';

const CLUSTER = 'xds-grpc';
/** Where Istio's agent serves workload certificates; istiod's resources name this cluster. */
const SDS_CLUSTER = 'sds-grpc';
const SDS_SOCKET = './var/run/secrets/workload-spiffe-uds/socket';
/** Istio's trust domain and DNS domain unless the mesh configuration says otherwise. */
const DOMAIN = 'cluster.local';
/** The Istio version whose proxies we stand in for: istiod sends old proxies less. */
const ISTIO_VERSION = '1.31.0';

/** `local` is this machine's address and name: the defaults of the node id. */
export function istiodBootstrap(options: IstiodOptions, local: LocalHost = localHost()): Bootstrap {
  const id = options.nodeId || nodeId(options, local);
  const [, ip = local.ip, workload = local.name] = id.split('~');
  const name = workload.split('.')[0] as string;
  const app = options.labels['app'] ?? name;
  const { host, port } = splitAddress(options.address);
  return fromJson('envoy.config.bootstrap.v3.Bootstrap', {
    node: {
      id,
      cluster: `${app}.${options.namespace}`,
      metadata: {
        CLUSTER_ID: 'Kubernetes',
        INSTANCE_IPS: ip,
        ...(options.role === 'sidecar' ? { INTERCEPTION_MODE: 'REDIRECT' } : {}),
        ISTIO_VERSION,
        LABELS: { app, ...options.labels },
        MESH_ID: DOMAIN,
        NAME: name,
        NAMESPACE: options.namespace,
        WORKLOAD_NAME: options.labels['app'] ?? name,
      },
    },
    admin: DEFAULT_ADMIN,
    dynamic_resources: deltaAds(CLUSTER),
    layered_runtime: { layers: [{ name: 'admin', admin_layer: {} }] },
    static_resources: {
      clusters: [
        grpcCluster(CLUSTER, isIP(host) === 0 ? 'STRICT_DNS' : 'STATIC', {
          socket_address: { address: host, port_value: port },
        }),
        grpcCluster(SDS_CLUSTER, 'STATIC', { pipe: { path: SDS_SOCKET } }),
      ],
    },
  });
}

export interface LocalHost {
  readonly ip: string;
  readonly name: string;
}

/** `sidecar~10.0.0.1~name.ns~ns.svc.cluster.local`. Gateways say `router`. */
function nodeId({ role, namespace }: IstiodOptions, { ip, name }: LocalHost): string {
  const type = role === 'gateway' ? 'router' : 'sidecar';
  return `${type}~${ip}~${name}.${namespace}~${namespace}.svc.${DOMAIN}`;
}

function localHost(): LocalHost {
  return { ip: localIp('v4'), name: hostname().split('.')[0] as string };
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
