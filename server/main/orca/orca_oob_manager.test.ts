import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { FakeStatStore } from '../../../tests/fakes/factory_context.ts';
import { ending, type OrcaBehaviour, OrcaService, reporting } from '../../../tests/fakes/orca_service.ts';
import { until } from '../../../tests/fakes/until.ts';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type {
  ClientSideWeightedConfig,
  OrcaOobReportingConfig,
} from '../../common/load_balancing/load_balancer_config.ts';
import { compileRoundRobin } from '../../common/load_balancing/policy_settings.ts';
import type { Endpoints } from '../config_store/endpoint_source.ts';
import { OrcaOobManager } from './orca_oob_manager.ts';

const PREFIX = 'cluster.c.lb_orca_oob.';
const LOAD = { rps_fractional: 100, cpu_utilization: 0.5 };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function service(behaviour: OrcaBehaviour): Promise<OrcaService> {
  const one = await OrcaService.start('s', behaviour);
  ends.push(() => one.close());
  return one;
}

function endpoints(...hosts: readonly { readonly port: number; readonly hostname?: string }[]): Endpoints {
  const lb_endpoints = hosts.map(({ port, hostname = '' }) => ({
    endpoint: { hostname, address: { socket_address: { address: '127.0.0.1', port_value: port } } },
  }));
  const assignment = fromJson<ClusterLoadAssignment>('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    cluster_name: 'c',
    endpoints: [{ lb_endpoints }],
  });
  return { bytes: undefined, version: '', assignment };
}

function start(more: Partial<OrcaOobReportingConfig> = {}) {
  const stats = new FakeStatStore();
  const weights = new Map<number, number>();
  const outOfBand: OrcaOobReportingConfig = {
    periodMs: 100,
    port: 0,
    authority: '',
    transportSocketMatch: undefined,
    ...more,
  };
  const config: ClientSideWeightedConfig = {
    ...compileRoundRobin(undefined, undefined, ''),
    policy: 'CLIENT_SIDE_WEIGHTED_ROUND_ROBIN',
    blackoutMs: 0,
    expirationMs: 0,
    updateMs: 100,
    errorPenalty: 0,
    metricNames: [],
    outOfBand,
  };
  const manager = new OrcaOobManager({
    clusterName: 'c',
    prefix: 'cluster.c.',
    config,
    outOfBand,
    stats,
    transport: undefined,
    onWeights: (some) => {
      for (const [slot, weight] of some) weights.set(slot, weight);
    },
  });
  ends.push(() => manager.close());
  return { manager, weights, value: (name: string) => stats.value(PREFIX + name) };
}

describe('load reports out of band', () => {
  test('weights are told by the slots of the hosts', async () => {
    const slow = await service(reporting({ ...LOAD, cpu_utilization: 1 }));
    const fast = await service(reporting(LOAD));
    const { manager, weights, value } = start();
    manager.setHosts(endpoints(slow, fast), Int32Array.of(16, 64));
    await until(() => weights.size === 2);
    assert.deepEqual([weights.get(16), weights.get(64)], [100, 200]);
    assert.equal(value('active_sessions'), 2);
    assert.equal(value('report_errors'), 0);
  });

  test('an endpoint that comes twice is one host', async () => {
    const one = await service(reporting(LOAD));
    const { manager, value } = start();
    manager.setHosts(endpoints(one, one), Int32Array.of(16, 16));
    assert.equal(value('active_sessions'), 1);
  });

  test('a host keeps its stream while it stays, and gets a new one when its name changes', async (t) => {
    // Asked at once, and given so long that no report is missed.
    t.mock.method(Math, 'random', () => 0);
    const one = await service(reporting(LOAD));
    const two = await service(reporting(LOAD));
    const { manager, value } = start({ periodMs: 60_000 });
    manager.setHosts(endpoints(one), Int32Array.of(16));
    await until(() => one.open === 1);
    manager.setHosts(endpoints(one, two), Int32Array.of(16, 32));
    await until(() => two.open === 1);
    assert.equal(one.calls.length, 1);
    manager.setHosts(endpoints({ port: one.port, hostname: 'name' }), Int32Array.of(16));
    await until(() => one.calls.length === 2 && one.open === 1 && two.open === 0);
    assert.equal(one.calls[1].headers[':authority'], 'name');
    assert.equal(value('active_sessions'), 1);
    manager.close();
    await until(() => one.sessions.size === 0 && two.sessions.size === 0);
    assert.equal(value('active_sessions'), 0);
    assert.equal(value('stream_failures'), 0);
  });

  test('a host without the service is not asked again, also when others come', async () => {
    const without = await service(ending(12));
    const other = await service(reporting(LOAD));
    const { manager, value } = start();
    manager.setHosts(endpoints(without), Int32Array.of(16));
    await until(() => value('stream_terminated') === 1);
    manager.setHosts(endpoints(without, other), Int32Array.of(16, 32));
    await until(() => value('reports_received') > 5);
    assert.equal(without.calls.length, 1);
    assert.equal(value('active_sessions'), 1);
  });

  test('a name that no header can hold is a failure, as is a host that is not there', async () => {
    const one = await service(reporting(LOAD));
    const { manager, value } = start({ authority: 'a\nb' });
    manager.setHosts(endpoints(one, { port: 1 }), Int32Array.of(16, 32));
    await until(() => value('stream_failures') > 3);
    assert.equal(one.calls.length, 0);
    assert.equal(value('active_sessions'), 2);
  });
});
