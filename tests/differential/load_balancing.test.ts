// Localities, zones, priorities, panic, slow start and subsets beside Envoy: of many requests each host must get as many,
// as far as chance allows, and the balancer must have counted the same.

import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BalancedProxy, BalancedUpstreams, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const HOSTS = 12;
const REQUESTS = 600;

type Json = Readonly<Record<string, unknown>>;
type Counts = Map<string, number>;

interface Group {
  readonly zone?: string;
  readonly weight?: number;
  readonly priority?: number;
  /** Numbers of hosts: healthy, unhealthy and degraded ones. */
  readonly up?: readonly number[];
  readonly down?: readonly number[];
  readonly degraded?: readonly number[];
}

function assignment(upstreams: BalancedUpstreams, groups: readonly Group[], more: Json = {}): Json {
  const endpoints = groups.map(({ zone, weight, priority = 0, up = [], down = [], degraded = [] }) => ({
    ...(zone !== undefined && { locality: { region: 'r', zone } }),
    ...(weight !== undefined && { load_balancing_weight: weight }),
    priority,
    lb_endpoints: [
      ...up.map((i) => upstreams.endpoint(i)),
      ...down.map((i) => upstreams.endpoint(i, { health_status: 'UNHEALTHY' })),
      ...degraded.map((i) => upstreams.endpoint(i, { health_status: 'DEGRADED' })),
    ],
  }));
  return { load_assignment: { cluster_name: 'c', endpoints, ...more } };
}

const WEIGHTED = { common_lb_config: { locality_weighted_lb_config: {} } };
const three = (more: readonly Partial<Group>[]): Group[] => [
  { zone: 'z1', up: [0, 1, 2, 3], ...more[0] },
  { zone: 'z2', up: [4, 5, 6, 7], ...more[1] },
  { zone: 'z3', up: [8, 9, 10, 11], ...more[2] },
];

function clusters(upstreams: BalancedUpstreams): Record<string, Json> {
  const of = (groups: readonly Group[], more: Json = {}, policy: Json = {}): Json => ({
    ...assignment(upstreams, groups, policy),
    ...more,
  });
  const weights = [{ weight: 1 }, { weight: 2 }, { weight: 5 }];
  const lame = [{ weight: 1 }, { weight: 2, up: [4], down: [5, 6, 7] }, { weight: 5, up: [], down: [8, 9] }];
  const extension = (policies: object): Json => ({ load_balancing_policy: { policies: [policies] } });
  return {
    localities: of(three(weights), WEIGHTED),
    localities_not_asked_for: of(three(weights)),
    localities_without_weight: of(three([{ weight: 1 }, {}, { weight: 3 }]), WEIGHTED),
    localities_half_down: of(three(lame), WEIGHTED),
    localities_random: of(three(weights), { ...WEIGHTED, lb_policy: 'RANDOM' }),
    localities_least_request: of(three(weights), { ...WEIGHTED, lb_policy: 'LEAST_REQUEST' }),
    localities_degraded: of(
      three([
        { up: [], degraded: [0, 1], weight: 1 },
        { up: [], down: [4], weight: 3 },
        { up: [], degraded: [8], weight: 2 },
      ]),
      WEIGHTED,
    ),
    localities_extension: of(
      three(weights),
      extension({
        typed_extension_config: {
          name: 'rr',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin',
            locality_lb_config: { locality_weighted_lb_config: {} },
          },
        },
      }),
    ),
    spill: of([
      { up: [0, 1], down: [2, 3] },
      { priority: 1, up: [4, 5, 6, 7] },
      { priority: 2, up: [8] },
    ]),
    spill_to_degraded: of([
      { up: [0], down: [1, 2, 3], degraded: [] },
      { priority: 1, up: [4], degraded: [5, 6], down: [7] },
    ]),
    factor: of(
      [
        { up: [0, 1, 2], down: [3] },
        { priority: 1, up: [4, 5] },
      ],
      {},
      { policy: { overprovisioning_factor: 100 } },
    ),
    all_panic: of([
      { up: [0], down: [1, 2, 3, 4] },
      { priority: 1, up: [5], down: [6, 7, 8] },
    ]),
    one_panics: of([
      { up: [], down: [0, 1, 2, 3] },
      { priority: 1, up: [4, 5], down: [6] },
    ]),
    no_panic: of([{ up: [0], down: [1, 2, 3] }], {
      common_lb_config: { healthy_panic_threshold: { value: 0 } },
    }),
    panic_fails: of([{ up: [0], down: [1, 2, 3] }], {
      common_lb_config: { zone_aware_lb_config: { fail_traffic_on_panic: true } },
    }),
    nobody: of([{ down: [0, 1] }, { priority: 1, down: [2] }]),
    zone_direct: of(three([{ up: [0, 1, 2, 3, 4, 5] }, { up: [6, 7] }, { up: [8] }])),
    zone_residual: of(three([{ up: [0] }, { up: [1, 2, 3, 4, 5] }, { up: [6, 7, 8, 9] }])),
    zone_residual_random: of(three([{ up: [0] }, { up: [1, 2, 3, 4, 5] }, { up: [6, 7, 8, 9] }]), {
      lb_policy: 'RANDOM',
    }),
    zone_too_small: of(three([{ up: [0] }, { up: [1] }, { up: [2] }])),
    zone_small_is_enough: of(three([{ up: [0] }, { up: [1] }, { up: [2] }]), {
      common_lb_config: { zone_aware_lb_config: { min_cluster_size: 2 } },
    }),
    zone_half: of(three([]), {
      common_lb_config: { zone_aware_lb_config: { routing_enabled: { value: 50 } } },
    }),
    zone_elsewhere: of([
      { zone: 'z7', up: [0, 1, 2] },
      { zone: 'z8', up: [3, 4, 5, 6] },
    ]),
    zone_unused: of(three([]), {
      common_lb_config: { zone_aware_lb_config: { routing_enabled: { value: 0 } } },
    }),
  };
}

