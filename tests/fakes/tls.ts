// TLS in tests: servers and clients around the transport sockets, with the certificates of tests/fixtures/certs.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { after } from 'node:test';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { UpstreamTransportSocketOptions } from '../../server/api/network/transport_socket.ts';
import type { FactoryContext } from '../../server/api/registry.ts';
import type { SslConnectionInfo } from '../../server/api/stream_info.ts';
import type { HostDescription } from '../../server/api/upstream/host.ts';
import { ipAddress } from '../../server/common/network/address.ts';
import { ConnectionInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import {
  downstreamTlsFactory,
  upstreamTlsFactory,
} from '../../server/extensions/transport_sockets/tls/config.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { FakeStatStore, fakeFactoryContext } from './factory_context.ts';

const CERTS = new URL('../fixtures/certs/', import.meta.url);
export const pem = (name: string) => readFileSync(new URL(name, CERTS), 'utf8');
export const certificate = (name: string) => ({
  certificate_chain: { inline_string: pem(`${name}.pem`) },
  private_key: { inline_string: pem(`${name}.key`) },
});
export const ca = (name = 'ca') => ({ trusted_ca: { inline_string: pem(`${name}.pem`) } });
export const uri = (matcher: object) => [{ san_type: 'URI', matcher }];

export const open = new Set<{ destroy?(): void; close?(): void }>();
after(() => {
  for (const one of open) (one.destroy ?? one.close)!.call(one);
});

export interface Outcome {
  readonly error: string | undefined;
  readonly ssl: SslConnectionInfo | undefined;
}

export function compileDownstream(config: object, overrides: Partial<FactoryContext> = {}) {
  const message = fromJson('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', config);
  const stats = new FakeStatStore();
  const listener = {
    name: 'l',
    statName: '0.0.0.0_1',
  } as unknown as FactoryContext['listener'];
  const factory = downstreamTlsFactory.compile(
    message as never,
    fakeFactoryContext({ stats, listener, ...overrides }),
    'tls',
  );
  return { factory, value: (name: string) => stats.value(`listener.0.0.0.0_1.${name}`) };
}

/** A server that wraps what it accepts and echoes; `outcome` resolves for each accepted socket in turn. */
export async function serve(config: object, overrides: Partial<FactoryContext> = {}) {
  const { factory, value } = compileDownstream(config, overrides);
  const outcomes: Outcome[] = [];
  const server: Server = createServer((socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    const info = new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', 2), 'l');
    factory.wrap(socket, info, (error, ssl, secure) => {
      outcomes.push({ error, ssl });
      server.emit('outcome');
      if (error === undefined) secure.on('data', (data: Buffer) => secure.write(data));
    });
  });
  open.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const outcome = async (): Promise<Outcome> => {
    if (outcomes.length === 0) await once(server, 'outcome');
    return outcomes.shift()!;
  };
  return { port, outcome, value };
}

/** A plain node client. Resolves with the socket once the server has echoed, or with the error's code. */
export function nodeClient(port: number, options: ConnectionOptions = {}): Promise<TLSSocket | string> {
  return new Promise((resolve) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    open.add(socket);
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
    socket.on('data', () => resolve(socket));
    socket.on('secureConnect', () => socket.write('hello'));
  });
}

export function upstream(config: object, overrides: Partial<FactoryContext> = {}) {
  const stats = new FakeStatStore();
  const message = fromJson('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', config);
  const factory = upstreamTlsFactory.compile(
    message as never,
    fakeFactoryContext({ stats, clusterStatPrefix: 'cluster.outbound_80.', ...overrides }),
    'tls',
  );
  const host = { clusterName: 'outbound|80', hostname: 'second.example.com' } as HostDescription;
  const defaults = {
    host,
    alpnOverride: undefined,
    alpnFallback: [],
    sniOverride: undefined,
    sanOverride: undefined,
    downstreamAddresses: undefined,
    hashKey: '',
  };
  const connect = (port: number, options: Partial<UpstreamTransportSocketOptions> = {}) =>
    new Promise<Outcome & { socket: Socket }>((resolve) => {
      const raw = netConnect(port, '127.0.0.1').on('error', () => {});
      const socket = factory.wrap(raw, { ...defaults, ...options }, (error, ssl) => {
        if (error !== undefined) return resolve({ error, ssl, socket });
        socket.once('data', () => resolve({ error, ssl, socket }));
        socket.write('hello');
      });
      open.add(socket);
    });
  return { factory, connect, value: (name: string) => stats.value(`cluster.outbound_80.ssl.${name}`) };
}

export const mutual = {
  require_client_certificate: true,
  common_tls_context: {
    alpn_protocols: ['h2', 'http/1.1'],
    tls_certificates: [certificate('server')],
    validation_context: {
      ...ca(),
      match_typed_subject_alt_names: uri({ prefix: 'spiffe://cluster.local/' }),
    },
  },
};
export const client = (name: string) => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) });
