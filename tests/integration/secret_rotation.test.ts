// Secrets by SDS over ADS change under load: new handshakes see the new certificate, no connection is cut, no request
// fails, and what is not valid is refused while the last good certificate serves. In both dialects of xDS.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { certificate, pem } from '../fakes/tls.ts';
import { type AnyControlPlane, ControlPlane } from './control_plane.ts';
import { ClientConnection, Load } from './load.ts';
import { eventually, ProxyProcess } from './proxy_process.ts';
import {
  edsCluster,
  endpoints,
  httpFilter,
  listener,
  namedBackend,
  portOf,
  routes,
  TYPE,
} from './resources.ts';
import { SotwControlPlane } from './sotw_control_plane.ts';

const ROTATIONS = 30;
/** Names of certificates, and of their subjects. */
const NAMES = ['second', 'server'] as const;
/** ms until the workers show what main has taken. */
const SHOWN_MS = 10_000;

const secret = (name: string): object => ({ name: 'shown', tls_certificate: certificate(name) });
const mixed = {
  name: 'shown',
  tls_certificate: {
    certificate_chain: { inline_string: pem('server.pem') },
    private_key: { inline_string: pem('second.key') },
  },
};

function secureListener(): object {
  const source = { ads: {}, resource_api_version: 'V3' };
  const context = {
    '@type': `${TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    common_tls_context: { tls_certificate_sds_secret_configs: [{ name: 'shown', sds_config: source }] },
  };
  const transport_socket = { name: 'tls', typed_config: context };
  return listener('https', 0, [{ filters: [httpFilter('main')], transport_socket }]);
}

const connect = (port: number): tls.TLSSocket =>
  tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });

async function shownBy(port: number): Promise<string> {
  const socket = connect(port);
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

async function rotate(context: TestContext, plane: AnyControlPlane): Promise<void> {
  const backend = await namedBackend('answer');
  plane.hold('cluster', 'a', edsCluster('a'));
  plane.hold('endpoints', 'a', endpoints('a', [portOf(backend)]));
  plane.hold('route', 'main', routes('main', { a: 1 }));
  plane.hold('secret', 'shown', secret('server'));
  plane.hold('listener', 'https', secureListener());
  const args = ['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '2'];
  const proxy = await ProxyProcess.start(...args);
  context.after(async () => {
    await proxy.stop();
    plane.close();
    backend.close().closeAllConnections();
  });
  const port = await proxy.port('https');
  const open = (): net.Socket => connect(port);
  const held = Array.from({ length: 4 }, () => new ClientConnection(open()));
  const steady = new Load({ connect: open, clients: 4, thinkMs: 1 });
  // Each makes a connection of its own for every request.
  let handshakes = 0;
  let rotating = true;
  const newcomers = (async () => {
    while (rotating) {
      const client = new ClientConnection(open());
      assert.equal((await client.request('/')).status, 200);
      client.end();
      handshakes++;
    }
  })();
  context.after(() => steady.stop());

  for (let i = 0; i < ROTATIONS; i++) {
    const name = NAMES[i % NAMES.length]!;
    assert.equal(await plane.set('secret', { shown: secret(name) }), undefined);
    await eventually(async () => (await shownBy(port)) === name, `${name} is shown`, SHOWN_MS);
    if (i % 10 === 5) {
      assert.match((await plane.set('secret', { shown: mixed })) ?? '', /shown/);
      assert.equal(await shownBy(port), name);
      for (const client of held) assert.equal((await client.request('/')).status, 200);
    }
  }
  rotating = false;
  await newcomers;
  const { failures, answered, connections } = await steady.stop();
  assert.deepEqual(failures, []);
  assert.equal(connections, 4);
  // How many there were depends on the machine; that there were some all along does not.
  assert.ok(
    answered > ROTATIONS && handshakes > ROTATIONS / 3,
    `${answered} answers, ${handshakes} handshakes`,
  );
  for (const client of held) {
    assert.equal((await client.request('/')).status, 200);
    client.end();
  }
}

test('by incremental ADS', { timeout: 60_000 }, async (context) =>
  rotate(context, await ControlPlane.start()),
);
test('by state-of-the-world ADS', { timeout: 60_000 }, async (context) =>
  rotate(context, await SotwControlPlane.start()),
);
