// The names of all stats of a configuration with a bit of everything, idle and after traffic: what Envoy lists and Pilotfish does
// not is in a table of docs/conformance.md, with a reason, and nothing else is missing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { statsOf } from './stats_listing.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const SETTLE_MS = 1500;
const TYPE = 'type.googleapis.com/envoy.extensions.';
const CERTIFICATES = path.join(import.meta.dirname, '../fixtures/certs');
const CONFORMANCE = path.join(import.meta.dirname, '../../docs/conformance.md');
/** Envoy has none of these. */
const OURS = new Set(['server.worker_crashes']);
/** Families that have to be whole. */
const WHOLE = ['listener', 'http', 'cluster', 'cluster_manager', 'listener_manager', 'server'];

const extension = (name: string, type: string, config: object = {}): object => ({
  name,
  typed_config: { '@type': TYPE + type, ...config },
});
const address = (port_value: number): object => ({ socket_address: { address: '127.0.0.1', port_value } });
const UPSTREAM_TLS = extension('tls', 'transport_sockets.tls.v3.UpstreamTlsContext');

function assignment(cluster_name: string, port: number, priorities = 1): object {
  const endpoints = Array.from({ length: priorities }, (_, priority) => ({
    priority,
    lb_endpoints: [{ endpoint: { address: address(port) } }],
  }));
  return { cluster_name, endpoints };
}

function http2(config: object): object {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return { [name]: { '@type': `${TYPE}upstreams.http.v3.HttpProtocolOptions`, ...config } };
}

/** What each cluster has besides its hosts. */
const CLUSTERS: Readonly<Record<string, object>> = {
  plain: {},
  checked: { health_checks: [{ timeout: '1s', interval: '1s', unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: { path: '/' } }] },
  ejecting: { outlier_detection: { consecutive_5xx: 3 } },
  limited: { circuit_breakers: { thresholds: [{ track_remaining: true, max_connections: 5 }] } },
  strict_dns: { type: 'STRICT_DNS' },
  logical_dns: { type: 'LOGICAL_DNS' },
  ring_hash: { lb_policy: 'RING_HASH' },
  maglev: { lb_policy: 'MAGLEV' },
  least_request: { lb_policy: 'LEAST_REQUEST' },
  subset: { lb_subset_config: { fallback_policy: 'ANY_ENDPOINT', subset_selectors: [{ keys: ['a'] }] } },
  original_dst: { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', load_assignment: undefined },
  tls: { transport_socket: UPSTREAM_TLS },
  http2: { typed_extension_protocol_options: http2({ explicit_http_config: { http2_protocol_options: {} } }) },
  auto: { transport_socket: UPSTREAM_TLS, typed_extension_protocol_options: http2({ auto_config: { http2_protocol_options: {} } }) },
  'with.dots': { alt_stat_name: 'other' },
}; // biome-ignore format: a table

const HTTP_FILTERS = [
  extension('fault', 'filters.http.fault.v3.HTTPFault', { abort: { http_status: 503, percentage: {} } }),
  extension('cors', 'filters.http.cors.v3.Cors'),
  extension('buffer', 'filters.http.buffer.v3.Buffer', { max_request_bytes: 10_000 }),
  extension('limit', 'filters.http.local_ratelimit.v3.LocalRateLimit', {
    stat_prefix: 'limit',
    token_bucket: { max_tokens: 100, fill_interval: '1s' },
    filter_enabled: { default_value: { numerator: 100 } },
  }),
  extension('grpc_stats', 'filters.http.grpc_stats.v3.FilterConfig', { stats_for_all_methods: true }),
  extension('compressor', 'filters.http.compressor.v3.Compressor', {
    compressor_library: extension('gzip', 'compression.gzip.compressor.v3.Gzip'),
  }),
];

function manager(stat_prefix: string, filters: readonly object[], more: object = {}): object {
  const virtual_host = {
    name: 'v',
    domains: ['*'],
    virtual_clusters: [{ name: 'vc', headers: [{ name: ':path', string_match: { prefix: '/vc' } }] }],
    routes: [
      { match: { prefix: '/direct' }, direct_response: { status: 200 } },
      { match: { prefix: '/named' }, route: { cluster_header: 'x-cluster' } },
      { match: { prefix: '/' }, stat_prefix: 'route', route: { cluster: 'plain', retry_policy: { retry_on: '5xx' } } },
    ],
  }; // biome-ignore format: short
  return extension('manager', 'filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix,
    route_config: { name: 'r', virtual_hosts: [virtual_host] },
    http_filters: [...filters, extension('router', 'filters.http.router.v3.Router')],
    ...more,
  });
}

