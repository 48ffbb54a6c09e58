// What Istio's agent sets up around the proxy that it starts: xDS and SDS on Unix sockets, its own status port, and the
// bootstrap that it wrote, with sockets and ports moved to where a test may have them.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { decode, decodeAny, encode, encodeAny } from '../../xds-protos/load.ts';
import { FakeXdsServer } from '../xds/fake_server.ts';
import { readRecordedStream } from '../xds/recorded_stream.ts';
import { closeAll, sdsServer } from '../xds/store_harness.ts';

const RECORDED = path.join(import.meta.dirname, '../fixtures/istiod/vanilla-reviews-v1-delta');
const RESPONSE = 'envoy.service.discovery.v3.DeltaDiscoveryResponse';
const WORKLOAD = 'istio.workload.Workload';
const LISTENER = 'envoy.config.listener.v3.Listener';

/** The agent's flags, as it gives them (without those that a user may add). */
export const AGENT_FLAGS: readonly string[] = [
  ...['--drain-time-s', '45', '--drain-strategy', 'immediate', '--local-address-ip-version', 'v4'],
  ...['--file-flush-interval-msec', '1000', '--disable-hot-restart', '--allow-unknown-static-fields'],
  ...['-l', 'warning', '--component-log-level', 'misc:error', '--skip-deprecated-logs'],
  ...[
    '--file-flush-min-size-kb',
    '1',
    '--config-yaml',
    '{"node":{"metadata":{"MORE":"x"}},"field_of_tomorrow":1}',
  ],
  ...['--concurrency', '2'],
];

export interface AgentPorts {
  readonly admin: number;
  readonly prometheus: number;
  readonly readiness: number;
  readonly agent: number;
}

export class AgentEnvironment {
  readonly directory: string;
  readonly xds: FakeXdsServer<DeltaDiscoveryRequest>;
  readonly ports: AgentPorts;
  /** What the proxy refused. */
  readonly nacks: string[] = [];
  readonly #status: http.Server;
  readonly #sent = new Set<string>();

  private constructor(
    xds: FakeXdsServer<DeltaDiscoveryRequest>,
    ports: AgentPorts,
    status: http.Server,
    directory: string,
  ) {
    this.xds = xds;
    this.ports = ports;
    this.#status = status;
    this.directory = directory;
  }

  static async start(): Promise<AgentEnvironment> {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'agent-'));
    const status = http.createServer((_, response) => response.end('agent is ready'));
    status.listen(0, '127.0.0.1');
    await once(status, 'listening');
    const [admin, prometheus, readiness] = await freePorts(3);
    const ports = { admin: admin!, prometheus: prometheus!, readiness: readiness!, agent: portOf(status) };
    await sdsServer(`unix:${path.join(directory, 'sds')}`);
    const xds = await FakeXdsServer.delta(`unix:${path.join(directory, 'xds')}`);
    const environment = new AgentEnvironment(xds, ports, status, directory);
    environment.#serve(recordedResponses());
    return environment;
  }

  /** A copy of a bootstrap with our sockets and ports in it. */
  adopt(bootstrapFile: string): string {
    const text = readFileSync(bootstrapFile, 'utf8')
      .replace('./var/run/secrets/workload-spiffe-uds/test.sock', path.join(this.directory, 'sds'))
      .replace('/tmp/XDS', path.join(this.directory, 'xds'))
      .replaceAll('"port_value": 15000', `"port_value": ${this.ports.admin}`)
      .replaceAll('"port_value": 15020', `"port_value": ${this.ports.agent}`)
      .replaceAll('"port_value": 15021', `"port_value": ${this.ports.readiness}`)
      .replaceAll('"port_value": 15090', `"port_value": ${this.ports.prometheus}`)
      .replaceAll('"address": "0.0.0.0"', '"address": "127.0.0.1"');
    const copy = path.join(this.directory, path.basename(bootstrapFile));
    writeFileSync(copy, text);
    return copy;
  }

  close(): void {
    this.xds.close();
    this.#status.close();
    closeAll();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Each type is answered once, with what was recorded. */
  #serve(responses: ReadonlyMap<string, Uint8Array>): void {
    this.xds.onRequest = ({ type_url: type, error_detail: error }, stream) => {
      if (error !== undefined) this.nacks.push(error.message);
      const bytes = responses.get(type);
      if (bytes === undefined || this.#sent.has(type)) return;
      this.#sent.add(type);
      stream.sendBytes(bytes);
    };
  }
}

/** By type. Listeners are bound to free ports: 15001 and 15006 may be taken. */
function recordedResponses(): Map<string, Uint8Array> {
  const responses = new Map<string, Uint8Array>();
  for (const { dir, step, bytes } of readRecordedStream(RECORDED).messages) {
    if (dir !== 'recv' || step !== 'initial') continue;
    const response = decode<DeltaDiscoveryResponse>(RESPONSE, bytes);
    if (responses.has(response.type_url)) continue;
    for (const one of response.resources) {
      if (one.resource === undefined || !one.resource.type_url.endsWith(LISTENER)) continue;
      const listener = decodeAny(one.resource).message as never;
      one.resource = encodeAny(LISTENER, onFreePort(listener));
    }
    responses.set(response.type_url, encode(RESPONSE, response));
  }
  responses.set(`type.googleapis.com/${WORKLOAD}`, workloadResponse());
  return responses;
}

/** One workload with two addresses. */
function workloadResponse(): Uint8Array {
  const uid = 'Kubernetes//Pod/default/ratings-v1-0';
  const addresses = [Buffer.from([10, 1, 2, 3]), Buffer.from('fd000000000000000000000000000003', 'hex')];
  return encode(RESPONSE, {
    type_url: `type.googleapis.com/${WORKLOAD}`,
    nonce: 'workloads',
    resources: [{ name: uid, version: '1', resource: encodeAny(WORKLOAD, { uid, addresses }) }],
  });
}

interface Bound {
  bind_to_port?: { value: boolean };
  address?: { socket_address?: { port_value: number } };
}

function onFreePort(listener: Bound): never {
  const address = listener.address?.socket_address;
  if (listener.bind_to_port?.value !== false && address !== undefined) address.port_value = 0;
  return listener as never;
}

/** Ports that nobody has at the moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map(portOf);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}
