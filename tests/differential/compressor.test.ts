// The compressor beside a real Envoy: the same requests give the same headers, bodies (decoded) and stats on both
// sides of the proxy. How well a body was compressed may differ.

import assert from 'node:assert/strict';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import { CASES, type Case, CHAINS, type Chain } from './compressor_cases.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const URL = 'type.googleapis.com/';
const X = `${URL}envoy.extensions.`;

/** What is compared of a message. */
interface Seen {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
}

const COMPARED = [
  'accept-encoding',
  'cache-control',
  'content-encoding',
  'content-length',
  'etag',
  'transfer-encoding',
  'vary',
];
const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync,
};

async function see(message: IncomingMessage): Promise<Seen> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  const decode = DECODERS[String(message.headers['content-encoding'])] ?? ((bytes) => bytes);
  const bytes = Buffer.concat(parts);
  return {
    headers: Object.fromEntries(
      COMPARED.filter((name) => message.headers[name] !== undefined).map((name) => [
        name,
        String(message.headers[name]),
      ]),
    ),
    body: (bytes.length === 0 ? bytes : decode(bytes)).toString('latin1'),
    trailers: Object.fromEntries(
      Object.entries(message.trailers).map(([name, value]) => [name, String(value)]),
    ),
  };
}

/** Answers as the request's case says. */
class Backend {
  readonly #server: Server;
  /** What came, by `x-case`. */
  readonly seen = new Map<string, Seen>();

  constructor() {
    this.#server = createServer(async (message, response) => {
      const id = String(message.headers['x-case']);
      this.seen.set(id, await see(message));
      const { response: answer = {} } = CASES[Number(id.split('/')[1])]!;
      response.writeHead(answer.status ?? 200, { ...answer.headers } as IncomingHttpHeaders);
      for (const part of answer.body ?? []) {
        response.write(part);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      if (answer.trailers !== undefined) response.addTrailers(answer.trailers);
      response.end();
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function ask(
  port: number,
  id: string,
  { method = 'GET', path = '/', headers, body }: Case,
): Promise<Seen> {
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const all = { ...headers, 'x-case': id };
    const outgoing = request({ port, host: '127.0.0.1', method, path, headers: all, agent: false });
    outgoing.once('response', resolve).once('error', reject).end(body);
  });
  return await see(message);
}

/** A proxy with a listener for each chain, and all that it did with the cases. */
class Run {
  private readonly backend = new Backend();
  private process: EnvoyProcess | undefined = undefined;
  readonly results = new Map<string, { client: Seen; upstream: Seen | undefined }>();
  stats = new Map<string, string>();

  async all(command?: readonly string[]): Promise<void> {
    const backendPort = await this.backend.listen();
    this.process = await EnvoyProcess.start(bootstrap(backendPort), command);
    for (const chain of Object.keys(CHAINS)) {
      for (const [index, one] of CASES.entries()) {
        const id = `${chain}/${index}`;
        const client = await ask(this.process.ports.get(chain)!, id, one).catch((error: unknown) => {
          throw new Error(`${id} ${one.name}`, { cause: error });
        });
        this.results.set(id, { client, upstream: this.backend.seen.get(id) });
      }
    }
    const text = await (await fetch(`${this.process.admin}/stats?filter=compressor`)).text();
    this.stats = new Map(
      text
        .trim()
        .split('\n')
        .map((line) => line.split(': ') as [string, string])
        .filter(([name]) => !/total_compressed_bytes/.test(name)),
    );
  }

  async stop(): Promise<void> {
    await this.process?.stop();
    this.backend.close();
  }
}

describe('compressor', { skip: SKIP }, () => {
  const envoy = new Run();
  const pilotfish = new Run();
  before(async () => {
    await envoy.all();
    await pilotfish.all(PILOTFISH);
  });
  after(async () => {
    await envoy.stop();
    await pilotfish.stop();
  });

  for (const chain of Object.keys(CHAINS)) {
    describe(chain, () => {
      for (const [index, one] of CASES.entries()) {
        test(one.name, () => {
          const id = `${chain}/${index}`;
          assert.deepEqual(pilotfish.results.get(id), envoy.results.get(id));
        });
      }
    });
  }

  test('stats', () => {
    const sorted = (stats: Map<string, string>): string[] =>
      [...stats].map(([name, value]) => `${name}: ${value}`).sort();
    assert.deepEqual(sorted(pilotfish.stats), sorted(envoy.stats));
  });
});

function bootstrap(backendPort: number): object {
  const address = (port_value: number): object => ({ socket_address: { address: '127.0.0.1', port_value } });
  const endpoint = { address: address(backendPort) };
  return {
    static_resources: {
      clusters: [
        { name: 'c', load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints: [{ endpoint }] }] } },
      ],
      listeners: Object.entries(CHAINS).map(([name, chain]) => ({
        name,
        address: address(0),
        filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager(name, chain) }] }],
      })),
    },
  };
}

function manager(name: string, { filters, route }: Chain): object {
  const typed = (type: string, config: object = {}): object => ({ '@type': `${URL}${type}`, ...config });
  const perRoute = Object.entries(route ?? {}).map(([filter, config]) => [
    filter,
    typed('envoy.extensions.filters.http.compressor.v3.CompressorPerRoute', config),
  ]);
  return {
    '@type': `${X}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    http_protocol_options: { enable_trailers: true },
    route_config: {
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            {
              match: { prefix: '/direct' },
              direct_response: { status: 200, body: { inline_string: 'direct '.repeat(20) } },
            },
            {
              match: { prefix: '/' },
              route: { cluster: 'c' },
              typed_per_filter_config: Object.fromEntries(perRoute),
            },
          ],
        },
      ],
    },
    http_filters: [
      ...filters.map(({ name: filter, type, config }) => ({
        name: filter,
        typed_config: typed(type, config),
      })),
      { name: 'router', typed_config: typed('envoy.extensions.filters.http.router.v3.Router') },
    ],
  };
}
