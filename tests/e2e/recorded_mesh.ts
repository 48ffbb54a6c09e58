// A sidecar of a bookinfo mesh, as a recorded istiod configured it: many listeners, clusters and routes as they are in the world.
// Its hosts are nowhere; its secrets come as Istio's agent gives them.

import { CertificateAuthority } from '../fakes/certificate_authority.ts';
import { ControlPlane, type Kind, staticCluster } from '../integration/control_plane.ts';
import { ProxyProcess } from '../integration/proxy_process.ts';
import { holdRecorded } from '../integration/recorded_config.ts';
import { SdsServer } from '../integration/sds_server.ts';

const RECORDING = 'vanilla-reviews-v1-delta';
/** Static clusters of an agent's bootstrap that the configuration names. */
const AGENT_CLUSTERS = ['prometheus_stats', 'agent', 'zipkin', 'xds-grpc'];

export class RecordedMesh {
  readonly proxy: ProxyProcess;
  readonly #plane: ControlPlane;
  readonly #secrets: SdsServer;

  private constructor(proxy: ProxyProcess, plane: ControlPlane, secrets: SdsServer) {
    this.proxy = proxy;
    this.#plane = plane;
    this.#secrets = secrets;
  }

  static async start(): Promise<RecordedMesh> {
    const plane = await ControlPlane.start();
    const secrets = await SdsServer.start();
    const authority = new CertificateAuthority();
    const { key, certificate } = await authority.issue(
      'URI:spiffe://cluster.local/ns/default/sa/bookinfo-reviews',
    );
    await secrets.set('default', {
      name: 'default',
      tls_certificate: {
        certificate_chain: { inline_string: certificate },
        private_key: { inline_string: key },
      },
    });
    await secrets.set('ROOTCA', {
      name: 'ROOTCA',
      validation_context: { trusted_ca: { inline_string: authority.rootPem } },
    });
    holdRecorded(plane, RECORDING, anyPort);
    const sds = { ...staticCluster('sds-grpc', secrets.server.port), ...http2 };
    const others = AGENT_CLUSTERS.map((name) => staticCluster(name, plane.server.port));
    const bootstrap = plane.bootstrap({
      static_resources: { clusters: [staticCluster('xds', plane.server.port), sds, ...others] },
    });
    const proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', '1');
    return new RecordedMesh(proxy, plane, secrets);
  }

  /** Of the dashboard. */
  get url(): string {
    return `http://${this.proxy.adminAddress}/ui`;
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    this.#plane.close();
    this.#secrets.close();
  }
}

const http2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/** Several proxies may run on a machine: those listeners that bind a port get any. */
function anyPort(kind: Kind, _name: string, resource: object): object {
  const { bindToPort, address } = resource as { bindToPort?: boolean; address?: object };
  if (kind !== 'listener' || bindToPort === false || address === undefined) return resource;
  return { ...resource, address: { socketAddress: { address: '127.0.0.1', portValue: 0 } } };
}
