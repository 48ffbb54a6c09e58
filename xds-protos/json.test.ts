// The wording is Envoy 1.40's, asked with --mode validate; paths are ours.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '../server/api/config_error.ts';
import { fromJson, toJson } from './json.ts';
import { create, decodeAny, encodeAny, type TypeMap } from './load.ts';
import { durationMs, timestampMs, timestampOf } from './well_known.ts';

const CLUSTER = 'envoy.config.cluster.v3.Cluster';
const BOOTSTRAP = 'envoy.config.bootstrap.v3.Bootstrap';
const names = { preserveProtoFieldNames: true };

function reasonOf(type: keyof TypeMap, json: unknown): string {
  try {
    fromJson(type, json);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'OK';
}

describe('fromJson', () => {
  test('takes both spellings of a field, and null for absent', () => {
    assert.deepEqual(
      { ...fromJson(CLUSTER, { lbPolicy: 'RANDOM', alt_stat_name: 'x', name: null }) },
      { lb_policy: 'RANDOM', alt_stat_name: 'x' },
    );
  });

  test('takes what the C++ parser takes beyond the specification', () => {
    const cluster = fromJson(CLUSTER, {
      type: 'static',
      lb_policy: '1',
      ignore_health_on_host_removal: 'yes',
      per_connection_buffer_limit_bytes: { value: 5 },
      connect_timeout: { seconds: 2 },
      load_assignment: { endpoints: { priority: 1 } },
      transport_socket: { typed_config: {} },
      health_checks: [null],
    });
    assert.equal(cluster.type, 'STATIC');
    assert.equal(cluster.lb_policy, 'LEAST_REQUEST');
    assert.equal(cluster.ignore_health_on_host_removal, true);
    assert.equal(cluster.per_connection_buffer_limit_bytes?.value, 5);
    assert.equal(durationMs(cluster.connect_timeout), 2000);
    assert.equal(cluster.load_assignment?.endpoints[0]?.priority, 1);
    assert.equal(cluster.transport_socket?.typed_config?.type_url, '');
    assert.equal(cluster.health_checks.length, 1);
  });

  test('says where and why', () => {
    const bootstrap = (cluster: object) => ({ static_resources: { clusters: [{ name: 'a' }, cluster] } });
    const cases: [object, string][] = [
      [{ foo: 1 }, `static_resources.clusters[1]: message ${CLUSTER}: no such field: 'foo'`],
      [{ type: 'NOPE' }, "static_resources.clusters[1].type: unknown enum value: 'NOPE'"],
      [{ lb_policy: true }, 'static_resources.clusters[1].lb_policy: expected number or string'],
      [{ name: 5 }, 'static_resources.clusters[1].name: expected string, got number'],
      [
        { connect_timeout: '1' },
        "static_resources.clusters[1].connect_timeout: duration must end with a single 's'",
      ],
      [
        { connect_timeout: '315576000001s' },
        'static_resources.clusters[1].connect_timeout: duration out of range',
      ],
      [
        { ignore_health_on_host_removal: 1 },
        "static_resources.clusters[1].ignore_health_on_host_removal: expected 'true' or 'false'",
      ],
      [
        { per_connection_buffer_limit_bytes: -1 },
        'static_resources.clusters[1].per_connection_buffer_limit_bytes: integer out of range',
      ],
      [
        { per_connection_buffer_limit_bytes: 'x' },
        "static_resources.clusters[1].per_connection_buffer_limit_bytes: invalid number: 'x'",
      ],
      [
        { per_connection_buffer_limit_bytes: 1.5 },
        'static_resources.clusters[1].per_connection_buffer_limit_bytes: expected integer, but JSON number had fractional part',
      ],
      [
        { type: 'STATIC', cluster_type: {} },
        "static_resources.clusters[1].cluster_type: 'cluster_type' cannot be set beside 'type': both belong to oneof 'cluster_discovery_type'",
      ],
      [
        { transport_socket: { typed_config: { '@type': 'type.googleapis.com/no.Such' } } },
        "static_resources.clusters[1].transport_socket.typed_config: could not find @type 'type.googleapis.com/no.Such'",
      ],
      [
        { transport_socket: { typed_config: { a: 1 } } },
        "static_resources.clusters[1].transport_socket.typed_config: missing '@type' in google.protobuf.Any",
      ],
    ];
    for (const [cluster, message] of cases) assert.equal(reasonOf(BOOTSTRAP, bootstrap(cluster)), message);
  });

  test('collects unknown fields and enum values where asked to', () => {
    const unknownFields: string[] = [];
    const cluster = fromJson(
      CLUSTER,
      { name: 'a', foo: 1, type: 'NEW', load_assignment: { endpoints: [{ bar: {} }] } },
      { unknownFields, path: 'c' },
    );
    assert.deepEqual(unknownFields, ['c.foo', 'c.type', 'c.load_assignment.endpoints[0].bar']);
    assert.deepEqual([cluster.name, cluster.type], ['a', undefined]);
  });

  test('64-bit integers as strings and as numbers, floats at their limits', () => {
    assert.equal(fromJson('google.protobuf.UInt64Value', '18446744073709551615').value, 2n ** 64n - 1n);
    assert.equal(fromJson('google.protobuf.Int64Value', 1e3).value, 1000n);
    assert.equal(fromJson('google.protobuf.DoubleValue', '-Infinity').value, Number.NEGATIVE_INFINITY);
    assert.match(reasonOf('google.protobuf.FloatValue', 1e39), /float out of range/);
    assert.match(reasonOf('google.protobuf.DoubleValue', '1e999'), /number out of range/);
  });

  test('bytes in either base64 alphabet, with or without padding', () => {
    for (const text of ['+/8=', '-_8', '+/8', '-_8=']) {
      assert.deepEqual([...fromJson('google.protobuf.BytesValue', text).value], [0xfb, 0xff]);
    }
    assert.match(reasonOf('google.protobuf.BytesValue', '*'), /corrupt base64/);
  });

  test('any JSON gives a message or a ConfigError', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(BOOTSTRAP, CLUSTER, 'google.protobuf.Any', 'google.protobuf.Value'),
        fc.jsonValue(),
        (type, json) => {
          try {
            fromJson<object>(type, json);
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error;
          }
        },
      ),
    );
    let deep: unknown = [];
    for (let depth = 0; depth < 50_000; depth++) deep = [deep];
    assert.match(reasonOf('google.protobuf.Value', deep), /nested too deeply/);
  });
});

