// Active health checks beside Envoy: both ask the same hosts, which do well, badly and well again; flags, stats and the event
// log must be the same, and so must be what the hosts were asked.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BalancedProxy, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
/** For several checks, and for logs to be written. */
const SETTLE_MS = 1200;

type Json = Readonly<Record<string, unknown>>;

/** How a host answers its checks. */
interface Manners {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** It does not answer. */
  readonly silent?: boolean;
  /** grpc.health.v1 status; the gRPC status where it is another than 0. */
  readonly serving?: number;
  readonly grpcStatus?: number;
}

interface Case {
  readonly name: string;
  readonly check: Json;
  readonly server?: 'http' | 'http2' | 'tcp' | 'closed';
  /** One after the other. */
  readonly phases: readonly Manners[];
  readonly endpoint?: Json;
  /** Requested in the second phase. */
  readonly request?: string;
}

const GOOD: Manners = { status: 200 };
const BAD: Manners = { status: 500 };
const HTTP = { http_health_check: { path: '/health?x=1' } };
const GRPC = { grpc_health_check: { service_name: 'my.service' } };
const SERVING: Manners = { serving: 1 };

const CASES: readonly Case[] = [
  { name: 'http', check: HTTP, phases: [GOOD, BAD, GOOD] },
  { name: 'http_bad_at_first', check: HTTP, phases: [BAD, GOOD] },
  {
    name: 'thresholds',
    check: { ...HTTP, healthy_threshold: 3, unhealthy_threshold: 3 },
    phases: [GOOD, BAD, GOOD],
  },
  {
    name: 'statuses',
    check: { http_health_check: { path: '/', expected_statuses: [{ start: 204, end: 206 }] } },
    phases: [{ status: 205 }, { status: 200 }, { status: 204 }],
  },
  {
    name: 'retriable',
    check: { http_health_check: { path: '/', retriable_statuses: [{ start: 503, end: 504 }] } },
    phases: [GOOD, { status: 503 }, GOOD],
  },
  {
    name: 'degraded',
    check: HTTP,
    phases: [
      { status: 200, headers: { 'x-envoy-degraded': 'yes' } },
      GOOD,
      { status: 200, headers: { 'x-envoy-degraded': '' } },
    ],
  },
  {
    name: 'excluded',
    check: HTTP,
    phases: [GOOD, { status: 503, headers: { 'x-envoy-immediate-health-check-fail': 'true' } }, GOOD],
  },
  {
    name: 'asks_to_be_left_alone_in_the_answer_to_a_request',
    check: { ...HTTP, interval: '60s', no_traffic_interval: '60s' },
    phases: [GOOD, GOOD],
    request: '/leave-me-alone',
  },
  {
    name: 'request',
    check: {
      reuse_connection: false,
      http_health_check: {
        path: '/',
        host: 'health.example.com',
        method: 'POST',
        send: { text: '68656c6c6f' },
        request_headers_to_add: [{ header: { key: 'X-A', value: 'b' } }],
        request_headers_to_remove: ['user-agent'],
      },
    },
    phases: [GOOD],
  },
  {
    name: 'body',
    check: { http_health_check: { path: '/', receive: [{ text: '6f6b' }, { text: '21' }] } },
    phases: [
      { status: 200, body: 'it is ok, is it not!' },
      { status: 200, body: '! ok' },
    ],
  },
  { name: 'silent', check: HTTP, phases: [GOOD, { silent: true }, GOOD] },
  { name: 'closed', check: HTTP, server: 'closed', phases: [{}] },
  { name: 'tcp', check: { tcp_health_check: {} }, phases: [GOOD] },
  { name: 'tcp_closed', check: { tcp_health_check: {} }, server: 'closed', phases: [{}] },
  {
    name: 'tcp_talk',
    check: { tcp_health_check: { send: { text: '01' }, receive: [{ text: '6f6b' }] } },
    server: 'tcp',
    phases: [{ body: 'it is ok' }, { body: 'no' }, { body: 'ok' }],
  },
  {
    name: 'http2',
    check: { http_health_check: { path: '/two', codec_client_type: 'HTTP2' } },
    server: 'http2',
    phases: [GOOD, BAD, GOOD],
  },
  {
    name: 'grpc',
    check: GRPC,
    server: 'http2',
    phases: [SERVING, { serving: 2 }, SERVING, { grpcStatus: 12 }],
  },
  {
    name: 'logs_all',
    check: { ...HTTP, always_log_health_check_failures: true, always_log_health_check_success: true },
    phases: [GOOD, BAD],
  },
  {
    name: 'own_name',
    check: HTTP,
    endpoint: { health_check_config: { hostname: 'own.example.com' } },
    phases: [GOOD],
  },
  {
    name: 'not_checked',
    check: HTTP,
    endpoint: { health_check_config: { disable_active_health_check: true } },
    phases: [BAD],
  },
];

/** A host, which remembers what it was asked. */
class Patient {
  manners: Manners = {};
  port = 0;
  readonly asked = new Set<string>();
  private readonly sockets = new Set<net.Socket>();
  private readonly server: net.Server;

