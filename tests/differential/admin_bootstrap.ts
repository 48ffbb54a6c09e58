// One bootstrap that has something to show on every admin path, and the traffic that gives its stats values. Envoy and
// Pilotfish get the same, so that their answers can be compared.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { connect } from 'node:tls';
import type { EnvoyProcess } from './envoy_process.ts';
import { ScriptedUpstream } from './scripted_upstream.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.';
const CERTIFICATES = path.join(import.meta.dirname, '../fixtures/certs');
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';

const loopback = (port_value: number): object => ({ socket_address: { address: '127.0.0.1', port_value } });

/** Everything that both serve without further help. `port` is of an upstream that speaks HTTP/1. */
export function adminBootstrap(port: number): Record<string, unknown> {
  return {
    node: {
      id: 'node-1',
      cluster: 'test-cluster',
      locality: { region: 'r1', zone: 'z1' },
      metadata: { role: 'edge' },
    },
    stats_flush_interval: '0.2s',
    layered_runtime: {
      layers: [
        {
          name: 'static_layer',
          static_layer: { health_check: { min_interval: 5 }, 'upstream.healthy_panic_threshold': 40 },
        },
        { name: 'admin_layer', admin_layer: {} },
      ],
    },
    static_resources: {
      listeners: [httpListener(), httpsListener(), tcpListener()],
      clusters: [
        {
          name: 'h1_cluster',
          connect_timeout: '1s',
          load_assignment: assignment('h1_cluster', [port], { region: 'r1', zone: 'z1' }),
        },
        {
          name: 'dead_cluster',
          connect_timeout: '1s',
          load_assignment: assignment('dead_cluster', [1], { region: 'r1', zone: 'z2' }),
        },
        {
          name: 'h2_cluster',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          circuit_breakers: {
            thresholds: [{ max_connections: 100, max_requests: 200, max_retries: 3, track_remaining: true }],
          },
          load_assignment: assignment('h2_cluster', [port], {}),
        },
        {
          name: 'tcp_cluster',
          connect_timeout: '1s',
          load_assignment: assignment('tcp_cluster', [port], {}),
        },
      ],
    },
  };
}

function assignment(cluster_name: string, ports: readonly number[], locality: object): object {
  const lb_endpoints = ports.map((each) => ({ endpoint: { address: loopback(each) } }));
  return { cluster_name, endpoints: [{ locality, lb_endpoints }] };
}

function manager(stat_prefix: string, name: string, virtual_hosts: readonly object[]): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix,
      route_config: { name, virtual_hosts },
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` },
        },
      ],
    },
  };
}

function httpListener(): object {
  const hosts = [
    {
      name: 'vh_a',
      domains: ['a.test', 'a.test:*'],
      routes: [
        { match: { path: '/redirect' }, redirect: { path_redirect: '/new' } },
        {
          match: { prefix: '/direct' },
          direct_response: { status: 418, body: { inline_string: 'teapot\n' } },
        },
        {
          match: { prefix: '/dead' },
          route: {
            cluster: 'dead_cluster',
            timeout: '2s',
            retry_policy: { retry_on: 'connect-failure', num_retries: 2 },
          },
        },
        { match: { prefix: '/' }, route: { cluster: 'h1_cluster' } },
      ],
    },
  ];
  return {
    name: 'http_listener',
    address: loopback(0),
    filter_chains: [{ filters: [manager('ingress_http', 'local_route', hosts)] }],
  };
}

function httpsListener(): object {
  const hosts = [
    {
      name: 'all',
      domains: ['*'],
      routes: [{ match: { prefix: '/' }, route: { cluster: 'h1_cluster' } }],
    },
  ];
  const file = (name: string): object => ({ filename: path.join(CERTIFICATES, name) });
  return {
    name: 'https_listener',
    address: loopback(0),
    listener_filters: [
      {
        name: 'envoy.filters.listener.tls_inspector',
        typed_config: { '@type': `${TYPE}filters.listener.tls_inspector.v3.TlsInspector` },
      },
    ],
    filter_chains: [
      {
        filter_chain_match: { server_names: ['a.test'] },
        filters: [manager('ingress_https', 'tls_route', hosts)],
        transport_socket: {
          name: 'envoy.transport_sockets.tls',
          typed_config: {
            '@type': `${TYPE}transport_sockets.tls.v3.DownstreamTlsContext`,
            common_tls_context: {
              alpn_protocols: ['h2', 'http/1.1'],
              tls_certificates: [{ certificate_chain: file('server.pem'), private_key: file('server.key') }],
            },
          },
        },
      },
    ],
  };
}

function tcpListener(): object {
  return {
    name: 'tcp_listener',
    address: loopback(0),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.tcp_proxy',
            typed_config: {
              '@type': `${TYPE}filters.network.tcp_proxy.v3.TcpProxy`,
              stat_prefix: 'tcp',
              cluster: 'tcp_cluster',
            },
          },
        ],
      },
    ],
  };
}

/** The upstream of `adminBootstrap`. */
export function adminUpstream(): Promise<ScriptedUpstream> {
  return new ScriptedUpstream({ answers: [ANSWER] }).listen();
}

/** The same requests to each proxy: answered, redirected, direct, refused, over TLS and over TCP. */
export async function drive({ ports }: EnvoyProcess): Promise<void> {
  const plain = ports.get('http_listener')!;
  for (const target of ['/', '/redirect', '/direct', '/dead', '/']) await get(plain, 'a.test', target);
  await get(plain, 'nobody.test', '/');
  await talk(net.connect(plain, '127.0.0.1'), 'GET / HTTP/1.1\r\nbad header\r\n\r\n');
  const ca = readFileSync(path.join(CERTIFICATES, 'ca.pem'));
  const secure = { host: '127.0.0.1', port: ports.get('https_listener')!, servername: 'a.test', ca };
  const tls = connect({ ...secure, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  await talk(tls, 'GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n');
  const tcp = net.connect(ports.get('tcp_listener')!, '127.0.0.1');
  await talk(tcp, 'GET / HTTP/1.1\r\nhost: a.test\r\n\r\n', 'hello');
}

function get(port: number, host: string, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host: '127.0.0.1', port, path: target, headers: { host }, agent: false },
      (response) => {
        response.resume().on('close', resolve);
      },
    );
    request.on('error', reject);
  });
}

/** Writes, and closes when the peer does, or as soon as `until` has come. */
function talk(socket: net.Socket, bytes: string, until = '\0'): Promise<void> {
  return new Promise((resolve) => {
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      if (received.includes(until)) socket.end();
    });
    socket.on('error', () => socket.destroy()).on('close', () => resolve());
    socket.write(bytes);
  });
}
