import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NetworkFilterStatus } from '../../../../api/network/filter.ts';
import { ipAddress } from '../../../../common/network/address.ts';
import { ThreadStatStore } from '../../../../common/stats/store.ts';
import { ConnectionInfoRecord } from '../../../../common/stream_info/stream_info.ts';
import { detectHttp, HTTP_INSPECTOR_STATS, HttpInspector } from './http_inspector.ts';

const detect = (text: string) => detectHttp(Buffer.from(text, 'latin1'), 0);

/** Each line was sent to Envoy 1.40, and this is the counter that moved. */
const ENVOY_SAYS: readonly [string, ReturnType<typeof detectHttp>][] = [
  ['GET / HTTP/1.1\r\n', 'http/1.1'],
  ['GET / HTTP/1.1\n', 'http/1.1'],
  ['GET / HTTP/1.0\r\n', 'http/1.0'],
  ['GET / HTTP/2.0\r\n', 'http/1.0'],
  ['GET /\r\n', 'http/1.0'],
  ['GET / HTTP/1.2\r\n', 'http/1.0'],
  ['GET  / HTTP/1.1\r\n', 'http/1.1'],
  ['GET\t/ HTTP/1.1\r\n', 'http/1.1'],
  ['GET /\x01 HTTP/1.1\r\n', 'http/1.1'],
  ['GET / HTTP/1.1  \r\n', 'http/1.1'],
  ['GET / HTTP/1.1\r\r\n', 'http/1.1'],
  ['PRI * HTTP/1.1\r\n', 'http/1.1'],
  ['PRI * HTTP/2.0\r\n\r\nXX', 'http/1.0'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2c'],
  ['1GET / HTTP/1.1\r\n', 'http/1.1'],
  ['CONNECT a:1 HTTP/1.1\r\n', 'http/1.1'],
  ['OPTIONS * HTTP/1.1\r\n', 'http/1.1'],
  ['GET http://a/ HTTP/1.1\r\n', 'http/1.1'],
  ['GET ftp://a/ HTTP/1.1\r\n', 'http/1.1'],
  ['hello\n', 'none'],
  ['foo bar HTTP/1.1\r\n', 'none'],
  ['\r\nGET / HTTP/1.1\r\n', 'none'],
  [' GET / HTTP/1.1\r\n', 'none'],
  ['GET / HTTP/1.1 x\r\n', 'none'],
  ['G@T / HTTP/1.1\r\n', 'none'],
  ['GET a HTTP/1.1\r\n', 'none'],
  ['GET ? HTTP/1.1\r\n', 'none'],
  ['GET \xe9 HTTP/1.1\r\n', 'none'],
  ['GET / http/1.1\r\n', 'none'],
  ['GET / HTTP/11\r\n', 'none'],
  ['GET /a b HTTP/1.1\r\n', 'none'],
  ['@', 'none'],
  ['\x16\x03', 'none'],
  ['hello', undefined],
  ['GET /\r', undefined],
  ['PRI * HT', undefined],
];

const block = new ThreadStatStore(() => {}).block(HTTP_INSPECTOR_STATS, 'http_inspector.');
const counter = (name: keyof typeof HTTP_INSPECTOR_STATS.offset) =>
  block.values[block.base + HTTP_INSPECTOR_STATS.offset[name]];

function accept(detected: string) {
  const info = new ConnectionInfoRecord(1, ipAddress('1.1.1.1', 1), ipAddress('2.2.2.2', 2), 'l');
  info.detectedTransportProtocol = detected;
  const filter = new HttpInspector(block);
  const status = filter.onAccept({
    info,
    fd: -1,
    continueFilterChain: () => {},
    setDynamicMetadata: () => {},
    streamInfo: undefined as never,
  });
  return { filter, info, status };
}

describe('detectHttp', () => {
  test('agrees with Envoy', () => {
    for (const [text, want] of ENVOY_SAYS) assert.equal(detect(text), want, JSON.stringify(text));
  });

  test('any split gives the same, no input throws', () => {
    const texts = fc.oneof(
      fc.constantFrom(...ENVOY_SAYS.map(([text]) => text)),
      fc.string({ unit: 'binary-ascii' }),
    );
    fc.assert(
      fc.property(texts, fc.array(fc.nat(40)), (text, cuts) => {
        const bytes = Buffer.from(text, 'latin1');
        const want = detectHttp(bytes, 0);
        const { filter, info } = accept('');
        for (const end of [...cuts.sort((a, b) => a - b).filter((cut) => cut < bytes.length), bytes.length]) {
          if (filter.onData(bytes.subarray(0, end)).type === 'done') break;
        }
        assert.equal(info.requestedApplicationProtocols[0], want === 'none' ? undefined : want);
      }),
    );
  });
});

describe('filter', () => {
  test('sets the application protocol', () => {
    const { filter, info, status } = accept('');
    assert.equal(status, NetworkFilterStatus.StopIteration);
    assert.equal(filter.onData(Buffer.from('GET / HT')).type, 'more');
    assert.deepEqual(filter.onData(Buffer.from('GET / HTTP/1.1\r\nhost: a')), { type: 'done', consume: 0 });
    assert.deepEqual(info.requestedApplicationProtocols, ['http/1.1']);
    assert.ok(counter('http11_found') > 0);
  });

  test('does not look into TLS', () => {
    assert.equal(accept('tls').status, NetworkFilterStatus.Continue);
  });

  test('closes when no line ends', () => {
    const { filter } = accept('raw_buffer');
    assert.equal(filter.onData(Buffer.alloc(65_535, 'a')).type, 'more');
    assert.equal(filter.onData(Buffer.alloc(65_536, 'a')).type, 'close');
    assert.equal(counter('read_error'), 1);
  });
});