describe('toJson', () => {
  test('Any expands; well-known types inside stand under value; an unknown type is shown as bytes', () => {
    const any = 'google.protobuf.Any';
    assert.deepEqual(toJson(any, encodeAny(CLUSTER, { alt_stat_name: 'x' }), names), {
      '@type': `type.googleapis.com/${CLUSTER}`,
      alt_stat_name: 'x',
    });
    const url = 'type.googleapis.com/google.protobuf.Duration';
    assert.deepEqual(toJson(any, encodeAny('google.protobuf.Duration', { seconds: 1n })), {
      '@type': url,
      value: '1s',
    });
    assert.equal(decodeAny(fromJson(any, { '@type': url, value: '1s' })).message['seconds'], 1n);
    assert.deepEqual(toJson(any, { type_url: 'x/no.Such', value: Uint8Array.of(1) }), {
      '@type': 'x/no.Such',
      value: 'AQ==',
    });
  });

  test('omits defaults, or prints those of fields without presence', () => {
    const drop = create('envoy.config.core.v3.RuntimeUInt32', {});
    assert.deepEqual(toJson('envoy.config.core.v3.RuntimeUInt32', drop), {});
    assert.deepEqual(
      toJson('envoy.config.core.v3.RuntimeUInt32', drop, { alwaysPrintPrimitiveFields: true }),
      { defaultValue: 0, runtimeKey: '' },
    );
  });

  test('durations, timestamps, floats and field masks', () => {
    const duration = (seconds: bigint, nanos: number) =>
      toJson('google.protobuf.Duration', { seconds, nanos });
    assert.deepEqual(
      [duration(1n, 0), duration(0n, 100_000_000), duration(-1n, -5_000), duration(0n, -1)],
      ['1s', '0.100s', '-1.000005s', '-0.000000001s'],
    );
    assert.equal(
      toJson('google.protobuf.Timestamp', timestampOf(1_700_000_000_123)),
      '2023-11-14T22:13:20.123Z',
    );
    assert.equal(timestampMs(fromJson('google.protobuf.Timestamp', '1970-01-01T01:00:00.5+01:00')), 500);
    assert.equal(toJson('google.protobuf.FloatValue', { value: Math.fround(0.1) }), 0.1);
    assert.equal(toJson('google.protobuf.FieldMask', { paths: ['a_b.c_d', 'e'] }), 'aB.cD,e');
    assert.deepEqual([...fromJson('google.protobuf.FieldMask', 'aB.cD,e').paths], ['a_b.c_d', 'e']);
  });

  test('a Struct keeps its JSON, odd keys too', () => {
    const json = JSON.parse('{"__proto__": null, "a": [1, "x", {"b": true}], "constructor": {}}');
    assert.equal(
      JSON.stringify(toJson('google.protobuf.Struct', fromJson('google.protobuf.Struct', json))),
      JSON.stringify(json),
    );
  });
});
