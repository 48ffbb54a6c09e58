// A proxy on which everything that people ask about has happened: a name in a certificate that is not the expected one, a host
// that no virtual host knows, a refused listener, an open circuit breaker, a certificate about to expire, uneven hosts, a storm of
// retries, a route that is never reached, a listener that waits for its secret, a connection that an update drains.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { PublicKeyInfrastructure } from '../fakes/public_key_infrastructure.ts';
import { ANY_ADMIN_PORT, ask, eventually, ProxyProcess } from '../integration/proxy_process.ts';
import { portOf } from '../integration/resources.ts';

/** A cluster of the bootstrap that is asked for secrets, and says nothing. */
const SILENT_SERVER = 'silent-server';
const TYPE = 'type.googleapis.com/envoy.extensions';
const CONFIG = 'type.googleapis.com/envoy.config';
const HOUR_MS = 3_600_000;
/** Of the circuit breaker that opens. */
const ACTIVE = 'cluster.limited.upstream_rq_active';
/** Of the heavy one of two hosts; the other has 1. */
const HEAVY = 20;

export class Troubles {
  readonly proxy: ProxyProcess;
  readonly #folder: string;
  readonly #pki: PublicKeyInfrastructure;
  readonly #servers: net.Server[];
  readonly #clients: net.Socket[] = [];

  private constructor(
    proxy: ProxyProcess,
    folder: string,
    pki: PublicKeyInfrastructure,
    servers: net.Server[],
  ) {
    this.proxy = proxy;
    this.#folder = folder;
    this.#pki = pki;
    this.#servers = servers;
  }

  static async start(): Promise<Troubles> {
    const pki = new PublicKeyInfrastructure();
    pki.root('root');
    pki.issue('backend', 'root', { names: 'DNS:other.example.com' });
    const now = Date.now();
    pki.issue('front', 'root', {
      names: 'DNS:front.example.com',
      validity: { from: new Date(now - 200 * HOUR_MS), to: new Date(now + 6 * HOUR_MS) },
    });
    const servers: net.Server[] = [];
    const listen = async <S extends net.Server>(server: S): Promise<number> => {
      servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return portOf(server);
    };
    const answering = (status: number) =>
      http.createServer((_request, response) => response.writeHead(status).end());
    const ports = {
      fine: await listen(answering(200)),
      alsoFine: await listen(answering(200)),
      failing: await listen(answering(503)),
      silent: await listen(http.createServer(() => undefined)),
      tls: await listen(createTlsServer({ key: pki.key('backend'), cert: pki.pem('backend') })),
    };
    const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-troubles-'));
    write(folder, 'clusters', clusters(ports, pki.pem('root')));
    write(folder, 'routes', [ROUTES]);
    write(folder, 'listeners', [...listeners(pki), echo('echo', 'first')]);
    const proxy = await ProxyProcess.start(
      ...['--resources', folder, '--config-yaml', JSON.stringify(bootstrap(ports.silent))],
      ...['--concurrency', '1', '--drain-time-s', '600'],
    ).catch((error) => {
      for (const server of servers) server.close();
      throw error;
    });
    const troubles = new Troubles(proxy, folder, pki, servers);
    try {
      await troubles.#happen();
    } catch (error) {
      await troubles.stop();
      throw error;
    }
    return troubles;
  }

  async #happen(): Promise<void> {
    const port = await this.proxy.port('http');
    const get = (target: string, host = 'shop.example.com') =>
      ask(`http://127.0.0.1:${port}${target}`, { headers: { host } });
    await get('/tls');
    await get('/cart', 'unheard-of.example.com');
    for (let i = 0; i < 40; i++) await get('/uneven');
    for (let i = 0; i < 5; i++) await get('/retried');
    // The first is never answered; what comes beside it finds the limit reached. Of two at once, either may be the first.
    const held = net.connect(port, '127.0.0.1');
    held.on('error', () => undefined);
    held.write('GET /limited HTTP/1.1\r\nhost: shop.example.com\r\n\r\n');
    this.#clients.push(held);
    await eventually(
      async () => (await this.proxy.admin(`/stats?filter=${ACTIVE}$`)).body.startsWith(`${ACTIVE}: 1`),
      'the request is on its way',
    );
    assert.equal((await get('/limited')).status, 503);
    // Somebody is connected while the listener changes.
    const client = net.connect(await this.proxy.port('echo'), '127.0.0.1');
    client.on('error', () => undefined);
    client.write('hello');
    await once(client, 'data');
    this.#clients.push(client);
    write(this.#folder, 'listeners', [...listeners(this.#pki), echo('echo', 'second'), REFUSED, WAITING]);
    await eventually(
      async () => (await this.proxy.admin('/api/resources?state=warming')).body.includes('"waiting"'),
      'the listener waits',
    );
    await eventually(
      async () => (await this.proxy.admin('/api/resources?state=rejected')).body.includes('"refused"'),
      'the listener is refused',
    );
  }

