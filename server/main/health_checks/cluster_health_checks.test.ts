import assert from 'node:assert/strict';
import net from 'node:net';
import { afterEach, test } from 'node:test';
import { FakeStatStore, fakeRuntime } from '../../../tests/fakes/factory_context.ts';
import { until } from '../../../tests/fakes/until.ts';
import type { Cluster } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type { ClusterLoadAssignment } from '../../../xds-protos/generated/envoy/config/endpoint/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { HOST_SLOTS, HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';
import { compileHealthCheck } from '../../common/upstream/health_check_config.ts';
import { PIECE_SLOTS, SharedTable } from '../../common/upstream/shared_table.ts';
import type { EndpointSource, Endpoints } from '../config_store/endpoint_source.ts';
import { Observable } from '../config_store/warming.ts';
import { ClusterHealthChecks } from './cluster_health_checks.ts';

/** Hosts as the test says. */
class Source extends Observable implements EndpointSource {
  readonly name = 'hosts';
  ready = false;
  private ports: readonly number[] = [];

  give(...ports: number[]): void {
    this.ports = ports;
    this.ready = true;
    this.changed();
  }
  endpoints(): Endpoints {
    const lb_endpoints = this.ports.map((port_value) => ({
      endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
    }));
    const json = { cluster_name: 'c', endpoints: [{ lb_endpoints }] };
    const assignment = fromJson<ClusterLoadAssignment>(
      'envoy.config.endpoint.v3.ClusterLoadAssignment',
      json,
    );
    return { bytes: undefined, version: '', assignment };
  }
  close(): void {}
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function server(): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const one = net.createServer((socket) => {
    connections++;
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
  ends.push(() => one.close());
  return { port: (one.address() as net.AddressInfo).port, connections: () => connections };
}

function checks(source: Source, stats = new FakeStatStore()): ClusterHealthChecks {
  const tcp = {
    timeout: '1s',
    interval: '0.02s',
    no_traffic_interval: '0.02s',
    unhealthy_threshold: 1,
    healthy_threshold: 1,
    tcp_health_check: {},
  };
  const message = fromJson<Cluster>('envoy.config.cluster.v3.Cluster', { name: 'c', health_checks: [tcp] });
  const config = compileHealthCheck(message, false, '')!;
  const services = { stats, runtime: fakeRuntime(), logFiles: undefined, transport: undefined, secrets: [] };
  const all = new ClusterHealthChecks('c', 'cluster.c.', config, source, services);
  ends.push(() => all.close());
  return all;
}

test('ready once every host was asked, whatever it answered', async () => {
  const { port } = await server();
  const source = new Source();
  const all = checks(source);
  assert.equal(all.ready, false);
  source.give(port, 1);
  assert.equal(all.ready, false);
  await until(() => all.ready);
  assert.deepEqual([all.flagsOf(0), all.flagsOf(1)], [0, HostHealthFlag.FailedActiveHc]);
});

test('results are written where the workers read them, and hosts that go are asked no more', async () => {
  const first = await server();
  const source = new Source();
  const stats = new FakeStatStore();
  const all = checks(source, stats);
  source.give(first.port);
  await until(() => all.ready);
  const memory = new SharedArrayBuffer(PIECE_SLOTS * Int32Array.BYTES_PER_ELEMENT);
  const table = new SharedTable();
  table.add(0, memory);
  const flags = (slot: number): number => new Int32Array(memory)[slot + HostSlot.HealthFlags];
  let changes = 0;
  const observer = { onHealthChange: () => changes++, onHealthy: () => undefined };
  all.attach(table, Int32Array.of(0), observer);
  // A new host is not used before its first check.
  const second = await server();
  source.give(second.port);
  new Int32Array(memory)[HOST_SLOTS + HostSlot.HealthFlags] = all.flagsOf(0);
  all.attach(table, Int32Array.of(HOST_SLOTS), observer);
  assert.equal(flags(HOST_SLOTS), HostHealthFlag.FailedActiveHc);
  await until(() => flags(HOST_SLOTS) === 0);
  assert.equal(changes, 1);
  assert.equal(stats.value('cluster.c.health_check.healthy'), 1);
  const before = first.connections();
  await until(() => second.connections() > 3);
  assert.equal(first.connections(), before);
});
