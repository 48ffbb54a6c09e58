// What becomes of connections to upstreams when EDS changes the hosts of a cluster: both proxies are asked.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ControlPlane, staticCluster } from '../integration/control_plane.ts';
import { ask, eventually } from '../integration/proxy_process.ts';
import {
  edsCluster,
  endpoints,
  httpFilter,
  listener,
  namedBackend,
  portOf,
  routes,
} from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const CLUSTERS = {
  /** Whatever changes, connections are made anew. */
  close: { close_connections_on_host_set_change: true },
  keep: {},
  /** Merges nothing of what EDS says. */
  merge: { update_merge_window: '60s' },
};
type Name = keyof typeof CLUSTERS;
const NAMES = Object.keys(CLUSTERS) as Name[];

async function counters(proxy: EnvoyProcess, name: string): Promise<Record<string, number>> {
  const filter = encodeURIComponent(`^${name.replaceAll('.', '\\.')}`);
  const text = await (await fetch(`${proxy.admin}/stats?filter=${filter}`)).text();
  const lines = text.trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => line.slice(name.length).split(': ')).map(([k, v]) => [k, Number(v)]),
  );
}

for (const [title, command] of [
  ['Pilotfish', PILOTFISH],
  ['Envoy', ENVOY_BIN === undefined ? undefined : [ENVOY_BIN]],
] as const) {
  suite(title, { skip: command === undefined && 'no Envoy: set ENVOY_BIN' }, () => {
    test('keeps or closes connections when hosts change', { timeout: 40_000 }, async (context) => {
      const backends = await Promise.all(['one', 'two'].map(namedBackend));
      const [one, two] = backends.map(portOf);
      const plane = await ControlPlane.start();
      for (const name of NAMES) {
        plane.hold('cluster', name, edsCluster(name, { common_lb_config: CLUSTERS[name] }));
        plane.hold('endpoints', name, endpoints(name, [one]));
        plane.hold('route', name, routes(name, { [name]: 1 }));
        plane.hold('listener', name, listener(name, 0, [{ filters: [httpFilter(name)] }]));
      }
      const xds = {
        ...staticCluster('xds', plane.server.port),
        typed_extension_protocol_options: {
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
            '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
            explicit_http_config: { http2_protocol_options: {} },
          },
        },
      };
      const proxy = await EnvoyProcess.start(
        plane.bootstrap({ static_resources: { clusters: [xds] } }),
        command!,
      );
      context.after(async () => {
        await proxy.stop();
        plane.close();
        for (const server of backends) server.close().closeAllConnections();
      });
      const request = async (name: Name): Promise<void> => {
        const { status } = await ask(`http://127.0.0.1:${proxy.ports.get(name)}/`);
        assert.equal(status, 200);
      };
      const changes: readonly object[] = [
        { ports: [one], more: { load_balancing_weight: 5 } },
        { ports: [one], more: { metadata: { filter_metadata: { x: { a: 1 } } } } },
        { ports: [one, two], more: {} },
      ];
      const updatedBefore = (await counters(proxy, 'cluster_manager.'))['cluster_updated']!;
      for (const [index, change] of changes.entries()) {
        const { ports, more } = change as { ports: number[]; more: object };
        for (const name of NAMES) await request(name);
        for (const name of NAMES) {
          assert.equal(await plane.set('endpoints', { [name]: endpoints(name, ports, more) }), undefined);
        }
        // Each update of each cluster is in force at once, whatever the window.
        await eventually(async () => {
          const { cluster_updated: updated, cluster_updated_via_merge: merged } = await counters(
            proxy,
            'cluster_manager.',
          );
          return updated === updatedBefore + (index + 1) * NAMES.length && merged === 0;
        }, 'the update is applied');
        await eventually(async () => {
          const closed = await counters(proxy, 'cluster.close.upstream_cx_');
          return closed['destroy_local'] === index + 1 && closed['active'] === 0;
        }, 'connections are closed where they are to be');
        for (const name of ['keep', 'merge']) {
          const { total, active } = await counters(proxy, `cluster.${name}.upstream_cx_`);
          assert.deepEqual({ total, active }, { total: 1, active: 1 }, name);
        }
      }
    });
  });
}
