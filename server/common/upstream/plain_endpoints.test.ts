import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { type CompiledEndpoint, compileLoadAssignment } from './load_assignment.ts';
import { PlainEndpoints } from './plain_endpoints.ts';

const TYPE = 'envoy.config.endpoint.v3.ClusterLoadAssignment';

function wire(json: object): Uint8Array {
  return encode(TYPE, fromJson<ClusterLoadAssignment>(TYPE, { cluster_name: 'c', ...json } as never));
}

function compiled(bytes: Uint8Array): { policy: object; endpoints: object[] } | undefined {
  const plain = PlainEndpoints.read(bytes);
  if (plain === undefined) return undefined;
  const { policy, endpoints } = plain.compile(undefined);
  return {
    policy,
    endpoints: Array.from({ length: endpoints.length }, (_, i) => withText(endpoints.at(i)!)),
  };
}

function withText({ address, ...rest }: CompiledEndpoint): object {
  return { ...rest, address: [address.ip, address.port, address.text] };
}

function asAlways(bytes: Uint8Array): { policy: object; endpoints: object[] } {
  const { policy, endpoints } = compileLoadAssignment(decode(TYPE, bytes), '');
  return { policy, endpoints: endpoints.map(withText) };
}

const at = (address: string, port_value = 80): object => ({
  address: { socket_address: { address, port_value } },
});

const optional = <T>(key: string, value: fc.Arbitrary<T>): fc.Arbitrary<object> =>
  fc.option(value, { nil: undefined }).map((given) => (given === undefined ? {} : { [key]: given }));
const all = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> =>
  fc.tuple(...parts).map((each) => Object.assign({}, ...each) as object);

const metadata = fc
  .constantFrom('envoy.lb', 'istio')
  .chain((name) => fc.string().map((value) => ({ filter_metadata: { [name]: { value } } })));
const endpoint = all(
  fc
    .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65535 }))
    .map(([ip, port]) => at(ip, port)),
  optional('hostname', fc.constantFrom('', 'a.example', 'b.example')),
);
const lbEndpoint = all(
  endpoint.map((one) => ({ endpoint: one })),
  optional(
    'health_status',
    fc.constantFrom('UNKNOWN', 'HEALTHY', 'UNHEALTHY', 'DRAINING', 'TIMEOUT', 'DEGRADED'),
  ),
  optional('metadata', metadata),
  optional('load_balancing_weight', fc.integer({ min: 1, max: 4_000_000_000 })),
);
const locality = all(
  optional(
    'locality',
    all(optional('region', fc.constantFrom('r', 's')), optional('zone', fc.constantFrom('y', 'z'))),
  ),
  optional('priority', fc.integer({ min: 0, max: 3 })),
  optional('load_balancing_weight', fc.integer({ min: 1, max: 9 })),
  optional('metadata', metadata),
  fc.array(lbEndpoint, { maxLength: 5 }).map((lb_endpoints) => ({ lb_endpoints })),
);
const assignment = all(
  optional('policy', all(optional('overprovisioning_factor', fc.integer({ min: 1, max: 500 })))),
  fc.array(locality, { maxLength: 4 }).map((endpoints) => ({ endpoints })),
);

describe('PlainEndpoints', () => {
  test('says what compileLoadAssignment says of the decoded message', () => {
    fc.assert(
      fc.property(assignment, (json) => {
        const bytes = wire(json);
        assert.deepEqual(compiled(bytes), asAlways(bytes));
      }),
    );
  });

  test('gives up on what it does not know', () => {
    const others: object[] = [
      { named_endpoints: { a: at('10.0.0.1') } },
      ...[
        { endpoint: { address: { pipe: { path: '/x' } } } },
        { endpoint: at('host.example') },
        { endpoint: at('1.2.3') },
        { endpoint: at('01.2.3.4') },
        { endpoint: at('1.2.3.256') },
        { endpoint: at('1.2.3.4.5') },
        { endpoint: at('fe80::1%eth0') },
        { endpoint: at('10.0.0.1', 65536) },
        { endpoint: {} },
        {},
        { endpoint: { ...at('10.0.0.1'), health_check_config: { port_value: 1 } } },
        { endpoint: { ...at('10.0.0.1'), hostname: '\u00e4' } },
        { endpoint: { ...at('10.0.0.1'), additional_addresses: [at('10.0.0.2')] } },
        { endpoint: at('10.0.0.1'), load_balancing_weight: 0 },
        { endpoint: at('10.0.0.1'), health_status: 9 },
        {
          endpoint: { address: { socket_address: { address: '10.0.0.1', protocol: 'UDP', port_value: 1 } } },
        },
        { endpoint: { address: { socket_address: { address: '10.0.0.1', named_port: 'http' } } } },
      ].map((odd) => ({ endpoints: [{ lb_endpoints: [{ endpoint: at('10.0.0.9') }, odd] }] })),
    ];
    for (const json of others) assert.equal(compiled(wire(json)), undefined, JSON.stringify(json));
  });

  test('refuses bytes that are cut off, or gives up on them', () => {
    const bytes = wire({
      endpoints: [{ priority: 1, lb_endpoints: [{ endpoint: at('10.0.0.1'), metadata: {} }] }],
    });
    for (let size = 1; size < bytes.length; size++) {
      let general: unknown;
      try {
        general = decode(TYPE, bytes.subarray(0, size));
      } catch {
        assert.throws(() => {
          if (PlainEndpoints.read(bytes.subarray(0, size)) === undefined) throw new Error('gives up');
        });
        continue;
      }
      assert.ok(general);
    }
  });

  test('equal metadata is the same object', () => {
    const metadata = { filter_metadata: { 'envoy.lb': { a: 1 } } };
    const bytes = wire({
      endpoints: [{ lb_endpoints: ['10.0.0.1', '10.0.0.2'].map((ip) => ({ endpoint: at(ip), metadata })) }],
    });
    const { endpoints } = PlainEndpoints.read(bytes)!.compile(undefined);
    assert.equal(endpoints.at(0)!.metadata, endpoints.at(1)!.metadata);
  });

  test('an endpoint is unchanged when it and its locality are, at the same place', () => {
    const locality = (zone: string, ...ips: string[]): object => ({
      locality: { zone },
      lb_endpoints: ips.map((ip) => ({ endpoint: at(ip) })),
    });
    const before = PlainEndpoints.read(
      wire({ endpoints: [locality('a', '10.0.0.1', '10.0.0.2'), locality('b', '10.0.0.3')] }),
    )!;
    const unchanged = (...endpoints: object[]): boolean[] => {
      const now = PlainEndpoints.read(wire({ endpoints }))!.compile(before).endpoints;
      return Array.from({ length: now.length }, (_, i) => now.isUnchanged!(i));
    };
    assert.deepEqual(
      unchanged(locality('a', '10.0.0.1', '10.0.0.9'), locality('b', '10.0.0.3', '10.0.0.4')),
      [true, false, true, false],
    );
    assert.deepEqual(unchanged(locality('c', '10.0.0.1', '10.0.0.2'), locality('b', '10.0.0.3')), [
      false,
      false,
      true,
    ]);
    assert.deepEqual(unchanged(locality('a', '10.0.0.1'), locality('b', '10.0.0.2', '10.0.0.3')), [
      true,
      false,
      true,
    ]);
  });
});