/** The proxies of the mesh: half of them are where this one is. */
const SELF: Json = {
  name: 'self',
  load_assignment: {
    cluster_name: 'self',
    endpoints: ['z1', 'z1', 'z2', 'z3'].map((zone, i) => ({
      locality: { region: 'r', zone },
      lb_endpoints: [
        { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 60_000 + i } } } },
      ],
    })),
  },
};

async function counts(
  proxy: BalancedProxy,
  cluster: string,
  headers: Record<string, string> = {},
  requests = REQUESTS,
): Promise<Counts> {
  const result: Counts = new Map();
  for (let i = 0; i < requests; i++) {
    const { host } = await proxy.get(cluster, '/', headers);
    result.set(host, (result.get(host) ?? 0) + 1);
  }
  return result;
}

/** Both counts may come from one distribution: within five standard deviations of their difference. */
function assertAlike(ours: Counts, theirs: Counts, requests = REQUESTS): void {
  for (const host of new Set([...ours.keys(), ...theirs.keys()])) {
    const [a, b] = [ours.get(host) ?? 0, theirs.get(host) ?? 0];
    const share = (a + b) / (2 * requests);
    const deviation = Math.sqrt(2 * requests * share * (1 - share));
    assert.ok(
      Math.abs(a - b) <= 5 * deviation + 1,
      `host ${host}: ${a}, Envoy ${b}; all: ${text(ours)}, Envoy ${text(theirs)}`,
    );
  }
}

function text(all: Counts): string {
  return [...all]
    .sort()
    .map(([host, count]) => `${host}×${count}`)
    .join(' ');
}

describe('hosts get what they get from Envoy', { skip: SKIP }, () => {
  let upstreams: BalancedUpstreams;
  let envoy: BalancedProxy | undefined;
  let pilotfish: BalancedProxy | undefined;
  before(async () => {
    upstreams = await BalancedUpstreams.start(HOSTS);
    const setup = {
      clusters: { ...clusters(upstreams), self: SELF },
      bootstrap: { cluster_manager: { local_cluster_name: 'self' } },
    };
    envoy = await startBalancer(setup);
    pilotfish = await startBalancer(setup, PILOTFISH);
  });
  after(async () => {
    await envoy?.stop();
    await pilotfish?.stop();
    await upstreams.close();
  });

  for (const cluster of Object.keys(clusters(new BalancedUpstreams()))) {
    test(cluster.replaceAll('_', ' '), async () => {
      const [ours, theirs] = await Promise.all([counts(pilotfish!, cluster), counts(envoy!, cluster)]);
      assertAlike(ours, theirs);
      // Envoy computes zones when hosts come, Pilotfish when the first request does.
      const names = /^lb_(?!recalculate|local_cluster|zone_cluster)/;
      assertStatsAlike(await pilotfish!.stats(cluster, names), await envoy!.stats(cluster, names));
    });
  }
});

