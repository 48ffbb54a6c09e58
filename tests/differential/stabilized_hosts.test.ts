// Hosts that discovery takes away while their health checks pass, beside Envoy.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlane, staticCluster } from '../integration/control_plane.ts';
import { eventually } from '../integration/proxy_process.ts';
import { edsCluster, endpoints } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { Patient } from './patient.ts';

const CHECK = {
  timeout: '1s',
  interval: '0.1s',
  no_traffic_interval: '0.1s',
  unhealthy_threshold: 1,
  healthy_threshold: 1,
  http_health_check: { path: '/' },
};
const CLUSTERS = {
  kept: { health_checks: [CHECK] },
  ignored: { health_checks: [CHECK], ignore_health_on_host_removal: true },
};
const NAMES = Object.keys(CLUSTERS) as (keyof typeof CLUSTERS)[];
const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

for (const [title, command] of [
  ['Pilotfish', PILOTFISH],
  ['Envoy', ENVOY_BIN === undefined ? undefined : [ENVOY_BIN]],
] as const) {
  suite(title, { skip: command === undefined && 'no Envoy: set ENVOY_BIN' }, () => {
    test('ignore_health_on_host_removal', { timeout: 40_000 }, async (context) => {
      const patients = [new Patient('http'), new Patient('http')];
      for (const patient of patients) await patient.listen();
      const [one, two] = patients.map(({ port }) => port);
      const plane = await ControlPlane.start();
      for (const name of NAMES) {
        plane.hold('cluster', name, edsCluster(name, CLUSTERS[name]));
        plane.hold('endpoints', name, endpoints(name, [one, two]));
      }
      const xds = {
        ...staticCluster('xds', plane.server.port),
        typed_extension_protocol_options: {
          [OPTIONS]: {
            '@type': `type.googleapis.com/${OPTIONS}`,
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
        for (const patient of patients) await patient.close();
      });
      /** Hosts of a cluster with their flags. */
      const hosts = async (name: string): Promise<string> => {
        const text = await (await fetch(`${proxy.admin}/clusters`)).text();
        const lines = text
          .split('\n')
          .filter((line) => line.startsWith(`${name}::`) && line.includes('health_flags'));
        return lines
          .map((line) => line.split('::'))
          .map(([, address, , flags]) => `${address === `127.0.0.1:${one}` ? 'one' : 'two'} ${flags}`)
          .sort()
          .join();
      };
      const become = async (name: string, expected: string): Promise<void> => {
        let last = '';
        await eventually(
          async () => (last = await hosts(name)) === expected,
          `${name} is '${expected}'`,
        ).catch((error: Error) => assert.fail(`${error.message}, not '${last}'`));
      };
      const set = (ports: readonly number[]): Promise<unknown> =>
        Promise.all(NAMES.map((name) => plane.set('endpoints', { [name]: endpoints(name, [...ports]) })));

      for (const name of NAMES) await become(name, 'one healthy,two healthy');
      await set([one]);
      await become('ignored', 'one healthy');
      await become('kept', 'one healthy,two /pending_dynamic_removal');
      // For as long as it passes.
      await sleep(500);
      await become('kept', 'one healthy,two /pending_dynamic_removal');
      // Named again, it is a host as any other.
      await set([one, two]);
      for (const name of NAMES) await become(name, 'one healthy,two healthy');
      await set([one]);
      await become('kept', 'one healthy,two /pending_dynamic_removal');
      patients[1].manners = { status: 500 };
      await become('kept', 'one healthy');
      // A host that fails goes at once.
      await set([one, two]);
      for (const name of NAMES) await become(name, 'one healthy,two /failed_active_hc');
      await set([one]);
      for (const name of NAMES) await become(name, 'one healthy');
    });
  });
}
