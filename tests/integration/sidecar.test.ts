// A client and a server talk through two sidecars that run what istiod sent them, each pair in a network namespace whose
// iptables redirect all its connections, as in a pod. HTTP/2 between the sidecars comes with the HTTP/2 codec.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ControlPlane, type Kind } from './control_plane.ts';
import { Application } from './namespace_application.ts';
import type { Seen } from './namespace_child.ts';
import { cannotIsolate, NetworkNamespace, PROXY_GID } from './network_namespace.ts';
import { eventually } from './proxy_process.ts';
import { holdRecorded } from './recorded_config.ts';
import { SdsServer } from './sds_server.ts';

const MAIN = path.join(import.meta.dirname, '../../server/main.ts');
const CLIENT_IP = '10.77.0.1';
const SERVER_IP = '10.77.0.2';
/** Nobody has it: it stands for any service's virtual IP. */
const SOME_IP = '10.96.99.99';
/** Of the recorded listener for mongodb's port 6380, plain TCP. */
const TCP_SERVICE = { ip: '10.96.0.14', port: 6380 };
/** Outside the mesh: the server's sidecar does not see it. */
const OUTSIDE_PORT = 7000;
const ISTIO = 'spiffe://cluster.local/ns/default/sa';

/** All endpoints are the server; `details` has no sidecar as far as the client knows, so it is plaintext. */
function moveEndpoints(kind: Kind, name: string, resource: object): object {
  if (kind !== 'endpoints') return resource;
  const port = Number(/\|(\d+)\|/.exec(name)![1]);
  const mtls = { filterMetadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' } } };
  const endpoint = {
    endpoint: { address: { socketAddress: { address: SERVER_IP, portValue: port } } },
    ...(name.includes('details') ? {} : { metadata: mtls }),
  };
  return { clusterName: name, endpoints: [{ lbEndpoints: [endpoint] }] };
}

/** A root, and a certificate and key for each workload, made by openssl. */
function makeCertificates(directory: string): void {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    ...['req', '-x509', ...newKey, '-keyout', 'root.key', '-out', 'root.pem', '-subj', '/O=cluster.local'],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  );
  // A workload of istiod's has one name; the server here stands for two.
  const sans = {
    client: `URI:${ISTIO}/bookinfo-productpage`,
    server: `URI:${ISTIO}/bookinfo-reviews,URI:${ISTIO}/default`,
  };
  for (const [name, san] of Object.entries(sans)) {
    writeFileSync(path.join(directory, `${name}.ext`), `subjectAltName=critical,${san}\n`);
    openssl('req', '-new', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/');
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'root.pem', '-CAkey', 'root.key', '-CAcreateserial'],
      ...['-extfile', `${name}.ext`, '-out', `${name}.pem`],
    );
  }
}

/** A pod: an application and its sidecar, with control planes of its own. */
class Pod {
  readonly namespace: NetworkNamespace;
  readonly #name: string;
  readonly #directory: string;
  readonly #closers: (() => unknown)[] = [];
  application!: Application;
  #proxy!: ChildProcess;
  /** What the proxy wrote: its log, and the access log in between. */
  log = '';

  constructor(name: string, directory: string) {
    this.#name = name;
    this.#directory = directory;
    this.namespace = new NetworkNamespace(name);
  }

