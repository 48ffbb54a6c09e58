// The interop client of grpc-go reaches the interop server of grpc-go through the proxy, in plain text and by TLS on both sides.

import { after, before, suite, test } from 'node:test';
import type { EnvoyProcess } from '../differential/envoy_process.ts';
import { CASES, InteropServer, interopClient } from './grpc_interop.ts';
import { MODES, startProxy } from './proxied.ts';
import { SUBJECT } from './subject.ts';
import { INTEROP_CLIENT, INTEROP_SERVER, missing } from './tools.ts';

suite(`gRPC interop through ${SUBJECT.name}`, { skip: missing(INTEROP_CLIENT, INTEROP_SERVER) }, () => {
  let servers: InteropServer[] = [];
  let proxy: EnvoyProcess;
  before(async () => {
    servers = await Promise.all(MODES.map((mode) => InteropServer.start(mode === 'tls')));
    const [h2c, tls] = servers.map(({ port }) => port);
    proxy = await startProxy(
      { h2c: { port: h2c, http2: true, tls: false }, tls: { port: tls, http2: true, tls: true } },
      SUBJECT.command,
    );
  });
  after(async () => {
    await proxy?.stop();
    for (const server of servers) await server.stop();
  });
  for (const mode of MODES) {
    for (const name of CASES) {
      test(`${name} over ${mode}`, () => interopClient(name, proxy.ports.get(mode)!, mode === 'tls'));
    }
  }
});
