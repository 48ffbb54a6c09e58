import assert from 'node:assert/strict';
import net from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeStatStore, fakeFactoryContext, fakeRuntime } from '../../../tests/fakes/factory_context.ts';
import { HealthService } from '../../../tests/fakes/health_service.ts';
import type { ApiConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { create } from '../../../xds-protos/load.ts';
import { HealthDiscovery } from './health_discovery.ts';

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

function discovery(port: number, stats = new FakeStatStore(), source: object = {}): HealthDiscovery {
  const { server, registry } = fakeFactoryContext();
  const runtime = fakeRuntime();
  const one = new HealthDiscovery({
    source: fromJson<ApiConfigSource>('envoy.config.core.v3.ApiConfigSource', {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ google_grpc: { target_uri: `127.0.0.1:${port}`, stat_prefix: 'hds' } }],
      ...source,
    } as never),
    node: create('envoy.config.core.v3.Node', { id: 'n' }),
    clusters: () => undefined,
    services: { stats, runtime, logFiles: undefined },
    environment: {
      server,
      runtime,
      registry,
      useStaticSecret: () => undefined,
      servingSecret: () => undefined,
      hasCluster: () => false,
    },
  });
  ends.push(() => one.close());
  return one;
}

const cluster = (name: string, port: number, more: object = {}): object => ({
  cluster_name: name,
  health_checks: [
    {
      timeout: '1s',
      interval: '0.05s',
      no_traffic_interval: '0.05s',
      unhealthy_threshold: 1,
      healthy_threshold: 1,
      tcp_health_check: {},
    },
  ],
  locality_endpoints: [
    { endpoints: [{ address: { socket_address: { address: '127.0.0.1', port_value: port } } }] },
  ],
  ...more,
});

test('HDS: a control plane is told how the hosts do that it names; what cannot be done changes nothing', async () => {
  const service = new HealthService();
  await service.start();
  ends.push(() => service.stop());
  const host = net.createServer((socket) => socket.on('error', () => socket.destroy()));
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  ends.push(() => host.close());
  const { port } = host.address() as net.AddressInfo;
  const stats = new FakeStatStore();
  discovery(service.port, stats).start();

  const told = async (expected: string): Promise<void> => {
    let text = '';
    for (let i = 0; i < 200 && text !== expected; i++) {
      await sleep(20);
      const clusters = service.received.at(-1)?.endpoint_health_response?.cluster_endpoints_health ?? [];
      text = clusters
        .map(({ cluster_name, locality_endpoints_health: [first] }) =>
          [cluster_name, ...first!.endpoints_health.map((each) => each.health_status)].join(' '),
        )
        .join();
    }
    assert.equal(text, expected);
  };
  for (let i = 0; i < 200 && service.received.length === 0; i++) await sleep(20);
  assert.deepEqual(service.received[0]?.health_check_request?.capability?.health_check_protocols, [
    'HTTP',
    'TCP',
  ]);
  service.ask({ cluster_health_checks: [cluster('a', port), cluster('b', 1)] });
  await told('a HEALTHY,b UNHEALTHY');
  service.ask({ cluster_health_checks: [cluster('a', port), cluster('a', port)] });
  service.ask({ cluster_health_checks: [cluster('a', port, { upstream_bind_config: {} })] });
  for (let i = 0; i < 100 && stats.value('hds_delegate.errors') < 2; i++) await sleep(20);
  assert.deepEqual(
    ['requests', 'updates', 'errors'].map((name) => stats.value(`hds_delegate.${name}`)),
    [3, 1, 2],
  );
  await told('a HEALTHY,b UNHEALTHY');
  service.ask({ cluster_health_checks: [cluster('b', port)] });
  await told('b HEALTHY');
});

test('HDS: a source that it cannot come from is refused by its path', () => {
  for (const [source, path] of [
    [{ api_type: 'DELTA_GRPC' }, 'hds_config.api_type'],
    [{ grpc_services: [] }, 'hds_config'],
    [
      { grpc_services: [{ envoy_grpc: { cluster_name: 'x' } }] },
      'hds_config.grpc_services[0].envoy_grpc.cluster_name',
    ],
  ] as const)
    assert.throws(() => discovery(1, undefined, source), { path });
});