  async start(recording: string): Promise<void> {
    this.namespace.redirect(OUTSIDE_PORT);
    const ads = path.join(this.#directory, `${this.#name}-ads.sock`);
    const sds = path.join(this.#directory, `${this.#name}-sds.sock`);
    const plane = await ControlPlane.start(`unix:${ads}`);
    const secrets = await SdsServer.start(`unix:${sds}`);
    this.#closers.push(
      () => plane.close(),
      () => secrets.close(),
    );
    holdRecorded(plane, recording, moveEndpoints);
    const pem = (file: string): object => ({
      inline_string: readFileSync(path.join(this.#directory, file), 'utf8'),
    });
    const own = { certificate_chain: pem(`${this.#name}.pem`), private_key: pem(`${this.#name}.key`) };
    await secrets.set('default', { tls_certificate: own });
    await secrets.set('ROOTCA', { validation_context: { trusted_ca: pem('root.pem') } });
    this.application = await Application.start(this.namespace);
    const bootstrap = plane.bootstrap({
      admin: { address: { socket_address: { address: '127.0.0.1', port_value: 15000 } } },
      static_resources: { clusters: [pipeCluster('xds', ads), pipeCluster('sds-grpc', sds)] },
    });
    const config = path.join(this.#directory, `${this.#name}.json`);
    writeFileSync(config, JSON.stringify(bootstrap));
    const args = [
      process.execPath,
      MAIN,
      '-c',
      config,
      '--concurrency',
      '2',
      '--file-flush-interval-msec',
      '20',
    ];
    this.#proxy = this.namespace.spawn(args, { gid: PROXY_GID, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#proxy.stdout!, this.#proxy.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    await eventually(() => this.#isReady(), `the sidecar of the ${this.#name} is ready`, 20_000).catch(
      (error: Error) => {
        throw new Error(`${error.message}\n${this.log}`);
      },
    );
  }

  async #isReady(): Promise<boolean> {
    const answer = await this.application
      .ask('get', 'http://127.0.0.1:15000/ready', 'x')
      .catch(() => undefined);
    return answer?.status === 200;
  }

  async stop(): Promise<void> {
    this.application?.stop();
    for (const close of this.#closers) close();
    this.namespace.remove();
    if (this.#proxy === undefined || this.#proxy.exitCode !== null) return;
    this.#proxy.kill('SIGTERM');
    await once(this.#proxy, 'exit');
  }
}

function pipeCluster(name: string, path: string): object {
  const endpoint = { address: { pipe: { path } } };
  return { name, load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] } };
}

const impossible = cannotIsolate();

describe('two sidecars', { skip: impossible, timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-sidecar-'));
  let client: Pod;
  let server: Pod;

  before(async () => {
    makeCertificates(directory);
    client = new Pod('client', directory);
    server = new Pod('server', directory);
    NetworkNamespace.join(client.namespace, CLIENT_IP, server.namespace, SERVER_IP);
    await Promise.all([
      client.start('streams/vanilla-productpage-v1-sotw'),
      server.start('vanilla-reviews-v1-delta'),
    ]);
    await server.application.ask('serveHttp', 9080);
    await server.application.ask('serveHttp', 8000);
    await server.application.ask('serveTcp', TCP_SERVICE.port);
    await server.application.ask('serveTcp', OUTSIDE_PORT);
  });

  after(async () => {
    await Promise.allSettled([client?.stop(), server?.stop()]);
    rmSync(directory, { recursive: true });
  });

  async function get(host: string, url = `http://${SOME_IP}:9080/reviews/0`): Promise<Seen> {
    const answer = await client.application.ask('get', url, host);
    assert.equal(answer.status, 200, `${answer.body}\n${client.log}\n${server.log}`);
    return JSON.parse(answer.body) as Seen;
  }

  test('HTTP with mutual TLS', async () => {
    const seen = await get('reviews:9080');
    assert.equal(seen.url, '/reviews/0');
    assert.equal(seen.from, '127.0.0.6');
    const xfcc = seen.headers['x-forwarded-client-cert'] ?? '';
    assert.match(xfcc, /By=spiffe:\/\/cluster.local\/ns\/default\/sa\/bookinfo-reviews/);
    assert.match(xfcc, /URI=spiffe:\/\/cluster.local\/ns\/default\/sa\/bookinfo-productpage/);
  });

  test('HTTP in plaintext', async () => {
    const seen = await get('details:9080');
    assert.equal(seen.headers['x-forwarded-client-cert'], undefined);
    assert.equal(seen.from, '127.0.0.6');
  });

  test('HTTP to a host that nobody knows goes where it was going', async () => {
    const seen = await get('unknown:9080', `http://${SERVER_IP}:9080/x`);
    assert.equal(seen.url, '/x');
  });

  test('HTTP to a port that nobody knows', async () => {
    const seen = await get('unknown:8000', `http://${SERVER_IP}:8000/y`);
    assert.equal(seen.url, '/y');
    assert.equal(seen.from, '127.0.0.6');
  });

  test('a TCP server that speaks first, with mutual TLS', async () => {
    const { ip, port } = TCP_SERVICE;
    const heard = await client.application.ask('talk', ip, port, 'ping\n');
    assert.deepEqual(heard, { greeting: 'hello\n', reply: 'PING\n' });
  });

  test('a TCP server outside the mesh that speaks first', async () => {
    const heard = await client.application.ask('talk', SERVER_IP, OUTSIDE_PORT, 'ping\n');
    assert.deepEqual(heard, { greeting: 'hello\n', reply: 'PING\n' });
  });

  test('both sidecars say what they did', async () => {
    await eventually(
      async () =>
        /"GET \/reviews\/0 HTTP\/1.1" 200 - via_upstream/.test(client.log) &&
        /"GET \/reviews\/0 HTTP\/1.1" 200 - via_upstream/.test(server.log),
      `access log lines in\n${client.log}\n${server.log}`,
      2000,
    );
  });
});
