import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { create } from '../../../../../xds-protos/load.ts';
import type { FactoryContext } from '../../../../api/registry.ts';
import { ipAddress } from '../../../../common/network/address.ts';
import { ThreadStatStore } from '../../../../common/stats/store.ts';
import { ConnectionInfoRecord } from '../../../../common/stream_info/stream_info.ts';
import { proxyProtocolFactory } from './config.ts';
import { PROXY_PROTOCOL_STATS } from './proxy_protocol.ts';
import { parseProxyProtocol } from './proxy_protocol_header.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function v2(command: number, family: number, body: string): Buffer {
  const header = latin1('\r\n\r\n\0\r\nQUIT\n    ');
  header[12] = command;
  header[13] = family;
  header.writeUInt16BE(body.length, 14);
  return Buffer.concat([header, latin1(body)]);
}
const V4 = '\x01\x02\x03\x04\x05\x06\x07\x08\x10\x00\x00\x50';
const V6 = `${'\0'.repeat(15)}\x01${'\0'.repeat(15)}\x02\x10\x00\x00\x50`;

/** Headers that Envoy 1.40 accepts, with the addresses it then logs. */
const GOOD: readonly [Buffer, string | undefined][] = [
  [latin1('PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n'), '1.2.3.4:1000 5.6.7.8:80'],
  [latin1('PROXY TCP4 1.2.3.4 5.6.7.8 0 80 \r\n'), '1.2.3.4:0 5.6.7.8:80'],
  [latin1('PROXY TCP6 ::1 ::2 1000 80\r\n'), '[::1]:1000 [::2]:80'],
  [latin1('PROXY UNKNOWN\r\n'), undefined],
  [latin1('PROXY UNKNOWN foo bar\r\n'), undefined],
  [latin1(`PROXY UNKNOWN ${'a'.repeat(92)}\r\n`), undefined],
  [v2(0x21, 0x11, V4), '1.2.3.4:4096 5.6.7.8:80'],
  [v2(0x21, 0x12, V4), '1.2.3.4:4096 5.6.7.8:80'],
  [v2(0x21, 0x21, V6), '[::1]:4096 [::2]:80'],
  [v2(0x20, 0x00, ''), undefined],
  [v2(0x20, 0x11, V4), undefined],
  [v2(0x21, 0x11, `${V4}\x02\0\0`), '1.2.3.4:4096 5.6.7.8:80'],
];

/** Headers that Envoy 1.40 refuses. */
const BAD: readonly [Buffer, 1 | 2][] = [
  [latin1('PROXY TCP6 ::1 1.2.3.4 1000 80\r\n'), 1],
  [latin1('PROXY TCP4 1.2.3.4 5.6.7.8 1000\r\n'), 1],
  [latin1('PROXY TCP4 1.2.3.4 5.6.7.8 100000 80\r\n'), 1],
  [latin1('PROXY TCP4 1.2.3.4 5.6.7.8 1000 80 9\r\n'), 1],
  [latin1('PROXY  TCP4 1.2.3.4 5.6.7.8 1000 80\r\n'), 1],
  [latin1('PROXY UDP4 1.2.3.4 5.6.7.8 1000 80\r\n'), 1],
  [latin1('PROXY TCP4 1.2.3.4 224.6.7.8 1000 80\r\n'), 1],
  [latin1('PROXY TCP4 0.0.0.0 5.6.7.8 1000 80\r\n'), 1],
  [latin1('PROXY TCP4 1.2.3.4 255.255.255.255 1000 80\r\n'), 1],
  [latin1('PROXYTCP4 1.2.3.4 5.6.7.8 1000 80\r\n'), 1],
  [latin1('hello\r\n'), 1],
  [v2(0x21, 0x00, ''), 2],
  [v2(0x21, 0x31, 'x'.repeat(216)), 2],
  [v2(0x11, 0x11, V4), 2],
  [v2(0x22, 0x11, V4), 2],
  [v2(0x21, 0x11, 'abc'), 2],
  [v2(0x21, 0x13, V4), 2],
  [v2(0x21, 0x11, `${V4}\x02\0`), 2],
  [v2(0x21, 0x11, `${V4}\x02\0\x09ab`), 2],
  [v2(0x21, 0x11, '\xe0\x02\x03\x04\x05\x06\x07\x08\x10\x00\x00\x50'), 2],
];

