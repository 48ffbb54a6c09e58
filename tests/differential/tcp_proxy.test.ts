// The TCP proxy beside a real Envoy: clients and upstreams with manners of their own see the same through both, the same
// access log lines are written and the same stats move. Without Envoy, what it answered is in tcp_answers.json.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { TcpListener } from '../fakes/tcp_listener.ts';
import { ENVOY_BIN, EnvoyProcess } from './envoy_process.ts';
import { TCP_CASES, type TcpCase } from './tcp_cases.ts';

const ANSWERS = path.join(import.meta.dirname, 'tcp_answers.json');
const LOG_FORMAT =
  '%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS% termination=%CONNECTION_TERMINATION_DETAILS% ' +
  'failure=%UPSTREAM_TRANSPORT_FAILURE_REASON% received=%BYTES_RECEIVED% sent=%BYTES_SENT% cluster=%UPSTREAM_CLUSTER% ' +
  'host=%UPSTREAM_HOST% local=%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% type=%ACCESS_LOG_TYPE% ' +
  'attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% protocol=%PROTOCOL% ' +
  'wire=%UPSTREAM_WIRE_BYTES_RECEIVED%,%UPSTREAM_WIRE_BYTES_SENT%,%DOWNSTREAM_WIRE_BYTES_RECEIVED%,%DOWNSTREAM_WIRE_BYTES_SENT%\n';

/** What depends on how bytes happened to be cut, or is a gauge of what is under way. */
const BY_CHANCE =
  /flow_control|upstream_flush_total|_buffered$|circuit_breakers|\.(upstream_cx|upstream_rq|downstream_cx).*_ms$/;

interface Seen {
  readonly client: unknown;
  readonly upstream: readonly string[];
  readonly log: readonly string[];
  readonly stats: Readonly<Record<string, number>>;
}

interface Proxy {
  readonly port: number;
  stats(): Promise<Readonly<Record<string, number>>>;
  log(): string;
  stop(): Promise<void> | void;
}

function tcpProxy(testCase: TcpCase, logPath: string): object {
  return {
    name: 'tcp',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      stat_prefix: 't',
      cluster: 'c',
      access_log: [
        {
          name: 'file',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
            path: logPath,
            log_format: { text_format_source: { inline_string: LOG_FORMAT } },
          },
        },
      ],
      ...testCase.tcpProxy,
    },
  };
}

function cluster(testCase: TcpCase, port: number): object {
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: port } } };
  const endpoints = testCase.endpoint === 'none' ? [] : [{ lb_endpoints: [{ endpoint }] }];
  return {
    name: 'c',
    type: 'STATIC',
    load_assignment: { cluster_name: 'c', endpoints },
    ...testCase.cluster,
  };
}

async function startOurs(testCase: TcpCase, port: number): Promise<Proxy> {
  const bufferLimit = testCase.bufferLimit;
  const listener = await TcpListener.start({
    filters: [tcpProxy(testCase, '/log')],
    clusters: [cluster(testCase, port)],
    ...(bufferLimit === undefined ? {} : { bufferLimit }),
  });
  return {
    port: listener.port,
    stats: () => Promise.resolve(listener.stats.all()),
    log: () => listener.log,
    stop: () => listener.stop(),
  };
}

async function startEnvoy(testCase: TcpCase, port: number): Promise<Proxy> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tcp-'));
  const logPath = path.join(directory, 'log');
  writeFileSync(logPath, '');
  const envoy = await EnvoyProcess.start({
    static_resources: {
      listeners: [
        {
          name: 'l',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ filters: [tcpProxy(testCase, logPath)] }],
          ...(testCase.bufferLimit === undefined
            ? {}
            : { per_connection_buffer_limit_bytes: testCase.bufferLimit }),
        },
      ],
      clusters: [cluster(testCase, port)],
    },
  });
  return {
    port: envoy.ports.get('l')!,
    log: () => readFileSync(logPath, 'utf8'),
    async stats() {
      const text = await (await fetch(`${envoy.admin}/stats?filter=^(cluster\\.c|tcp)\\.`)).text();
      return Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map((line) => line.split(': '))
          .filter(([, value]) => /^\d+$/.test(value))
          .map(([name, value]) => [name, Number(value)]),
      );
    },
    async stop() {
      await envoy.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A port whose connections are never accepted, with a full queue before it: connecting takes for ever. */
async function silentPort(): Promise<{ port: number; stop(): Promise<void> }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer();
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
     });`,
    { eval: true },
  );
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  await sleep(50);
  const fillers = Array.from({ length: 4 }, () =>
    net.connect(port, '127.0.0.1').on('error', () => undefined),
  );
  await sleep(50);
  return {
    port,
    async stop() {
      for (const filler of fillers) filler.destroy();
      await worker.terminate();
    },
  };
}

async function run(
  testCase: TcpCase,
  start: (testCase: TcpCase, port: number) => Promise<Proxy>,
): Promise<Seen> {
  const upstreamSaw: string[] = [];
  const sockets = new Set<net.Socket>();
  const upstream = net.createServer({ allowHalfOpen: testCase.upstreamHalfOpen === true }, (socket) => {
    sockets.add(socket);
    socket.on('error', (error: NodeJS.ErrnoException) => upstreamSaw.push(error.code ?? error.message));
    socket.on('close', () => upstreamSaw.push(`${socket.bytesRead} bytes`));
    testCase.upstream?.(socket);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const silent = testCase.endpoint === 'silent' ? await silentPort() : undefined;
  const upstreamPort = (upstream.address() as AddressInfo).port;
  const port = testCase.endpoint === 'refused' ? 1 : (silent?.port ?? upstreamPort);
  const proxy = await start(testCase, port);
  try {
    const before = await proxy.stats();
    const client = await testCase.client(() =>
      net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }),
    );
    await sleep(150);
    const after = await proxy.stats();
    const moved: Record<string, number> = {};
    for (const name of Object.keys(after).sort()) {
      const change = after[name] - (before[name] ?? 0);
      if (change !== 0 && !BY_CHANCE.test(name)) moved[name] = change;
    }
    const log = proxy.log().replaceAll(`:${port}`, ':PORT').trim();
    return { client, upstream: upstreamSaw, log: log === '' ? [] : log.split('\n'), stats: moved };
  } finally {
    await proxy.stop();
    for (const socket of sockets) socket.destroy();
    upstream.close();
    await silent?.stop();
  }
}

const recorded = JSON.parse(readFileSync(ANSWERS, 'utf8')) as Record<string, Seen>;

describe('tcp_proxy as Envoy', { concurrency: 4 }, () => {
  for (const testCase of TCP_CASES) {
    test(testCase.name, async () => {
      assert.deepEqual(await run(testCase, startOurs), recorded[testCase.name]);
    });
  }
});

describe('tcp_proxy of a real Envoy answers what is recorded', { concurrency: 2 }, () => {
  const skip = ENVOY_BIN === undefined ? 'no envoy: set ENVOY_BIN to compare with a real one' : false;
  const answers: Record<string, Seen> = {};
  for (const testCase of TCP_CASES) {
    test(testCase.name, { skip }, async () => {
      const seen = await run(testCase, startEnvoy);
      answers[testCase.name] = seen;
      if (process.env['RECORD_ANSWERS'] === undefined) assert.deepEqual(seen, recorded[testCase.name]);
      else writeFileSync(ANSWERS, `${JSON.stringify({ ...recorded, ...answers }, undefined, 2)}\n`);
    });
  }
});
