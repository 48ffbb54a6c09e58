// A bootstrap with a route for each way in which a request can fail, and the upstreams that make it so.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { NO_OPENSSL, PublicKeyInfrastructure } from '../fakes/public_key_infrastructure.ts';
import { ANY_ADMIN_PORT } from './proxy_process.ts';
import { portOf, TYPE } from './resources.ts';

const servers: (http.Server | net.Server)[] = [];
/** Requests to the silent backend. */
export const held: http.ServerResponse[] = [];
let pki: PublicKeyInfrastructure | undefined;

async function listening<S extends net.Server>(server: S): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return portOf(server);
}

async function closedPort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const free = portOf(server);
  server.close();
  return free;
}

function cluster(
  name: string,
  endpoints: readonly (readonly [port: number, more?: object])[],
  more: object = {},
): object {
  const lb_endpoints = endpoints.map(([port_value, rest]) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
    ...rest,
  }));
  const load_assignment = { cluster_name: name, endpoints: [{ lb_endpoints }] };
  return { name, type: 'STATIC', connect_timeout: '1s', load_assignment, ...more };
}

function tcpListener(name: string, to: string, filter_chain_match: object = {}): object {
  const type = `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`;
  const filter = { name: 'tcp', typed_config: { '@type': type, stat_prefix: name, cluster: to } };
  return {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ name: 'only', filter_chain_match, filters: [filter] }],
  };
}

function upstreamTls(caPem: string, san: string): object {
  return {
    transport_socket: {
      name: 'tls',
      typed_config: {
        '@type': `${TYPE}extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
        sni: 'shop.internal',
        common_tls_context: {
          validation_context: {
            trusted_ca: { inline_string: caPem },
            match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: san } }],
          },
        },
      },
    },
  };
}

function route(name: string, action: object, match: object = { prefix: `/${name}` }): object {
  return { name, match, route: { cluster: name, ...action } };
}

/** Starts the upstreams. */
export async function failingBootstrap(): Promise<object> {
  const fine = await listening(http.createServer((_request, response) => response.end('fine')));
  const other = await listening(http.createServer((_request, response) => response.end('fine')));
  const failing = await listening(http.createServer((_request, response) => response.writeHead(503).end()));
  const silent = await listening(http.createServer((_request, response) => void held.push(response)));
  const rude = await listening(net.createServer((socket) => socket.on('data', () => socket.destroy())));
  const odd = await listening(
    net.createServer((socket) => socket.on('data', () => socket.end('I am no HTTP\r\n\r\n'))),
  );
  const closed = await closedPort();
  let tls: object[] = [];
  if (NO_OPENSSL === false) {
    pki = new PublicKeyInfrastructure();
    pki.root('root');
    pki.issue('other', 'root', { names: 'DNS:other.internal' });
    const secure = await listening(createTlsServer({ key: pki.key('other'), cert: pki.pem('other') }));
    pki.root('stranger');
    pki.issue('old', 'root', { names: 'DNS:shop.internal', expired: true });
    const expired = await listening(createTlsServer({ key: pki.key('old'), cert: pki.pem('old') }));
    tls = [
      cluster('mismatch', [[secure]], upstreamTls(pki.pem('root'), 'shop.internal')),
      cluster('stranger', [[secure]], upstreamTls(pki.pem('stranger'), 'other.internal')),
      cluster('expired', [[expired]], upstreamTls(pki.pem('root'), 'shop.internal')),
      cluster('plaintext', [[fine]], upstreamTls(pki.pem('root'), 'shop.internal')),
    ];
  }
  const unhealthy = { health_status: 'UNHEALTHY' };
  return {
    ...ANY_ADMIN_PORT,
    static_resources: {
      listeners: [
        {
          name: 'http',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [
            {
              filters: [
                {
                  name: 'http',
                  typed_config: {
                    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: 'in',
                    stream_idle_timeout: '60s',
                    internal_address_config: {
                      cidr_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }],
                    },
                    route_config: {
                      name: 'local',
                      validate_clusters: false,
                      virtual_hosts: [
                        {
                          name: 'shop',
                          domains: ['shop.example.com', 'cart.example.com'],
                          routes: [
                            route('mismatch', {}),
                            route('stranger', {}),
                            route('expired', {}),
                            route('plaintext', {}),
                            route('closed', {}),
                            route('uneven', {}),
                            route('sick', {}),
                            route('small', { timeout: '20s' }),
                            route('late', { timeout: '0.2s', cluster: 'silent' }),
                            route('impatient', {
                              cluster: 'silent',
                              retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '0.1s' },
                            }),
                            route('idle', { cluster: 'silent', timeout: '0s', idle_timeout: '0.2s' }),
                            route('long', {
                              cluster: 'silent',
                              timeout: '0s',
                              max_stream_duration: { max_stream_duration: '0.2s' },
                            }),
                            route('silent', { timeout: '0s' }),
                            route('rude', {}),
                            route('odd', {}),
                            route('failing', {
                              retry_policy: {
                                retry_on: '5xx',
                                num_retries: 2,
                                retry_back_off: { base_interval: '0.001s' },
                              },
                            }),
                            route('storm', {
                              cluster: 'no_retries',
                              retry_policy: { retry_on: '5xx', num_retries: 2 },
                            }),
                            route('mistyped', { cluster: 'smal' }),
                            route('fault', { cluster: 'fine' }),
                            { name: 'upgrade', match: { prefix: '/upgrade' }, route: { cluster: 'fine' } },
                            route('plain', { cluster: 'failing' }, { path: '/plain' }),
                            route(
                              'header',
                              { cluster: 'fine' },
                              {
                                prefix: '/header',
                                headers: [{ name: 'x-version', string_match: { exact: 'v2' } }],
                              },
                            ),
                          ],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: 'envoy.filters.http.fault',
                        typed_config: {
                          '@type': `${TYPE}extensions.filters.http.fault.v3.HTTPFault`,
                          abort: { http_status: 555, percentage: { numerator: 100 } },
                          headers: [{ name: ':path', string_match: { prefix: '/fault' } }],
                        },
                      },
                      {
                        name: 'router',
                        typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
        tcpListener('tcp', 'closed'),
        tcpListener('picky', 'fine', { server_names: ['db.internal'] }),
      ],
      clusters: [
        cluster('fine', [[fine]]),
        cluster('closed', [[closed]]),
        cluster('uneven', [
          [fine, { load_balancing_weight: 1 }],
          [other, { load_balancing_weight: 9 }],
        ]),
        cluster(
          'sick',
          [
            [fine, unhealthy],
            [failing, unhealthy],
          ],
          { common_lb_config: { healthy_panic_threshold: { value: 0 } } },
        ),
        cluster('silent', [[silent]]),
        cluster('small', [[silent]], {
          circuit_breakers: { thresholds: [{ max_requests: 2, max_pending_requests: 5 }] },
        }),
        cluster('rude', [[rude]]),
        cluster('odd', [[odd]]),
        cluster('failing', [[failing]]),
        cluster('no_retries', [[failing]], { circuit_breakers: { thresholds: [{ max_retries: 0 }] } }),
        ...tls,
      ],
    },
  };
}

export function closeUpstreams(): void {
  for (const response of held) response.destroy();
  pki?.remove();
  for (const server of servers) {
    server.close();
    if (server instanceof http.Server) server.closeAllConnections();
  }
}
