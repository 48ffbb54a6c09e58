// Writes the bootstrap for `--istiod HOST:PORT`: what Istio's agent would give the proxy, reduced to what one needs
// without the agent. Delta ADS on one stream, the node on its first message only, no limit on the first fetch.

import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { WorkloadIdentityOptions } from '../mesh_identity/workload_identity.ts';
import { SDS_CLUSTER, WORKLOAD_CERTIFICATE } from '../mesh_identity/workload_secrets.ts';
import { socketTarget } from '../xds/grpc_target.ts';
import type { IdentityOptions, IstiodOptions } from './command_line.ts';
import { DEFAULT_ADMIN, deltaAds, grpcCluster } from './grpc_cluster.ts';
import { localIp } from './local_address.ts';

const CLUSTER = 'xds-grpc';
/** Where Istio's agent serves workload certificates; istiod's resources name this cluster. */
const SDS_SOCKET = './var/run/secrets/workload-spiffe-uds/socket';
/** Istio's trust domain and DNS domain unless the mesh configuration says otherwise. */
const DOMAIN = 'cluster.local';
/** The Istio version whose proxies we stand in for: istiod sends old proxies less. */
const ISTIO_VERSION = '1.31.0';
const UPSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

/** `local` is this machine's address and name: the defaults of the node id. */
export function istiodBootstrap(options: IstiodOptions, local: LocalHost = localHost()): Bootstrap {
  const { identity, labels, namespace } = options;
  const id = options.nodeId || nodeId(options, local);
  const [, ip = local.ip, workload = local.name] = id.split('~');
  const name = workload.split('.')[0] as string;
  const app = labels['app'] ?? name;
  return fromJson('envoy.config.bootstrap.v3.Bootstrap', {
    node: {
      id,
      cluster: `${app}.${namespace}`,
      metadata: {
        CLUSTER_ID: options.clusterId,
        INSTANCE_IPS: ip,
        ...(options.role === 'sidecar' ? { INTERCEPTION_MODE: 'REDIRECT' } : {}),
        ISTIO_VERSION,
        LABELS: {
          app,
          // As Istio's injector has them: mesh metrics tell workloads apart by these.
          'service.istio.io/canonical-name': app,
          'service.istio.io/canonical-revision': labels['version'] ?? 'latest',
          ...labels,
        },
        MESH_ID: identity?.trustDomain ?? DOMAIN,
        NAME: name,
        NAMESPACE: namespace,
        // istiod ends the stream of a proxy whose certificate is for another.
        ...(identity === undefined ? {} : { SERVICE_ACCOUNT: identity.serviceAccount }),
        WORKLOAD_NAME: labels['app'] ?? name,
      },
    },
    admin: DEFAULT_ADMIN,
    dynamic_resources: deltaAds(CLUSTER),
    layered_runtime: { layers: [{ name: 'admin', admin_layer: {} }] },
    static_resources: {
      clusters:
        identity === undefined
          ? [istiodCluster(options.address), agentCluster()]
          : [{ ...istiodCluster(options.address), transport_socket: istiodTls(identity) }],
    },
  });
}

/** What mesh_identity needs to know of istiod. */
export function identityOptions(options: IstiodOptions, identity: IdentityOptions): WorkloadIdentityOptions {
  const { host, port } = splitAddress(options.address);
  const { trustDomain, serviceAccount, istiodSan, tokenFile, rootCa } = identity;
  return {
    service: { target: socketTarget(host, port), serverName: istiodSan, clusterId: options.clusterId },
    spiffeId: `spiffe://${trustDomain}/ns/${options.namespace}/sa/${serviceAccount}`,
    tokenFile,
    rootCaFile: rootCa,
  };
}

export interface LocalHost {
  readonly ip: string;
  readonly name: string;
}

function istiodCluster(address: string): object {
  const { host, port } = splitAddress(address);
  const type = isIP(host) === 0 ? 'STRICT_DNS' : 'STATIC';
  return grpcCluster(CLUSTER, type, { socket_address: { address: host, port_value: port } });
}

/** Without an identity of its own the proxy asks the agent for secrets, if there is one. */
function agentCluster(): object {
  return grpcCluster(SDS_CLUSTER, 'STATIC', { pipe: { path: SDS_SOCKET } });
}

/** The certificate is the workload's own, so CDS is asked for once it is there. */
function istiodTls({ istiodSan, rootCa }: IdentityOptions): object {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `type.googleapis.com/${UPSTREAM_TLS}`,
      sni: istiodSan,
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_certificate_sds_secret_configs: [{ name: WORKLOAD_CERTIFICATE, sds_config: sdsSource() }],
        validation_context: {
          trusted_ca: { filename: rootCa },
          match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: istiodSan } }],
        },
      },
    },
  };
}

/** As in istiod's resources. */
function sdsSource(): object {
  return {
    api_config_source: {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: SDS_CLUSTER } }],
      set_node_on_first_message_only: true,
    },
    initial_fetch_timeout: '0s',
    resource_api_version: 'V3',
  };
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
