// A dozen upstreams behind one proxy, for tests of which of them a request goes to.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { EnvoyProcess } from './envoy_process.ts';

type Json = Readonly<Record<string, unknown>>;

/** How requests find their cluster: `x-cluster`; the rest of a route is the test's. */
export interface BalancingSetup {
  /** By name; `hosts(…)` of BalancedUpstreams gives their endpoints. */
  readonly clusters: Readonly<Record<string, Json>>;
  /** Merged over the action of the only route. */
  readonly action?: Json;
  /** Further routes, for requests with this value of `x-route`; merged over the action. */
  readonly routes?: Readonly<Record<string, Json>>;
  /** HTTP filters before the router. */
  readonly filters?: readonly Json[];
  /** `typed_per_filter_config` of those routes. */
  readonly perFilter?: Readonly<Record<string, Json>>;
  /** Merged over the connection manager, and over the listener. */
  readonly manager?: Json;
  readonly listener?: Json;
  /** Merged over the bootstrap. */
  readonly bootstrap?: Json;
}

const TYPE = 'type.googleapis.com/envoy.extensions.filters';

/** Servers that say which of them they are. */
export class BalancedUpstreams {
  readonly ports: number[] = [];
  private readonly servers: http.Server[] = [];
  private held: (() => void)[] = [];
  /** Hosts in the order in which requests came. */
  readonly received: number[] = [];

  static async start(count: number): Promise<BalancedUpstreams> {
    const upstreams = new BalancedUpstreams();
    for (let i = 0; i < count; i++) {
      const server = http.createServer((request, response) => upstreams.answer(i, request, response));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      upstreams.servers.push(server);
      upstreams.ports.push((server.address() as AddressInfo).port);
    }
    return upstreams;
  }

  /** An endpoint of host number `index`, with more fields. */
  endpoint(index: number, more: Json = {}): Json {
    const address = { socket_address: { address: '127.0.0.1', port_value: this.ports[index] } };
    return { endpoint: { address, ...(more.endpoint as Json) }, ...without(more, 'endpoint') };
  }

  /** What hosts say of their load, by request header `x-load`: headers of their answers, or trailers (`trailer`). */
  readonly loads = new Map<string, readonly (Readonly<Record<string, string | string[]>> | undefined)[]>();

  /** Statuses of answers to health checks, by path. */
  readonly checks = new Map<string, number>();

  /**
   * `x-fail: n`: the first n attempts fail with `x-status` (503). `x-hold`: no answer before `release`.
   * `x-echo`: tells the value of that request header in `x-echoed`.
   */
  private answer(index: number, request: http.IncomingMessage, response: http.ServerResponse): void {
    const health = this.checks.get(request.url ?? '');
    if (health !== undefined) {
      response.writeHead(health).end();
      return;
    }
    this.received.push(index);
    const attempt = Number(request.headers['x-envoy-attempt-count'] ?? 1);
    const failures = Number(request.headers['x-fail'] ?? 0);
    const failing = (request.headers['x-fail-hosts'] ?? '').toString().split(',').includes(String(index));
    response.statusCode = attempt <= failures || failing ? Number(request.headers['x-status'] ?? 503) : 200;
    response.setHeader('x-host', index);
    const echoed = request.headers['x-echo'];
    if (echoed !== undefined) response.setHeader('x-echoed', request.headers[String(echoed)] ?? 'none');
    const load = this.loads.get(String(request.headers['x-load']))?.[index];
    const { trailer, ...headers } = load ?? {};
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const end = (): void => {
      if (trailer !== undefined) {
        response.setHeader('trailer', 'endpoint-load-metrics');
        response.write('x');
        response.addTrailers({ 'endpoint-load-metrics': trailer });
      }
      response.end();
    };
    if (request.headers['x-hold'] === undefined) end();
    else this.held.push(end);
  }

  release(): void {
    for (const end of this.held) end();
    this.held = [];
  }

  async close(): Promise<void> {
    this.release();
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

function without(object: Json, key: string): Json {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

/** A proxy in front of them. `command` is Envoy unless given. */
export async function startBalancer(
  {
    clusters,
    action,
    routes = {},
    filters = [],
    perFilter = {},
    manager: more,
    listener: moreOfListener,
    bootstrap,
  }: BalancingSetup,
  command?: readonly string[],
): Promise<BalancedProxy> {
  const common = { cluster_header: 'x-cluster', timeout: '20s', ...action };
  const all = Object.entries(routes).map(([name, action]) => ({
    match: { prefix: '/', headers: [{ name: 'x-route', string_match: { exact: name } }] },
    route: { ...common, ...action },
    ...(perFilter[name] !== undefined && { typed_per_filter_config: perFilter[name] }),
  }));
  const manager = {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    ...more,
    route_config: {
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [...all, { match: { prefix: '/' }, route: common }],
          include_request_attempt_count: true,
        },
      ],
    },
    http_filters: [
      ...filters,
      { name: 'router', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } },
    ],
  };
  const listener = {
    name: 'in',
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
    ...moreOfListener,
  };
  const process = await EnvoyProcess.start(
    {
      node: { id: 'n', cluster: 'c', locality: { region: 'r', zone: 'z1' } },
      ...bootstrap,
      static_resources: {
        listeners: [listener],
        clusters: Object.entries(clusters).map(([name, cluster]) => ({ name, ...cluster })),
      },
    },
    command,
  );
  return new BalancedProxy(process);
}

export interface BalancedAnswer {
  /** The host's number, or the status of an answer of the proxy itself. */
  readonly host: string;
  readonly status: number;
  readonly setCookie: readonly string[];
  readonly headers: http.IncomingHttpHeaders;
}

export class BalancedProxy {
  readonly process: EnvoyProcess;
  private readonly agent = new http.Agent({ keepAlive: true });

  constructor(process: EnvoyProcess) {
    this.process = process;
  }

  get(
    cluster: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    agent = this.agent,
  ): Promise<BalancedAnswer> {
    return new Promise((resolve, reject) => {
      const request = http.get(
        {
          host: '127.0.0.1',
          port: this.process.ports.get('in'),
          path,
          agent,
          headers: { 'x-cluster': cluster, ...headers },
        },
        (response) => {
          response.resume().on('end', () => {
            const host = response.headers['x-host'];
            resolve({
              host: host === undefined ? `proxy ${response.statusCode}` : String(host),
              status: response.statusCode!,
              setCookie: response.headers['set-cookie'] ?? [],
              headers: response.headers,
            });
          });
        },
      );
      request.on('error', reject);
    });
  }

  /** Counters and gauges of a cluster whose names match. */
  async stats(cluster: string, names: RegExp): Promise<Record<string, number>> {
    const text = await (await fetch(`${this.process.admin}/stats?filter=^cluster\\.${cluster}\\.`)).text();
    const stats: Record<string, number> = {};
    for (const line of text.split('\n')) {
      const [name, value] = line.split(': ');
      const short = name.slice(`cluster.${cluster}.`.length);
      if (names.test(short)) stats[short] = Number(value);
    }
    return stats;
  }

  /** All counters and gauges whose names match. */
  async allStats(names: RegExp): Promise<Record<string, number>> {
    const text = await (await fetch(`${this.process.admin}/stats`)).text();
    const lines = text.split('\n').map((line) => line.split(': '));
    const matching = lines.filter(([name, value]) => names.test(name) && value !== 'No recorded values');
    return Object.fromEntries(matching.map(([name, value]) => [name, Number(value)]));
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    await this.process.stop();
  }
}
