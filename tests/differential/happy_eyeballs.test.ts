// Hosts with several addresses: which connection is taken, how many are tried, and in which order.

import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { pem } from '../fakes/tls.ts';
import { ask } from '../integration/proxy_process.ts';
import { httpFilter, listener, TYPE, tcpFilter } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';
/** Nobody listens there; nobody answers there. */
const REFUSED = '127.0.0.9';
const SILENT = '192.0.2.1';
/** ms that an address takes for its handshake: the next one is tried after 300. */
const SLOW: Readonly<Record<string, number>> = { '127.0.0.2': 900, '127.0.0.3': 4000 };
const BROKEN = '127.0.0.4';
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3', BROKEN, '::1'];

/** By the port that all addresses of a kind share. */
const servers: net.Server[] = [];
let dns: FakeDnsServer;
let plainPort = 0;
let tlsPort = 0;

before(async () => {
  plainPort = await serve((socket) => answer(socket, socket.localAddress!));
  tlsPort = await serve((socket) => void handshake(socket));
  dns = await FakeDnsServer.start({ 'turns.test': [REFUSED, '127.0.0.1'] });
});
after(() => {
  for (const server of servers) server.close();
  dns.close();
});

async function serve(accept: (socket: net.Socket) => void): Promise<number> {
  let port = 0;
  for (const address of ADDRESSES) {
    const server = net.createServer((socket) => accept(socket.on('error', () => {})));
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    port = (server.address() as net.AddressInfo).port;
    servers.push(server);
  }
  return port;
}

/** HTTP that says which address it was asked at. */
function answer(socket: net.Socket, address: string): void {
  const response = `HTTP/1.1 200 OK\r\ncontent-length: ${address.length}\r\n\r\n${address}`;
  socket.on('data', () => socket.write(response)).on('error', () => {});
}

async function handshake(socket: net.Socket): Promise<void> {
  const address = socket.localAddress!;
  if (address === BROKEN) {
    socket.end('no TLS');
    return;
  }
  await sleep(SLOW[address] ?? 0);
  if (socket.destroyed) return;
  const secureContext = tls.createSecureContext({ cert: pem('server.pem'), key: pem('server.key') });
  answer(new tls.TLSSocket(socket, { isServer: true, secureContext }), address);
}

const TLS = {
  transport_socket: {
    name: 'tls',
    typed_config: { '@type': `${TYPE}extensions.transport_sockets.tls.v3.UpstreamTlsContext` },
  },
};

function cluster(name: string, addresses: readonly string[], more: object = {}): object {
  const port_value = 'transport_socket' in more ? tlsPort : plainPort;
  const [address, ...additional_addresses] = addresses.map((ip) => ({
    address: { socket_address: { address: ip, port_value } },
  }));
  const lb_endpoints = [{ endpoint: { ...address, additional_addresses } }];
  return {
    name,
    connect_timeout: '8s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
    ...more,
  };
}

const order = (first_address_family_version: string, first_address_family_count = 1): object => ({
  upstream_connection_options: {
    happy_eyeballs_config: { first_address_family_version, first_address_family_count },
  },
});

const CLUSTERS: Readonly<Record<string, () => object>> = {
  refused: () => cluster('refused', [REFUSED, '127.0.0.1']),
  silent: () => cluster('silent', [SILENT, '127.0.0.1']),
  'all-silent': () => cluster('all-silent', [SILENT, '192.0.2.2'], { connect_timeout: '1s' }),
  six: () => cluster('six', ['::1', '127.0.0.1']),
  nowhere: () => cluster('nowhere', [REFUSED, '127.0.0.8']),
  logical: () =>
    cluster('logical', ['turns.test'], {
      type: 'LOGICAL_DNS',
      dns_lookup_family: 'V4_ONLY',
      typed_dns_resolver_config: dns.resolver(),
    }),
  'slow-tls': () => cluster('slow-tls', ['127.0.0.2', '127.0.0.3'], TLS),
  'broken-tls': () => cluster('broken-tls', [BROKEN, '127.0.0.1'], TLS),
  'only-broken-tls': () => cluster('only-broken-tls', [BROKEN, REFUSED], TLS),
  'quicker-second': () => cluster('quicker-second', ['127.0.0.3', '127.0.0.1'], TLS),
  'six-first': () => cluster('six-first', ['127.0.0.1', '::1'], order('V6')),
  'four-first': () => cluster('four-first', ['::1', '127.0.0.1'], order('V4')),
  'two-of-four-first': () =>
    cluster('two-of-four-first', ['::1', REFUSED, '127.0.0.8', '127.0.0.1'], order('V4', 2)),
  'one-of-four-first': () => cluster('one-of-four-first', ['::1', REFUSED, '127.0.0.1'], order('V4')),
  'http2-refused': () =>
    cluster('http2-refused', [REFUSED, '127.0.0.8'], {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
};
const NAMES = Object.keys(CLUSTERS);
const STATS = 'upstream_cx_(total|active|connect_fail|connect_timeout|destroy.*|http1_total|http2_total)';
const TCP = ['refused', 'silent', 'nowhere', 'slow-tls'];

async function observe(command: readonly string[]): Promise<object> {
  const routes = [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }];
  const manager = httpFilter('', {
    rds: undefined,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  });
  const proxy = await EnvoyProcess.start(
    {
      static_resources: {
        clusters: [
          ...NAMES.map((name) => CLUSTERS[name]!()),
          ...TCP.map((name) => ({ ...CLUSTERS[name]!(), name: `tcp-${name}` })),
        ],
        listeners: [
          listener('in', 0, [{ filters: [manager] }]),
          ...TCP.map((name) => listener(`tcp-${name}`, 0, [{ filters: [tcpFilter(`tcp-${name}`)] }])),
        ],
      },
    },
    command,
  );
  try {
    const answers = await Promise.all([
      ...NAMES.map(async (name) => {
        const url = `http://127.0.0.1:${proxy.ports.get('in')}/`;
        const { status, body } = await ask(url, { headers: { 'x-cluster': name } });
        return `${name}: ${status} ${body}`;
      }),
      ...TCP.map(async (name) => {
        const url = `http://127.0.0.1:${proxy.ports.get(`tcp-${name}`)}/`;
        const text = await ask(url).then(
          ({ status, body }) => `${status} ${body}`,
          () => 'closed',
        );
        return `tcp-${name}: ${text}`;
      }),
    ]);
    const stats = await (await fetch(`${proxy.admin}/stats?filter=^cluster.*${STATS}`)).text();
    const hosts = await (await fetch(`${proxy.admin}/clusters`)).text();
    return {
      answers,
      // When the last client's connection ends is a matter of timing.
      stats: stats.split('\n').filter((line) => !/: 0$|tcp-.*(active|destroy)/.test(line)),
      hosts: hosts
        .split('\n')
        .filter((line) => /::cx_(total|connect_fail)::[^0]/.test(line))
        .sort(),
    };
  } finally {
    await proxy.stop();
  }
}

test('happy eyeballs: the first of several addresses that is there', { skip, timeout: 60_000 }, async () => {
  const envoy = await observe([ENVOY_BIN!]);
  assert.deepEqual(await observe(PILOTFISH), envoy);
});
