import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { ipAddress } from '../../../../common/network/address.ts';
import { ThreadStatStore } from '../../../../common/stats/store.ts';
import { ConnectionInfoRecord } from '../../../../common/stream_info/stream_info.ts';
import { parseClientHello } from '../../../../common/tls/client_hello.ts';
import { TLS_INSPECTOR_STATS, TlsInspector } from './tls_inspector.ts';

/** What node's TLS client sends first. */
function clientHello(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: wire, ...options }).on('error', () => {});
  });
}

/** The same handshake bytes in records of other sizes. */
function refragment(hello: Buffer, sizes: readonly number[]): Buffer {
  const message = hello.subarray(5);
  const out: Buffer[] = [];
  for (let at = 0, i = 0; at < message.length; i++) {
    const piece = message.subarray(at, at + (sizes[i] ?? message.length));
    out.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece);
    at += piece.length;
  }
  return Buffer.concat(out);
}

const FULL = await clientHello({ servername: 'WWW.Example.com', ALPNProtocols: ['h2', 'http/1.1'] });

describe('ClientHello', () => {
  test('SNI and ALPN', () => {
    const result = parseClientHello(FULL);
    assert.ok(result.type === 'client_hello');
    assert.equal(result.serverName, 'www.example.com');
    assert.deepEqual(result.applicationProtocols, ['h2', 'http/1.1']);
    assert.equal(result.wireBytes, FULL.length);
    assert.deepEqual(
      [result.version, result.hasSupportedVersions, result.statusRequest],
      [0x0304, true, false],
    );
    for (const list of [result.cipherSuites, result.supportedGroups, result.signatureAlgorithms]) {
      assert.ok(list.length > 0 && list.length % 2 === 0);
    }
  });

  test('neither', async () => {
    const result = parseClientHello(await clientHello({}));
    assert.equal(result.type, 'client_hello');
    assert.equal(result.type === 'client_hello' && result.serverName, '');
    assert.equal(result.type === 'client_hello' && result.applicationProtocols, undefined);
  });

  test('plain text and broken hellos are not TLS', () => {
    for (const text of [
      'GET / HTTP/1.1\r\n',
      '\x15\x03\x01\0\x02',
      '\x16\x02\x01\0\x10',
      '\x16\x03\x01\0\0',
      '\x16\x03\x01\0\x04\x02\0\0\0',
    ]) {
      assert.equal(parseClientHello(Buffer.from(text, 'latin1')).type, 'not_tls', JSON.stringify(text));
    }
    const truncated = Buffer.from(FULL);
    truncated.writeUIntBE(FULL.length - 9 - 20, 6, 3);
    assert.equal(parseClientHello(truncated).type, 'not_tls');
    const sslv3 = Buffer.from('160300002d010000290300' + '00'.repeat(32) + '00' + '0002002f' + '0100', 'hex');
    assert.equal(parseClientHello(sslv3).type, 'not_tls');
  });

  test('any records and any cut of the bytes give the same', () => {
    const want = parseClientHello(FULL);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 })), fc.nat(), (sizes, cut) => {
        const wire = refragment(FULL, sizes);
        assert.deepEqual(parseClientHello(wire), { ...want, wireBytes: wire.length });
        assert.equal(parseClientHello(wire.subarray(0, cut % wire.length)).type, 'more');
      }),
    );
  });

  test('no input throws, and what is decided stays decided', () => {
    const mutated = fc
      .tuple(fc.array(fc.tuple(fc.nat(FULL.length - 1), fc.nat(255))), fc.nat(FULL.length))
      .map(([edits, length]) => {
        const bytes = Buffer.from(FULL);
        for (const [at, value] of edits) bytes[at] = value;
        return bytes.subarray(0, length);
      });
    const headed = fc
      .uint8Array({ maxLength: 200 })
      .map((body) =>
        Buffer.concat([Buffer.from([22, 3, 1, 0, body.length, 1, 0, 0, Math.max(0, body.length - 4)]), body]),
      );
    fc.assert(
      fc.property(fc.oneof(mutated, headed, fc.uint8Array()), (bytes) => {
        const all = parseClientHello(bytes);
        for (let end = 0; end < bytes.length; end += 7) {
          const part = parseClientHello(bytes.subarray(0, end));
          if (part.type !== 'more') assert.deepEqual(part, all);
        }
      }),
    );
  });
});

describe('filter', () => {
  const stats = new ThreadStatStore(() => {});
  const block = stats.block(TLS_INSPECTOR_STATS, 'tls_inspector.');
  const counter = (name: keyof typeof TLS_INSPECTOR_STATS.offset) =>
    block.values[block.base + TLS_INSPECTOR_STATS.offset[name]];

  function inspect(bytes: Buffer, options = { maxClientHelloBytes: 16_384, closeOnParsingErrors: false }) {
    const info = new ConnectionInfoRecord(1, ipAddress('1.1.1.1', 1), ipAddress('2.2.2.2', 2), 'l');
    const metadata: unknown[] = [];
    const filter = new TlsInspector(options, block);
    filter.onAccept({
      info,
      fd: -1,
      continueFilterChain: () => {},
      setDynamicMetadata: (_namespace, value) => metadata.push(value),
      streamInfo: undefined as never,
    });
    return { result: filter.onData(bytes), info, metadata };
  }

  test('notes what it found', () => {
    const { result, info } = inspect(FULL);
    assert.deepEqual(result, { type: 'done', consume: 0 });
    assert.equal(info.detectedTransportProtocol, 'tls');
    assert.equal(info.requestedServerName, 'www.example.com');
    assert.deepEqual(info.requestedApplicationProtocols, ['h2', 'http/1.1']);
    assert.deepEqual([counter('tls_found'), counter('sni_found'), counter('alpn_found')], [1, 1, 1]);
  });

  test('leaves plain text alone, or closes when told to', () => {
    const plain = inspect(Buffer.from('hello'));
    assert.deepEqual(plain.result, { type: 'done', consume: 0 });
    assert.equal(plain.info.detectedTransportProtocol, '');
    assert.deepEqual(plain.metadata, [{ failure_reason: 'ClientHelloNotDetected' }]);
    assert.equal(counter('tls_not_found'), 1);
    const strict = inspect(Buffer.from('hello'), { maxClientHelloBytes: 16_384, closeOnParsingErrors: true });
    assert.equal(strict.result.type, 'close');
  });

  test('gives up on a hello that does not end', () => {
    const endless = Buffer.alloc(16_384, 'a');
    Buffer.from([22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0]).copy(endless);
    assert.equal(inspect(endless.subarray(0, 16_383)).result.type, 'more');
    const { result, metadata } = inspect(endless);
    assert.equal(result.type, 'close');
    assert.deepEqual(metadata, [{ failure_reason: 'ClientHelloTooLarge' }]);
    assert.equal(counter('client_hello_too_large'), 1);
    assert.equal(
      inspect(FULL.subarray(0, 300), { maxClientHelloBytes: 256, closeOnParsingErrors: false }).result.type,
      'close',
    );
  });
});
