// Recorded istiod streams through the real client into the real configuration store, with the real compilers: what a
// vanilla istiod sends is ACKed in full and everything goes active; of the others, each NACK is in the table below.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { setLogLevel } from '../../server/common/log.ts';
import { ThreadStatStore } from '../../server/common/stats/store.ts';
import { parseCommandLine } from '../../server/main/bootstrap/command_line.ts';
import { buildControl, type Control } from '../../server/main/control.ts';
import type { ResourceUpdate } from '../../server/messages.ts';
import type { Bootstrap } from '../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { decode, encodeAny } from '../../xds-protos/load.ts';
import { FakeXdsServer } from './fake_server.ts';
import { type RecordedMessage, type RecordedStream, recordedStreams } from './recorded_stream.ts';

setLogLevel(undefined, 'off');

type Request = DiscoveryRequest | DeltaDiscoveryRequest;
type Response = DiscoveryResponse | DeltaDiscoveryResponse;

/** What the streams of meshes with policies hold and this version does not have yet: the reasons of all their NACKs. */
const NOT_YET: readonly string[] = [
  // Load balancing by hash, and outlier detection.
  'ring_hash_lb_config: this field is not supported',
  'maglev_lb_config: this field is not supported',
  'outlier_detection: this field is not supported',
  // Tracing.
  "tracing.provider: Didn't find a registered implementation for 'envoy.tracers.zipkin'",
  "tracing.provider: Didn't find a registered implementation for 'envoy.tracers.opentelemetry'",
  // CEL.
  "access_log.filter.extension_filter: Didn't find a registered implementation for 'envoy.access_loggers.extension_filters.cel'",
];

const SECRETS = new URL('../fixtures/secrets/', import.meta.url);
const pem = (name: string): object => ({ inline_string: readFileSync(new URL(name, SECRETS), 'utf8') });

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

for (const stream of recordedStreams()) {
  const vanilla = stream.name.startsWith('vanilla-');
  test(`the store takes ${stream.name}${vanilla ? ' in full' : ', but for what is not there yet'}`, async () => {
    const server = stream.dialect === 'delta' ? await FakeXdsServer.delta() : await FakeXdsServer.sotw();
    const secrets = await sdsServer();
    closers.push(() => server.close());
    const updates: ResourceUpdate[] = [];
    const control = start(stream.dialect, server.address, secrets.address, updates);
    const nacks = await replay(stream, server as FakeXdsServer<Request>, vanilla);
    await settled(control);
    const refused = refusals(control);
    assert.equal(nacks.length > 0, refused.length > 0);
    if (vanilla) {
      assert.deepEqual(refused, []);
      assert.deepEqual(inactive(control), []);
    } else {
      const unexpected = refused.filter((reason) => !NOT_YET.some((known) => reason.includes(known)));
      assert.deepEqual([...new Set(unexpected)].sort(), []);
    }
  });
}

/** Serves `default`, `ROOTCA` and files, as Istio's agent does. */
async function sdsServer(): Promise<FakeXdsServer> {
  const server = await FakeXdsServer.sotw();
  closers.push(() => server.close());
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

function start(dialect: string, ads: string, sds: string, updates: ResourceUpdate[]): Control {
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
    onPiece: () => undefined,
    runtime: () => undefined,
  });
  closers.push(() => control.close());
  control.store.start(() => undefined);
  return control;
}

function grpcCluster(name: string, address: string): object {
  const [ip, port] = address.split(':');
  const endpoint = { address: { socket_address: { address: ip, port_value: Number(port) } } };
  return { name, load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] } };
}

/**
 * Sends what istiod sent, each response once its type is asked for; the errors of the NACKs.
 * Where not all is taken, a type may never be asked for: of listeners that were refused nobody wants the routes.
 */
async function replay(
  stream: RecordedStream,
  server: FakeXdsServer<Request>,
  complete: boolean,
): Promise<string[]> {
  const nacks: string[] = [];
  let step = 'initial';
  for (const message of stream.messages) {
    if (message.dir !== 'recv' || message.type === 'NDS' || message.type === 'PCDS') continue;
    const response = decodeResponse(stream, message);
    if (message.step === 'reconnect' && step !== 'reconnect') {
      server.streams.at(-1)!.end();
      await until(() => server.streams.length === 2, 'the client comes back');
    }
    step = message.step;
    const asked = await until(
      () =>
        server.requests.find(
          (one) => one.stream === server.streams.at(-1) && one.request.type_url === response.type_url,
        ),
      () => `${stream.name} ${message.seq}: a request for ${message.type}, after NACKs ${nacks.join('\n')}`,
      complete ? 5000 : 100,
    ).catch((error: Error) => {
      if (complete) throw error;
    });
    if (asked === undefined) continue;
    asked.stream.sendBytes(message.bytes);
    const answer = await until(
      () => server.requests.find(({ request }) => request.response_nonce === response.nonce),
      `${stream.name} ${message.seq}: an answer to ${message.type}`,
    );
    const error = answer.request.error_detail;
    if (error !== undefined) nacks.push(`${message.step} ${message.type}: ${error.message}`);
  }
  return nacks;
}

function decodeResponse(stream: RecordedStream, { bytes }: RecordedMessage): Response {
  return stream.dialect === 'delta'
    ? decode('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes)
    : decode('envoy.service.discovery.v3.DiscoveryResponse', bytes);
}

async function settled({ store }: Control): Promise<void> {
  await until(
    () => store.initialized && store.clusters.warmingCount === 0 && store.listeners.warmingCount === 0,
    () => `all resources are warm; missing: ${JSON.stringify([...store.unreadyTargets()])}`,
  );
}

/** Why resources were refused, as `path: reason` without indices. */
function refusals({ store }: Control): string[] {
  const errors = [...store.history.all()].flatMap(({ error }) => (error === undefined ? [] : [error]));
  return errors.map(({ path, reason }) => `${path.replace(/\[\d+\]/g, '')}: ${reason}`);
}

/** Clusters and listeners that do not serve their last version. */
function inactive({ store }: Control): string[] {
  return [...store.clusters.all, ...store.listeners.all]
    .filter(({ active, failure }) => active === undefined || failure !== undefined)
    .map(({ name, failure }) => `${name}: ${failure?.path} ${failure?.reason}`);
}

async function until<T>(
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