/** Counters of what chance decides may differ as the requests may. */
function assertStatsAlike(ours: Record<string, number>, theirs: Record<string, number>): void {
  for (const [name, value] of Object.entries(theirs)) {
    const slack = value === 0 || value === REQUESTS ? 0 : 5 * Math.sqrt(REQUESTS / 2);
    assert.ok(Math.abs((ours[name] ?? 0) - value) <= slack, `${name}: ${ours[name]}, Envoy ${value}`);
  }
}

describe('slow start', { skip: SKIP }, () => {
  const WINDOW_S = 4;
  let upstreams: BalancedUpstreams;
  const directory = mkdtempSync(path.join(os.tmpdir(), 'slow-start-'));
  const file = path.join(directory, 'eds.json');
  const proxies: BalancedProxy[] = [];

  function writeHosts(count: number): void {
    const [cluster] = [assignment(upstreams, [{ up: Array.from({ length: count }, (_, i) => i) }])];
    const resource = {
      '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
      ...(cluster.load_assignment as Json),
      cluster_name: 'eds',
    };
    writeFileSync(`${file}.new`, JSON.stringify({ resources: [resource] }));
    renameSync(`${file}.new`, file);
  }

  before(async () => {
    upstreams = await BalancedUpstreams.start(3);
    writeHosts(2);
    const eds = (more: Json): Json => ({
      type: 'EDS',
      eds_cluster_config: {
        service_name: 'eds',
        eds_config: { resource_api_version: 'V3', path_config_source: { path: file } },
      },
      ...more,
    });
    const slow_start_config = { slow_start_window: `${WINDOW_S}s` };
    const setup = {
      clusters: {
        linear: eds({ round_robin_lb_config: { slow_start_config } }),
        fast: eds({
          round_robin_lb_config: {
            slow_start_config: {
              ...slow_start_config,
              aggression: { default_value: 3, runtime_key: 'none' },
            },
          },
        }),
        least: eds({
          round_robin_lb_config: {
            slow_start_config: { ...slow_start_config, min_weight_percent: { value: 60 } },
          },
        }),
        least_request: eds({ lb_policy: 'LEAST_REQUEST', least_request_lb_config: { slow_start_config } }),
      },
    };
    proxies.push(await startBalancer(setup), await startBalancer(setup, PILOTFISH));
  });
  after(async () => {
    for (const proxy of proxies) await proxy.stop();
    await upstreams.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a new host gets as much as from Envoy, more and more', async () => {
    const names = ['linear', 'fast', 'least', 'least_request'];
    const share = (proxy: BalancedProxy, cluster: string): Promise<number> =>
      counts(proxy, cluster, {}, 90).then((all) => (all.get('2') ?? 0) / 90);
    for (const proxy of proxies) for (const name of names) await share(proxy, name);
    await sleep(WINDOW_S * 1000 + 200);
    writeHosts(3);
    const start = performance.now();
    const seen: Record<string, number[][]> = { linear: [], fast: [], least: [], least_request: [] };
    for (const moment of [600, 2000, WINDOW_S * 1000 + 500]) {
      await sleep(start + moment - performance.now());
      for (const name of names)
        seen[name].push(await Promise.all(proxies.map((proxy) => share(proxy, name))));
    }
    for (const [name, shares] of Object.entries(seen)) {
      for (const [theirs, ours] of shares)
        assert.ok(Math.abs(ours - theirs) < 0.07, `${name}: ${JSON.stringify(shares)}`);
    }
    assert.ok(seen.linear[0][1] < 0.2 && seen.linear[2][1] > 0.3, JSON.stringify(seen));
    assert.ok(seen.fast[0][1] > seen.linear[0][1] + 0.05, JSON.stringify(seen));
  });
});