  /** Of the dashboard. */
  get url(): string {
    return `http://${this.proxy.adminAddress}/ui`;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.proxy.stop();
    for (const server of this.#servers) {
      server.close();
      if (server instanceof http.Server) server.closeAllConnections();
    }
    rmSync(this.#folder, { recursive: true });
    this.#pki.remove();
  }
}

function write(folder: string, name: string, resources: readonly object[]): void {
  writeFileSync(path.join(folder, `${name}.yaml`), JSON.stringify(resources));
}

function bootstrap(silent: number): object {
  const { '@type': _, ...server } = cluster(SILENT_SERVER, [[silent, 1]], { http2_protocol_options: {} });
  return { ...ANY_ADMIN_PORT, static_resources: { clusters: [server] } };
}

function cluster(
  name: string,
  ports: readonly (readonly [port: number, weight: number])[],
  more: object = {},
): Record<string, unknown> {
  const lb_endpoints = ports.map(([port_value, load_balancing_weight]) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
    load_balancing_weight,
  }));
  const load_assignment = { cluster_name: name, endpoints: [{ lb_endpoints }] };
  return { '@type': `${CONFIG}.cluster.v3.Cluster`, name, type: 'STATIC', load_assignment, ...more };
}

type Ports = Readonly<Record<'fine' | 'alsoFine' | 'failing' | 'silent' | 'tls', number>>;

function clusters(ports: Ports, root: string): object[] {
  return [
    cluster('fine', [[ports.fine, 1]]),
    cluster('failing', [[ports.failing, 1]]),
    cluster('uneven', [
      [ports.fine, 1],
      [ports.alsoFine, HEAVY],
    ]),
    cluster('limited', [[ports.silent, 1]], { circuit_breakers: { thresholds: [{ max_requests: 1 }] } }),
    cluster('secure', [[ports.tls, 1]], {
      transport_socket: {
        name: 'tls',
        typed_config: {
          '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
          common_tls_context: {
            validation_context: {
              trusted_ca: { inline_string: root },
              match_typed_subject_alt_names: [
                { san_type: 'DNS', matcher: { exact: 'payments.example.com' } },
              ],
            },
          },
        },
      },
    }),
  ];
}

const to = (prefix: string, name: string, more: object = {}): object => ({
  match: { prefix },
  route: { cluster: name, ...more },
});

const ROUTES = {
  '@type': `${CONFIG}.route.v3.RouteConfiguration`,
  name: 'shop',
  virtual_hosts: [
    {
      name: 'shop',
      domains: ['shop.example.com'],
      routes: [
        to('/tls', 'secure'),
        to('/limited', 'limited'),
        to('/uneven', 'uneven'),
        to('/retried', 'failing', {
          retry_policy: { retry_on: '5xx', num_retries: 3, retry_back_off: { base_interval: '0.001s' } },
        }),
        to('/cart', 'fine'),
        { name: 'checkout', ...to('/cart/checkout', 'failing') },
      ],
    },
  ],
};

function listener(name: string, filter_chains: readonly object[]): object {
  return {
    '@type': `${CONFIG}.listener.v3.Listener`,
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains,
  };
}

const connectionManager = (more: object = {}): object => ({
  name: 'http',
  typed_config: {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'shop',
    rds: { route_config_name: 'shop', config_source: { ads: {}, resource_api_version: 'V3' } },
    http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
    ...more,
  },
});

function downstreamTls(common_tls_context: object): object {
  return {
    name: 'tls',
    typed_config: { '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`, common_tls_context },
  };
}

function listeners(pki: PublicKeyInfrastructure): object[] {
  const certificate = {
    certificate_chain: { inline_string: pki.pem('front') },
    private_key: { inline_string: pki.key('front') },
  };
  const transport_socket = downstreamTls({ tls_certificates: [certificate] });
  return [
    listener('http', [{ filters: [connectionManager()] }]),
    listener('https', [{ filters: [connectionManager()], transport_socket }]),
  ];
}

/** `chain`: a name that an update changes. */
function echo(name: string, chain: string): object {
  const filter = { name: 'echo', typed_config: { '@type': `${TYPE}.filters.network.echo.v3.Echo` } };
  return listener(name, [{ name: chain, filters: [filter] }]);
}

const REFUSED = listener('refused', [{ filters: [connectionManager({ stream_idle_timeout: '-5s' })] }]);

/** Its secret never comes, and it waits as long as it takes. */
const WAITING = listener('waiting', [
  {
    filters: [connectionManager()],
    transport_socket: downstreamTls({
      tls_certificate_sds_secret_configs: [
        {
          name: 'the-missing-secret',
          sds_config: {
            api_config_source: {
              api_type: 'GRPC',
              transport_api_version: 'V3',
              grpc_services: [{ envoy_grpc: { cluster_name: SILENT_SERVER } }],
            },
            initial_fetch_timeout: '0s',
            resource_api_version: 'V3',
          },
        },
      ],
    }),
  },
]);
