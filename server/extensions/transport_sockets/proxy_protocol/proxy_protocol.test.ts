// What is sent before everything else: bytes as Envoy 1.40 sent them, and what our own listener filter reads from them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { createSecureContext, TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { fakeFactoryContext } from '../../../../tests/fakes/factory_context.ts';
import { certificate, pem } from '../../../../tests/fakes/tls.ts';
import type { ProxyProtocolUpstreamTransport } from '../../../../xds-protos/generated/envoy/extensions/transport_sockets/proxy_protocol/v3.ts';
import { fromJson } from '../../../../xds-protos/json.ts';
import type {
  DownstreamAddresses,
  UpstreamTransportSocketOptions,
} from '../../../api/network/transport_socket.ts';
import { ipAddress, pipeAddress } from '../../../common/network/address.ts';
import { ExtensionRegistry } from '../../../common/registry.ts';
import { ALL_EXTENSIONS } from '../../../extensions/all_extensions.ts';
import { parseProxyProtocol } from '../../filters/listener/proxy_protocol/proxy_protocol_header.ts';
import { upstreamProxyProtocolFactory } from './config.ts';
import { v1Header, v2Header } from './proxy_protocol_header.ts';

const V4 = { source: ipAddress('127.0.0.1', 51336), destination: ipAddress('127.0.0.1', 18562) };
const V6 = { source: ipAddress('::1', 37724), destination: ipAddress('::1', 18566) };

describe('headers', () => {
  test('are Envoy’s', () => {
    assert.equal(String(v1Header(V4)), 'PROXY TCP4 127.0.0.1 127.0.0.1 51336 18562\r\n');
    assert.equal(String(v1Header(V6)), 'PROXY TCP6 ::1 ::1 37724 18566\r\n');
    assert.equal(v2Header(V4).toString('hex'), '0d0a0d0a000d0a515549540a2111000c7f0000017f000001c8884882');
    assert.equal(
      v2Header(V6).toString('hex'),
      '0d0a0d0a000d0a515549540a21210024' +
        '0000000000000000000000000000000100000000000000000000000000000001935c4886',
    );
  });

  test('say that there is nothing to say', () => {
    const unix = { source: pipeAddress('/a'), destination: pipeAddress('/b') };
    const mixed = { source: V4.source, destination: V6.destination };
    for (const addresses of [undefined, unix, mixed]) {
      assert.equal(String(v1Header(addresses)), 'PROXY UNKNOWN\r\n');
      assert.equal(v2Header(addresses).toString('hex'), '0d0a0d0a000d0a515549540a20000000');
    }
  });

  test('are read as they were meant', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    // Unicast addresses: a sender has no others.
    const v4 = fc.ipV4().map((ip) => ip.replace(/^\d+/, '10'));
    const v6 = fc.array(group, { minLength: 7, maxLength: 7 }).map((groups) => `2001:${groups.join(':')}`);
    const pair = (ip: fc.Arbitrary<string>): fc.Arbitrary<DownstreamAddresses> =>
      fc
        .tuple(ip, port, ip, port)
        .map(([a, b, c, d]) => ({ source: ipAddress(a, b), destination: ipAddress(c, d) }));
    fc.assert(
      fc.property(fc.oneof(pair(v4), pair(v6)), (addresses) => {
        const results = [v1Header, v2Header].map((header) => parseProxyProtocol(header(addresses)));
        for (const result of results) {
          assert.ok(result.type === 'header');
          // Version 2 has the bytes, so both are compared as those.
          assert.deepEqual(v2Header(result.addresses), v2Header(addresses));
        }
      }),
      { numRuns: 200 },
    );
  });
});

function compile(version: 'V1' | 'V2', inner: object, more: object = {}) {
  const registry = new ExtensionRegistry(ALL_EXTENSIONS);
  const message = fromJson<ProxyProtocolUpstreamTransport>(
    'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport',
    { config: { version, ...more }, transport_socket: { name: 'inner', typed_config: inner } },
  );
  return upstreamProxyProtocolFactory.compile(message, fakeFactoryContext({ registry }), 'socket');
}

const X = 'type.googleapis.com/envoy.extensions.transport_sockets.';
const RAW = { '@type': `${X}raw_buffer.v3.RawBuffer` };
const TLS = {
  '@type': `${X}tls.v3.UpstreamTlsContext`,
  common_tls_context: { tls_certificates: [certificate('client')] },
};
const OPTIONS = {
  host: { clusterName: 'c' },
  downstreamAddresses: V4,
  alpnFallback: [],
  hashKey: 'k',
} as never;

/** Connects to `server`; resolves when the transport socket says so. */
async function connected(
  factory: ReturnType<typeof compile>,
  onConnection: (socket: Socket) => void,
): Promise<{ socket: Socket; close(): void }> {
  const server = createServer(onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const raw = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = factory.wrap(raw, OPTIONS as UpstreamTransportSocketOptions, (error) =>
    error === undefined ? resolve() : reject(new Error(error)),
  );
  await promise;
  const close = (): void => {
    socket.destroy();
    server.close();
  };
  return { socket, close };
}

test('over plaintext', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const factory = compile('V1', RAW);
  assert.deepEqual([factory.secure, factory.sendsDownstreamAddresses], [false, true]);
  const { socket, close } = await connected(factory, (peer) => {
    let text = '';
    peer.on('data', (bytes) => {
      text += String(bytes);
      if (text.endsWith('hello')) resolve(text);
    });
  });
  socket.write('hello');
  assert.equal(await promise, 'PROXY TCP4 127.0.0.1 127.0.0.1 51336 18562\r\nhello');
  close();
});

test('before a TLS handshake', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const header = v2Header(V4);
  const secureContext = createSecureContext({ key: pem('server.key'), cert: pem('server.pem') });
  const factory = compile('V2', TLS);
  assert.equal(factory.secure, true);
  const { socket, close } = await connected(factory, (peer) => {
    peer.once('readable', () => {
      const bytes = peer.read() as Buffer;
      assert.deepEqual(bytes.subarray(0, header.length), header);
      peer.unshift(bytes.subarray(header.length));
      const secure = new TLSSocket(peer, { isServer: true, secureContext });
      secure.on('data', (text) => resolve(String(text)));
      secure.on('error', () => undefined);
    });
  });
  socket.write('hello');
  assert.equal(await promise, 'hello');
  close();
});

test('TLVs are refused', () => {
  assert.throws(() => compile('V2', RAW, { pass_through_tlvs: {} }), {
    path: 'socket.config.pass_through_tlvs',
  });
  assert.throws(() => compile('V2', RAW, { added_tlvs: [{ type: 1, value: 'AA==' }] }), {
    path: 'socket.config.added_tlvs',
  });
});