function bootstrap(port: number): object {
  const file = (name: string): object => ({ filename: path.join(CERTIFICATES, name) });
  const tls_certificate = { certificate_chain: file('server.pem'), private_key: file('server.key') };
  const log = extension('log', 'access_loggers.file.v3.FileAccessLog', { path: '/dev/null' });
  const certificate = { tls_certificate_sds_secret_configs: [{ name: 'certificate' }] };
  const everybody = { policies: { all: { permissions: [{ any: true }], principals: [{ any: true }] } } };
  const chain = (filters: readonly object[], more: object = {}): object[] => [{ filters, ...more }];
  const transport_socket = extension('tls', 'transport_sockets.tls.v3.DownstreamTlsContext', {
    common_tls_context: certificate,
  });
  return {
    stats_flush_interval: '0.2s',
    layered_runtime: { layers: [{ name: 'static', static_layer: { a: 1 } }, { name: 'admin', admin_layer: {} }] },
    static_resources: {
      secrets: [{ name: 'certificate', tls_certificate }],
      listeners: [
        { name: 'http', address: address(0), filter_chains: chain([manager('in', HTTP_FILTERS, { access_log: [log], tracing: {} })]) },
        {
          name: 'tls',
          address: address(0),
          listener_filters: [
            extension('tls_inspector', 'filters.listener.tls_inspector.v3.TlsInspector'),
            extension('proxy_protocol', 'filters.listener.proxy_protocol.v3.ProxyProtocol', { allow_requests_without_proxy_protocol: true }),
          ],
          filter_chains: chain([manager('tls', [])], { transport_socket }),
        },
        {
          name: 'tcp',
          address: address(0),
          filter_chains: chain([
            extension('rbac', 'filters.network.rbac.v3.RBAC', { stat_prefix: 'rb', rules: everybody }),
            extension('limit', 'filters.network.connection_limit.v3.ConnectionLimit', { stat_prefix: 'cl', max_connections: 100 }),
            extension('tcp', 'filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: 't', cluster: 'plain' }),
          ]),
        },
      ],
      clusters: Object.entries(CLUSTERS).map(([name, more]) => ({
        name,
        connect_timeout: '1s',
        load_assignment: assignment(name, port, name === 'plain' ? 2 : 1),
        ...more,
      })),
    },
  }; // biome-ignore format: a configuration
}

describe('the names of stats', { skip: SKIP }, () => {
  const upstream = http.createServer((request, response) =>
    request.resume().on('end', () => response.end('x')),
  );
  const processes: EnvoyProcess[] = [];
  const missing = missingNames();

  before(async () => {
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    for (const command of [[ENVOY_BIN!], PILOTFISH])
      processes.push(await EnvoyProcess.start(bootstrap(port), command));
  });
  after(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    upstream.closeAllConnections();
    upstream.close();
  });

  async function compare(): Promise<void> {
    await sleep(SETTLE_MS);
    const [theirs, ours] = await Promise.all(processes.map(namesOf));
    assert.ok(theirs!.size > 2000, `${theirs!.size} names`);
    const lacking = [...theirs!].filter((name) => !ours!.has(name));
    assert.deepEqual(
      lacking,
      lacking.filter((name) => missing.has(name)),
    );
    assert.deepEqual(
      [...ours!].filter((name) => !theirs!.has(name) && !OURS.has(name)),
      [],
    );
  }

  test('are those of Envoy at the start', compare);
  test('are those of Envoy after traffic', async () => {
    for (const each of processes) await drive(each);
    await compare();
  });
  test('none is missing of the families that people look at', () => {
    assert.deepEqual(
      [...missing].filter((name) => WHOLE.includes(name.split('.')[0]!)),
      [],
    );
  });
});

/** The first column of the table of docs/conformance.md. */
function missingNames(): Set<string> {
  const [, section = ''] = readFileSync(CONFORMANCE, 'utf8').split('\n## Statistics\n');
  return new Set([...section.split('\n## ')[0]!.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name]) => name!));
}

async function namesOf(process: EnvoyProcess): Promise<Set<string>> {
  const names = new Set<string>();
  for (const name of (await statsOf(process)).keys()) {
    let shown = name;
    for (const [listener, port] of process.ports) shown = shown.replace(`127.0.0.1_${port}.`, `${listener}.`);
    names.add(shown);
  }
  return names;
}

async function drive({ ports }: EnvoyProcess): Promise<void> {
  const port = ports.get('http')!;
  await get(port, '/');
  await get(port, '/vc');
  await get(port, '/direct');
  await get(port, '/grpc', { 'content-type': 'application/grpc' });
  await get(port, '/', { 'accept-encoding': 'gzip' });
  for (const cluster of [...Object.keys(CLUSTERS), 'nobody']) {
    if (cluster !== 'original_dst') await get(port, '/named', { 'x-cluster': cluster });
  }
  await talk(net.connect(ports.get('tcp')!, '127.0.0.1'));
  const options = {
    host: '127.0.0.1',
    port: ports.get('tls')!,
    servername: 'a.test',
    rejectUnauthorized: false,
  };
  await talk(connect(options));
}

function get(port: number, target: string, headers: http.OutgoingHttpHeaders = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: target, headers, agent: false }, (response) => {
      response.resume().on('end', resolve);
    });
    request.on('error', reject);
  });
}

function talk(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    socket
      .resume()
      .on('error', () => undefined)
      .on('close', () => resolve());
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  });
}
