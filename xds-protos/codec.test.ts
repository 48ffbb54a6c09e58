import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  create,
  DecodeError,
  decode,
  decodeAny,
  encode,
  encodeAny,
  hasType,
  type Message,
  typeNameOf,
  UnknownTypeError,
} from './load.ts';
import { unknownFields } from './unknown_fields.ts';

const CLUSTER = 'envoy.config.cluster.v3.Cluster';
const DURATION = 'google.protobuf.Duration';
const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('decoded messages', () => {
  test('tell presence: messages, oneof members and optional fields are undefined, others read as defaults', () => {
    const cluster = decode(CLUSTER, new Uint8Array(0));
    assert.equal(cluster.name, '');
    assert.equal(cluster.lb_policy, 'ROUND_ROBIN');
    assert.equal(cluster.connect_timeout, undefined);
    assert.equal(cluster.type, undefined);
    assert.deepEqual(cluster.health_checks, []);
    assert.deepEqual(Object.keys(cluster.typed_extension_protocol_options), []);
    assert.deepEqual(Object.keys(cluster), []);
  });

  test('enums are names, numbers without a name stay numbers', () => {
    assert.equal(decode(CLUSTER, bytes('10 03')).type, 'EDS');
    assert.equal(decode(CLUSTER, bytes('10 63')).type, 99);
    assert.deepEqual([...encode(CLUSTER, { type: 'EDS' })], [0x10, 3]);
  });

  test('64-bit integers are exact', () => {
    const seconds = -(2n ** 63n);
    assert.equal(decode(DURATION, encode(DURATION, { seconds })).seconds, seconds);
  });

  test('no map key is special', () => {
    const fields = Object.fromEntries([['__proto__', { bool_value: true }]]);
    const json = create('google.protobuf.Struct', { fields });
    assert.deepEqual(Object.keys(json.fields), ['__proto__']);
    assert.equal('constructor' in json.fields, false);
  });

  test('create() makes messages of nested objects', () => {
    const cluster = create(CLUSTER, { connect_timeout: { seconds: 5n } });
    assert.equal(cluster.connect_timeout?.nanos, 0);
  });
});

describe('the wire format', () => {
  test('the last value wins, messages merge, a oneof holds its last member', () => {
    assert.equal(decode(CLUSTER, bytes('0a 01 61 0a 01 62')).name, 'b');
    const timeout = decode(CLUSTER, bytes('22 02 08 05 22 02 10 07')).connect_timeout;
    assert.deepEqual({ ...timeout }, { seconds: 5n, nanos: 7 });
    const cluster = decode(CLUSTER, bytes('10 03 b2 02 03 0a 01 61'));
    assert.equal(cluster.type, undefined);
    assert.equal(cluster.cluster_type?.name, 'a');
  });

  test('packed and unpacked lists are read alike', () => {
    const type = 'envoy.extensions.filters.network.http_connection_manager.v3.ForwardProtoConfig';
    assert.deepEqual(decode(type, bytes('0a 02 01 02')).https_destination_ports, [1, 2]);
    assert.deepEqual(decode(type, bytes('08 01 08 02')).https_destination_ports, [1, 2]);
  });

  test('what is malformed is refused', () => {
    const cases: [string, RegExp][] = [
      ['0a', /truncated/],
      ['0a 05 61', /truncated/],
      ['00', /invalid tag/],
      ['0f', /invalid wire type 7/],
      ['0c', /invalid wire type 4/],
      ['9b 06 08 01', /unterminated group/],
      ['10 ff ff ff ff ff ff ff ff ff ff 01', /longer than 10 bytes/],
      ['0a 02 c3 28', /invalid UTF-8/],
    ];
    for (const [hex, reason] of cases) {
      assert.throws(
        () => decode(CLUSTER, bytes(hex)),
        (error: unknown) => error instanceof DecodeError && reason.test(error.message),
        hex,
      );
    }
  });

  test('nesting is bounded', () => {
    let nested: Uint8Array = new Uint8Array(0);
    const value = 'google.protobuf.Value';
    for (let depth = 0; depth < 120; depth++) {
      const list = Buffer.concat([Buffer.from([0x0a]), varint(nested.length), nested]);
      nested = Buffer.concat([Buffer.from([0x32]), varint(list.length), list]);
    }
    assert.throws(() => decode(value, nested), /nested deeper than 100 levels/);
  });

  test('random bytes give a message or a DecodeError', () => {
    const types = [
      CLUSTER,
      'envoy.config.listener.v3.Listener',
      'google.protobuf.Struct',
      'envoy.service.discovery.v3.DeltaDiscoveryResponse',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 64 }), (type, bytes) => {
        try {
          const message = decode<Message>(type, bytes);
          assert.deepEqual(decode<Message>(type, encode(type, message)), message);
          unknownFields(type, bytes);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

function varint(value: number): Uint8Array {
  return value < 128 ? Uint8Array.of(value) : Uint8Array.of((value & 127) | 128, value >> 7);
}

describe('Any', () => {
  test('type names', () => {
    assert.equal(typeNameOf('type.googleapis.com/a.B'), 'a.B');
    assert.equal(typeNameOf('a.B'), 'a.B');
    assert.equal(hasType(CLUSTER), true);
    assert.equal(hasType('envoy.config.cluster.v3.Cluster.DiscoveryType'), false);
    assert.equal(hasType('envoy.api.v2.Cluster'), false);
  });

  test('opens to its message, or fails with the path', () => {
    assert.deepEqual(decodeAny(encodeAny(DURATION, { nanos: 3 })).typeName, DURATION);
    const unknown = { type_url: 'type.googleapis.com/no.Such', value: new Uint8Array(0) };
    assert.throws(
      () => decodeAny(unknown, 'a[0]'),
      (error: unknown) =>
        error instanceof UnknownTypeError && error.path === 'a[0]' && error.typeName === 'no.Such',
    );
    const broken = { type_url: `x/${CLUSTER}`, value: bytes('0a 05') };
    assert.throws(() => decodeAny(broken, 'a[0]'), {
      path: 'a[0]',
      reason: `Unable to unpack as ${CLUSTER}: truncated message`,
    });
  });
});

describe('unknownFields', () => {
  test('finds field numbers without a declaration, in nested messages and Anys', () => {
    assert.deepEqual(
      unknownFields(CLUSTER, encode(CLUSTER, { name: 'a', connect_timeout: { nanos: 1 } })),
      [],
    );
    assert.deepEqual(unknownFields(CLUSTER, bytes('22 02 18 05 f8 3f 01')), ['connect_timeout.#3', '#1023']);
    const any = { type_url: `x/${DURATION}`, value: bytes('18 05') };
    const response = encode('envoy.service.discovery.v3.DiscoveryResponse', { resources: [any, any] });
    assert.deepEqual(unknownFields('envoy.service.discovery.v3.DiscoveryResponse', response), [
      'resources[0].#3',
      'resources[1].#3',
    ]);
  });
});
