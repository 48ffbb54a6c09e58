import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { EndpointSource, Endpoints } from './endpoint_source.ts';
import { StabilizedEndpoints } from './stabilized_endpoints.ts';
import { Observable } from './warming.ts';

class Source extends Observable implements EndpointSource {
  readonly name = 'hosts';
  readonly ready = true;
  private groups: object[] = [];
  give(...groups: object[]): void {
    this.groups = groups;
    this.changed();
  }
  endpoints(): Endpoints {
    const json = { cluster_name: 'c', endpoints: this.groups };
    const assignment = fromJson<ClusterLoadAssignment>(
      'envoy.config.endpoint.v3.ClusterLoadAssignment',
      json as never,
    );
    return { bytes: undefined, version: '', assignment };
  }
  close(): void {}
}

const group = (zone: string, ...hosts: readonly [port: number, health?: string][]): object => ({
  locality: { zone },
  priority: zone === 'b' ? 1 : 0,
  lb_endpoints: hosts.map(([port_value, health_status = 'UNKNOWN']) => ({
    health_status,
    endpoint: { address: { socket_address: { address: '10.0.0.1', port_value } } },
  })),
});

test('hosts that discovery takes away stay where they were, as long as they pass their checks', () => {
  const source = new Source();
  const failing = new Set<string>();
  const hosts = new StabilizedEndpoints(source);
  hosts.checkedBy((priority, address) => !failing.has(`${priority} ${address}`));
  let changes = 0;
  hosts.observe(() => changes++);
  const now = (): string =>
    hosts
      .endpoints()
      .assignment.endpoints.flatMap(({ locality, priority, lb_endpoints }) =>
        lb_endpoints.map(({ endpoint }) => {
          const port = endpoint?.address?.socket_address?.port_value;
          return `${locality?.zone}${priority} ${port}`;
        }),
      )
      .join();

  source.give(group('a', [1], [2]), group('b', [3], [4, 'UNHEALTHY']));
  source.give(group('a', [1]));
  // Of those that are gone, one failed by the word of discovery itself.
  assert.equal(now(), 'a0 1,a0 2,b1 3');
  assert.deepEqual(
    [0, 1, 2].map((i) => hosts.isKept(i)),
    [false, true, true],
  );
  assert.notEqual(hosts.endpoints().bytes, undefined);

  hosts.onHealthChange();
  assert.equal(changes, 2);
  failing.add('1 10.0.0.1:3');
  hosts.onHealthChange();
  assert.deepEqual([changes, now()], [3, 'a0 1,a0 2']);

  // In another place it is another host's successor, and nobody is kept.
  source.give(group('a', [1]), group('b', [2]));
  assert.deepEqual([now(), hosts.isKept(1), hosts.endpoints().bytes], ['a0 1,b1 2', false, undefined]);
});
