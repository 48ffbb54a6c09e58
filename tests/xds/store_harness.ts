// The real client and configuration store with the real compilers, against fake xDS and SDS servers.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setLogLevel } from '../../server/common/log.ts';
import { ThreadStatStore } from '../../server/common/stats/store.ts';
import { parseCommandLine } from '../../server/main/bootstrap/command_line.ts';
import { buildControl, type Control } from '../../server/main/control.ts';
import type { ResourceUpdate } from '../../server/messages.ts';
import type { Bootstrap } from '../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { encodeAny } from '../../xds-protos/load.ts';
import { FakeXdsServer } from './fake_server.ts';

setLogLevel(undefined, 'off');

const SECRETS = new URL('../fixtures/secrets/', import.meta.url);
const pem = (name: string): object => ({ inline_string: readFileSync(new URL(name, SECRETS), 'utf8') });

const closers: (() => void)[] = [];

/** Call it after each test; `closeLater` adds to what it closes. */
export function closeAll(): void {
  for (const close of closers.splice(0)) close();
}
export function closeLater(close: () => void): void {
  closers.push(close);
}

/** Serves `default`, `ROOTCA` and files, as Istio's agent does. `address`: a free port unless given. */
export async function sdsServer(address?: string): Promise<FakeXdsServer> {
  const server = await FakeXdsServer.sotw(address);
  closeLater(() => server.close());
  const type = 'envoy.extensions.transport_sockets.tls.v3.Secret';
  server.onRequest = (request, stream) => {
    if (request.response_nonce !== '') return;
    const [name = ''] = request.resource_names;
    const secret =
      name === 'ROOTCA' || name.startsWith('file-root:')
        ? { validation_context: { trusted_ca: pem('ca.pem') } }
        : { tls_certificate: { certificate_chain: pem('cert.pem'), private_key: pem('key.pem') } };
    stream.sendSotw({
      version_info: '1',
      nonce: '1',
      type_url: request.type_url,
      resources: [encodeAny(type, fromJson(type, { name, ...secret }))],
    });
  };
  return server;
}

export function start(dialect: string, ads: string, sds: string, updates: ResourceUpdate[]): Control {
  const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  const bootstrap = fromJson('envoy.config.bootstrap.v3.Bootstrap', {
    node: { id: 'sidecar~127.0.0.1~a.b~c', cluster: 'test' },
    dynamic_resources: {
      cds_config: source,
      lds_config: source,
      ads_config: {
        api_type: dialect === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
    },
    static_resources: { clusters: [grpcCluster('xds-grpc', ads), grpcCluster('sds-grpc', sds)] },
  }) as Bootstrap;
  const commandLine = parseCommandLine(['--concurrency', '1']);
  assert.ok(commandLine.type === 'run');
  const stats = new ThreadStatStore(() => undefined);
  const control = buildControl(bootstrap, commandLine.options, '0', stats, {
    publish: (sent) => updates.push(...sent),
    settled: () => Promise.resolve(),
    onPiece: () => undefined,
    runtime: () => undefined,
  });
  closeLater(() => control.close());
  control.store.start(() => undefined);
  return control;
}

function grpcCluster(name: string, address: string): object {
  const [ip, port] = address.split(':');
  const endpoint = { address: { socket_address: { address: ip, port_value: Number(port) } } };
  return { name, load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] } };
}

/** Waits until nothing is warming. */
export async function settled({ store }: Control): Promise<void> {
  await until(
    () => store.initialized && store.clusters.warmingCount === 0 && store.listeners.warmingCount === 0,
    () => `all resources are warm; missing: ${JSON.stringify([...store.unreadyTargets()])}`,
  );
}

/** Clusters and listeners that do not serve their last version. */
export function inactive({ store }: Control): string[] {
  return [...store.clusters.all, ...store.listeners.all]
    .filter(({ active, failure }) => active === undefined || failure !== undefined)
    .map(({ name, failure }) => `${name}: ${failure?.path} ${failure?.reason}`);
}

/** Waits for a truthy result. Rejects after `timeoutMs`, saying what it waited for. */
export async function until<T>(
  condition: () => T | undefined | false,
  what: string | (() => string),
  timeoutMs = 5000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
