import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { compileLoadAssignment } from './load_assignment.ts';

function compile(json: object): ReturnType<typeof compileLoadAssignment> {
  const name = 'envoy.config.endpoint.v3.ClusterLoadAssignment';
  return compileLoadAssignment(fromJson<ClusterLoadAssignment>(name, json as never), 'load_assignment');
}
const endpoint = (port: number, more: object = {}): object => ({
  endpoint: { address: { socket_address: { address: '10.0.0.1', port_value: port } } },
  ...more,
});

describe('compileLoadAssignment', () => {
  test('no assignment: no hosts', () => {
    assert.deepEqual(compileLoadAssignment(undefined, '').endpoints, []);
  });

  test('endpoints in the order of the message, with what their locality says', () => {
    const { endpoints, policy } = compile({
      cluster_name: 'c',
      policy: { overprovisioning_factor: 100 },
      endpoints: [
        {
          locality: { region: 'r', zone: 'z', sub_zone: 's' },
          priority: 1,
          lb_endpoints: [endpoint(1), endpoint(2, { load_balancing_weight: 7, health_status: 'DRAINING' })],
        },
        { lb_endpoints: [endpoint(3, { metadata: { filter_metadata: { 'envoy.lb': { canary: true } } } })] },
      ],
    });
    assert.deepEqual(policy, { overprovisioningFactor: 100, weightedPriorityHealth: false });
    assert.deepEqual(
      endpoints.map(({ address, locality, weight }) => [
        address.port,
        locality.priority,
        weight,
        locality.zone,
      ]),
      [
        [1, 1, 1, 'z'],
        [2, 1, 7, 'z'],
        [3, 0, 1, ''],
      ],
    );
    assert.deepEqual(endpoints[2].metadata, { 'envoy.lb': { canary: true } });
  });

  test('what cannot be honoured is refused by its path', () => {
    const cases: [object, string][] = [
      [{ endpoints: [{ priority: 129 }] }, 'load_assignment.endpoints[0].priority'],
      [
        { endpoints: [{ lb_endpoints: [{ endpoint_name: 'a' }] }] },
        'load_assignment.endpoints[0].lb_endpoints[0].endpoint_name',
      ],
    ];
    for (const [json, path] of cases) assert.throws(() => compile(json), { name: 'ConfigError', path });
  });
});