  constructor(kind: NonNullable<Case['server']>) {
    if (kind === 'http2') {
      const server = http2.createServer();
      server.on('stream', (stream, headers) => this.answerStream(stream as http2.ServerHttp2Stream, headers));
      this.server = server as unknown as net.Server;
    } else if (kind === 'tcp') {
      this.server = net.createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.on('data', (bytes) => {
          this.asked.add(bytes.toString('hex'));
          socket.write(this.manners.body ?? '');
        });
      });
    } else this.server = http.createServer((request, response) => this.answer(request, response));
    this.server.on('connection', (socket: net.Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = (this.server.address() as net.AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { status = 200, headers = {}, body = '', silent } = this.manners;
    const fields = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`);
    let sent = '';
    request.on('data', (bytes: Buffer) => (sent += bytes.toString()));
    request.on('end', () => {
      if (request.url !== '/leave-me-alone')
        this.asked.add([request.method, request.url, ...fields.sort(), sent].join(' | '));
    });
    if (silent) return;
    if (request.url === '/leave-me-alone') response.setHeader('x-envoy-immediate-health-check-fail', 'true');
    response.writeHead(status, headers);
    response.end(body);
  }

  private answerStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    const { status = 200, serving, grpcStatus } = this.manners;
    const chunks: Buffer[] = [];
    stream.on('error', () => stream.destroy());
    stream.on('data', (bytes: Buffer) => chunks.push(bytes));
    stream.on('end', () => {
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
      this.asked.add([...fields.sort(), Buffer.concat(chunks).toString('hex')].join(' | '));
    });
    if (serving === undefined && grpcStatus === undefined) {
      stream.respond({ ':status': status }, { endStream: true });
    } else if (grpcStatus !== undefined) {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': grpcStatus },
        { endStream: true },
      );
    } else {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, serving!]));
    }
  }
}

interface Side {
  readonly proxy: BalancedProxy;
  readonly directory: string;
  readonly patients: readonly Patient[];
}

describe('health checks are those of Envoy', { skip: SKIP, concurrency: 8 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'health-'));
  const sides: Side[] = [];

  before(async () => {
    for (const command of [undefined, PILOTFISH]) {
      const own = mkdtempSync(path.join(directory, 'side-'));
      const patients = CASES.map(({ server = 'http', phases }) => {
        const patient = new Patient(server);
        patient.manners = phases[0];
        return patient;
      });
      for (const [i, patient] of patients.entries()) {
        await patient.listen();
        if (CASES[i].server === 'closed') await patient.close();
      }
      const clusters = Object.fromEntries(
        CASES.map(({ name, check, endpoint }, i) => [
          name,
          clusterOf(name, check, endpoint, patients[i].port, own),
        ]),
      );
      sides.push({ proxy: await startBalancer({ clusters }, command), directory: own, patients });
    }
  });
  after(async () => {
    for (const { proxy, patients } of sides) {
      await proxy.stop();
      for (const [i, patient] of patients.entries()) if (CASES[i].server !== 'closed') await patient.close();
    }
    rmSync(directory, { recursive: true, force: true });
  });

  for (const [i, { name, phases, request }] of CASES.entries()) {
    test(name.replaceAll('_', ' '), async () => {
      const seen = await Promise.all(
        sides.map(async (side) => {
          const states: string[] = [];
          for (const [phase, manners] of phases.entries()) {
            side.patients[i].manners = manners;
            if (phase === 1 && request !== undefined) await side.proxy.get(name, request);
            await sleep(SETTLE_MS);
            states.push(await state(side.proxy, name));
          }
          const { port, asked } = side.patients[i];
          return [...states, ...[...asked].sort(), events(side.directory, name)]
            .join('\n')
            .replaceAll(`127.0.0.1:${port}`, 'HOST')
            .replaceAll(`"port_value":${port}`, '"port_value":0');
        }),
      );
      assert.equal(seen[1], seen[0]);
    });
  }
});

function clusterOf(
  name: string,
  check: Json,
  endpoint: Json | undefined,
  port: number,
  directory: string,
): Json {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    ...(check.grpc_health_check !== undefined && { http2_protocol_options: {} }),
    health_checks: [
      {
        timeout: '0.2s',
        interval: '0.1s',
        no_traffic_interval: '0.1s',
        unhealthy_threshold: 2,
        healthy_threshold: 2,
        event_log_path: path.join(directory, `${name}.log`),
        ...check,
      },
    ],
    load_assignment: {
      cluster_name: name,
      endpoints: [{ locality: { region: 'r' }, lb_endpoints: [{ endpoint: { address, ...endpoint } }] }],
    },
  };
}

/** Flags and gauges; of counters, whether they count. */
async function state(proxy: BalancedProxy, cluster: string): Promise<string> {
  const stats = await proxy.stats(cluster, /^health_check\.|^membership_(?!change|total)/);
  const counted = Object.entries(stats).map(([name, value]) =>
    /(?:healthy|degraded|excluded)$/.test(name)
      ? `${name}: ${value}`
      : `${name}: ${value > 0 ? 'some' : 'none'}`,
  );
  const text = await (await fetch(`${proxy.process.admin}/clusters`)).text();
  const flags = text
    .split('\n')
    .filter((line) => line.startsWith(`${cluster}::`) && line.includes('::health_flags::'));
  return ['---', ...counted.sort(), ...flags].join('\n');
}

/** Each event once, in the order of the first of its kind. */
function events(directory: string, cluster: string): string {
  const lines = readFileSync(path.join(directory, `${cluster}.log`), 'utf8').split('\n');
  return [...new Set(lines.map((line) => line.replace(/"timestamp":"[^"]+"/, '"timestamp":""')))].join('\n');
}