describe('header', () => {
  test('good ones', () => {
    for (const [bytes, want] of GOOD) {
      const result = parseProxyProtocol(Buffer.concat([bytes, latin1('hi')]));
      assert.equal(result.type, 'header', bytes.toString('latin1'));
      if (result.type !== 'header') continue;
      assert.equal(result.length, bytes.length);
      const { addresses } = result;
      assert.equal(addresses && `${addresses.source.text} ${addresses.destination.text}`, want);
    }
  });

  test('bad ones', () => {
    for (const [bytes, version] of BAD)
      assert.deepEqual(parseProxyProtocol(bytes), { type: 'error', version }, bytes.toString('latin1'));
    assert.equal(parseProxyProtocol(latin1('hello world, hello')).type, 'not_found');
    assert.equal(parseProxyProtocol(latin1(`PROXY UNKNOWN ${'a'.repeat(200)}`)).type, 'not_found');
    assert.equal(parseProxyProtocol(latin1('PROXY TCP4 1.2.3.4 5.6.7.8 1 80\n')).type, 'more');
  });

  test('any cut waits for more or says the same; no input throws', () => {
    const known = fc.constantFrom(...GOOD.map(([bytes]) => bytes), ...BAD.map(([bytes]) => bytes));
    const body = fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) => v2(0x21, 0x11, V4 + Buffer.from(bytes).toString('latin1')));
    const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(known, body, any), fc.nat(), (bytes, cut) => {
        const all = parseProxyProtocol(bytes);
        const part = parseProxyProtocol(bytes.subarray(0, cut % (bytes.length + 1)));
        if (part.type !== 'more') assert.deepEqual(part, all);
        if (all.type === 'header') assert.ok(all.length <= bytes.length);
      }),
    );
  });
});

describe('filter', () => {
  function run(config: object, bytes: Buffer) {
    const stats = new ThreadStatStore(() => {});
    const compiled = proxyProtocolFactory.compile(
      create('envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol', config) as never,
      { stats } as unknown as FactoryContext,
      'typed_config',
    );
    const info = new ConnectionInfoRecord(1, ipAddress('9.9.9.9', 1), ipAddress('2.2.2.2', 2), 'l');
    const metadata: Record<string, Record<string, unknown>> = {};
    const filter = compiled.createFilter();
    filter.onAccept({
      info,
      fd: -1,
      continueFilterChain: () => {},
      setDynamicMetadata: (namespace, value) => {
        metadata[namespace] = { ...metadata[namespace], ...value };
      },
      streamInfo: undefined as never,
    });
    const block = stats.block(PROXY_PROTOCOL_STATS, 'proxy_proto.');
    const moved = () =>
      PROXY_PROTOCOL_STATS.definitions
        .filter((_, i) => block.values[block.base + i] > 0)
        .map(({ name }) => name);
    return { result: filter.onData!(bytes), info, metadata, moved };
  }

  test('restores addresses and takes the header away', () => {
    const { result, info, moved } = run({}, latin1('PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\nhi'));
    assert.deepEqual(result, { type: 'done', consume: 36 });
    assert.equal(info.remoteAddress.text, '1.2.3.4:1000');
    assert.equal(info.directRemoteAddress.text, '9.9.9.9:1');
    assert.equal(info.localAddress.text, '5.6.7.8:80');
    assert.equal(info.localAddressRestored, true);
    assert.deepEqual(moved(), ['versions.v1.found']);
  });

  test('TLVs become metadata', () => {
    const rules = [
      { tlv_type: 2, on_tlv_present: { key: 'two' } },
      { tlv_type: 3, on_tlv_present: { key: 'three', metadata_namespace: 'ns' } },
    ];
    const { metadata } = run({ rules }, v2(0x21, 0x11, `${V4}\x02\0\x03abc\x03\0\x01\xff\x04\0\0`));
    assert.deepEqual(metadata, {
      'envoy.filters.listener.proxy_protocol': { two: 'abc' },
      ns: { three: '!' },
    });
  });

  test('connections without a header', () => {
    const closed = run({}, latin1('GET / HTTP/1.1 and more'));
    assert.equal(closed.result.type, 'close');
    assert.deepEqual(closed.moved(), ['not_found_disallowed']);
    const allowed = run({ allow_requests_without_proxy_protocol: true }, latin1('GE'));
    assert.deepEqual(allowed.result, { type: 'done', consume: 0 });
    assert.deepEqual(allowed.moved(), ['not_found_allowed']);
    assert.equal(run({ allow_requests_without_proxy_protocol: true }, latin1('PRO')).result.type, 'more');
  });

  test('disallowed versions', () => {
    const header = latin1('PROXY TCP4 1.2.3.4 5.6.7.8 1000 80\r\n');
    const denied = run({ disallowed_versions: ['V1'] }, header);
    assert.equal(denied.result.type, 'close');
    assert.deepEqual(denied.moved(), ['versions.v1.disallowed']);
    const ignored = run({ disallowed_versions: ['V1'], allow_requests_without_proxy_protocol: true }, header);
    assert.deepEqual(ignored.result, { type: 'done', consume: 0 });
    assert.throws(
      () => run({ disallowed_versions: ['V1', 'V2'] }, header),
      /all supported versions are disallowed/,
    );
    assert.throws(() => run({ pass_through_tlvs: {} }, header), /typed_config\.pass_through_tlvs/);
  });
});
