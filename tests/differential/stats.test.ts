// All stats of Envoy and of Pilotfish after the same bootstrap and the same traffic: the same names, and the same values of
// counters and gauges, but for those listed here with the reason.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminBootstrap, adminUpstream, drive } from './admin_bootstrap.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import type { ScriptedUpstream } from './scripted_upstream.ts';
import { seriesOf, statsOf } from './stats_listing.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
/** For stats to be flushed, and for connections that Envoy closes late (delayed_close_timeout, 1 s). */
const SETTLE_MS = 1500;

/** Names of ours that Envoy does not have. */
const OURS: Readonly<Record<string, string>> = {
  'server.worker_crashes': 'a worker of Envoy takes the process with it',
};

/** Regular expressions of names whose values differ. */
const OTHER_VALUES: Readonly<Record<string, string>> = {
  '^(http|listener)\\.admin\\.': 'counts how often each was asked whether it is ready',
  '^server\\.(memory_\\w+|uptime|version|stats_recent_lookups)$': 'facts of each process',
  clusters_inflated: 'ours are inflated by the first request',
  watchdog_miss: 'a start on a busy machine takes its time',
  connections_accepted_per_socket_event: 'libuv accepts, and hands connections on one by one',
  upstream_cx_rx_bytes_buffered: 'there is no buffer between socket and codec',
  'downstream_cx_(delayed_close_timeout|destroy_local|destroy_remote)$':
    'Envoy waits for the client to close first',
  cx_tx_bytes_total: 'x-envoy-upstream-service-time has not always as many digits',
};

function differs(name: string): boolean {
  return Object.keys(OTHER_VALUES).some((pattern) => new RegExp(pattern).test(name));
}

describe('statistics are those of Envoy', { skip: SKIP }, () => {
  let upstream: ScriptedUpstream;
  const processes: EnvoyProcess[] = [];
  let envoy: Map<string, string>;
  let pilotfish: Map<string, string>;

  before(async () => {
    upstream = await adminUpstream();
    const bootstrap = adminBootstrap(upstream.port);
    for (const command of [[ENVOY_BIN!], PILOTFISH]) {
      const process = await EnvoyProcess.start(bootstrap, command);
      processes.push(process);
      await drive(process);
    }
    await sleep(SETTLE_MS);
    envoy = await statsOf(processes[0]!);
    pilotfish = await statsOf(processes[1]!);
  });
  after(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    upstream?.close();
  });

  test('the same names', () => {
    const names = [...pilotfish.keys()].filter((name) => OURS[name] === undefined);
    assert.ok(names.length > 700, `${names.length} names`);
    assert.deepEqual(names.sort(), [...envoy.keys()].sort());
  });

  test('the same values', () => {
    const compared = (stats: Map<string, string>): string[] =>
      [...stats]
        .filter(([name]) => OURS[name] === undefined && !differs(name))
        .map(([name, value]) => `${name}: ${value}`)
        .sort();
    assert.deepEqual(compared(pilotfish), compared(envoy));
  });

  test('what Envoy calls used is used', async () => {
    const [theirs, ours] = await Promise.all(
      processes.map((each) => statsOf(each, '?usedonly&type=Counters')),
    );
    const missing = [...theirs!.keys()].filter((name) => !ours!.has(name) && !differs(name));
    assert.deepEqual(missing, []);
  });

  test('the same metrics and labels for Prometheus', async () => {
    const [theirs, ours] = await Promise.all(processes.map((each) => seriesOf(each)));
    assert.deepEqual(
      ours!.filter((series) => !series.includes('envoy_server_worker_crashes')),
      theirs,
    );
  });
});
