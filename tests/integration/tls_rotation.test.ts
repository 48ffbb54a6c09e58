// Certificates and trusted roots change under traffic, by SDS: the next handshake goes by them, on every worker, and nobody who
// is connected notices. Two workers share what clients need to resume their sessions.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { ca, certificate, client } from '../fakes/tls.ts';
import { ClientConnection, Load } from './load.ts';
import { ANY_ADMIN_PORT, eventually, ProxyProcess } from './proxy_process.ts';
import { TYPE } from './resources.ts';
import { SdsServer } from './sds_server.ts';

const ROTATIONS = 30;
/** Enough that both workers have their share; by chance alone one misses in 2⁻³⁹. */
const HANDSHAKES = 40;

let secrets: SdsServer;
let proxy: ProxyProcess;
let port: number;

function bootstrap(sdsPort: number): object {
  const sds_config = {
    resource_api_version: 'V3',
    api_config_source: {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'sds' } }],
    },
  };
  const tlsContext = {
    '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: {
      tls_certificate_sds_secret_configs: [{ name: 'server', sds_config }],
      validation_context_sds_secret_config: { name: 'roots', sds_config },
    },
  };
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    route_config: {
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'ok' } } },
          ],
        },
      ],
    },
    http_filters: [
      { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
  };
  const address = (port_value: number) => ({ socket_address: { address: '127.0.0.1', port_value } });
  return {
    ...ANY_ADMIN_PORT,
    static_resources: {
      clusters: [
        {
          name: 'sds',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': `${TYPE}extensions.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'sds',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(sdsPort) } }] }],
          },
        },
      ],
      listeners: [
        {
          name: 'tls',
          address: address(0),
          filter_chains: [
            {
              filters: [{ name: 'http', typed_config: manager }],
              transport_socket: { name: 'tls', typed_config: tlsContext },
              transport_socket_connect_timeout: '0.5s',
            },
          ],
        },
      ],
    },
  };
}

const connect = (options: tls.ConnectionOptions = client('client')): tls.TLSSocket =>
  tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });

/** Common names of the certificates that so many handshakes showed; `refused` for those that failed. */
async function shown(count: number, options?: tls.ConnectionOptions): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) seen.add(await shownOnce(options));
  return seen;
}

function shownOnce(options?: tls.ConnectionOptions): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(options);
  let name = '';
  socket.on('secureConnect', () => (name = String(socket.getPeerCertificate().subject.CN)));
  socket.on('data', () => {
    resolve(name);
    socket.destroy();
  });
  socket.on('error', () => resolve('refused'));
  socket.on('close', () => resolve('refused'));
  socket.write('GET / HTTP/1.1\r\nhost: h\r\n\r\n');
  return promise;
}

before(async () => {
  secrets = await SdsServer.start();
  await secrets.set('server', { tls_certificate: certificate('server') });
  await secrets.set('roots', { validation_context: ca() });
  const config = JSON.stringify(bootstrap(secrets.server.port));
  proxy = await ProxyProcess.start(
    '--config-yaml',
    config,
    '--concurrency',
    '2',
    '--component-log-level',
    'connection:debug',
  );
  port = await proxy.port('tls');
});

after(async () => {
  await proxy?.stop();
  secrets?.close();
});

test('certificates and roots change while everybody is served', async () => {
  const held = new ClientConnection(connect());
  assert.equal((await held.request('/')).status, 200);
  const load = new Load({ connect: () => connect(), clients: 4, thinkMs: 1 });
  for (let i = 0; i < ROTATIONS; i++) {
    const name = i % 2 === 0 ? 'second' : 'server';
    assert.equal(await secrets.set('server', { tls_certificate: certificate(name) }), undefined);
    await eventually(async () => (await shownOnce()) === name, `handshakes show ${name}`);
  }
  assert.deepEqual(await shown(HANDSHAKES), new Set(['server']));

  const broken = {
    certificate_chain: certificate('second').certificate_chain,
    private_key: certificate('server').private_key,
  };
  assert.match(
    (await secrets.set('server', { tls_certificate: broken }))!,
    /private_key: .*KEY_VALUES_MISMATCH/,
  );
  assert.match(
    (await secrets.set('roots', { validation_context: { trusted_ca: { inline_string: 'x' } } }))!,
    /trusted_ca: Failed to load trusted CA certificates/,
  );
  assert.deepEqual(await shown(HANDSHAKES), new Set(['server']));

  const stranger = client('stranger');
  assert.deepEqual(await shown(4, stranger), new Set(['refused']));
  // Who was refused, and why, is in the log.
  const refusal = /remote address:127\.0\.0\.1:\d+,TLS_error:.*unable to get local issuer certificate/;
  await eventually(async () => refusal.test(proxy.stdout + proxy.stderr), 'the log says why');
  const { failures, connections, answered } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(connections, 4, 'nobody had to connect again');
  assert.ok(answered > ROTATIONS);

  // Other roots: who is connected stays, and the others are known by them.
  assert.equal(await secrets.set('roots', { validation_context: ca('other_ca') }), undefined);
  await eventually(async () => (await shownOnce(stranger)) === 'server', 'the other roots are trusted');
  assert.deepEqual(await shown(4), new Set(['refused']));
  assert.equal((await held.request('/')).status, 200);
  held.end();
  assert.equal(await secrets.set('roots', { validation_context: ca() }), undefined);
  await eventually(async () => (await shownOnce()) === 'server', 'the first roots are trusted again');
});

test('a session begun with one worker is resumed by the other', async () => {
  const options = { ...client('client'), maxVersion: 'TLSv1.2' } as const;
  const first = connect(options);
  await once(first, 'secureConnect');
  const session = first.getSession();
  let reused = 0;
  for (let i = 0; i < HANDSHAKES; i++) {
    const socket = connect({ ...options, session });
    await once(socket, 'secureConnect');
    if (socket.isSessionReused()) reused++;
    socket.destroy();
  }
  first.destroy();
  assert.equal(reused, HANDSHAKES);
  const { body } = await proxy.admin('/stats?filter=worker_.*downstream_cx_total');
  const counts = [...body.matchAll(/worker_\d\.downstream_cx_total: (\d+)/g)].map(([, count]) =>
    Number(count),
  );
  assert.equal(counts.length, 2);
  assert.ok(
    counts.every((count) => count > 0),
    body,
  );
});

test('a client that does not get on with its handshake is sent away', async () => {
  for (const said of ['', '\x16\x03\x01\x02']) {
    const socket = net.connect(port, '127.0.0.1');
    if (said !== '') socket.write(said, 'latin1');
    socket.resume();
    await once(socket, 'close');
  }
  const { body } = await proxy.admin('/stats?filter=transport_socket_connect_timeout');
  assert.match(body, /downstream_cx_transport_socket_connect_timeout: 2/);
  await eventually(async () => {
    const { body: stats } = await proxy.admin('/stats?filter=listener.127.*downstream_cx_active');
    return /\.downstream_cx_active: 0\n/.test(stats);
  }, 'they are connections no more');
});
