// Weights by load reports of hosts (ORCA) beside Envoy, alone and by locality, and hosts that requests name themselves.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from '../../xds-protos/load.ts';
import { type BalancedProxy, BalancedUpstreams, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const X = 'type.googleapis.com/envoy.extensions';
const HOSTS = 4;
const REQUESTS = 240;

type Json = Readonly<Record<string, unknown>>;
type Load = Readonly<Record<string, string>>;

const policy = (type: string, more: Json = {}): Json => ({
  policies: [
    {
      typed_extension_config: {
        name: 'p',
        typed_config: { '@type': `${X}.load_balancing_policies.${type}`, ...more },
      },
    },
  ],
});
const byLoad = (more: Json = {}): Json =>
  policy('client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin', {
    blackout_period: '0.1s',
    weight_update_period: '0.1s',
    ...more,
  });
const overrideHost = (more: Json = {}): Json =>
  policy('override_host.v3.OverrideHost', {
    override_host_sources: [
      { header: 'x-to' },
      { metadata: { key: 'to', path: [{ key: 'hosts' }] } },
      { header: 'x-else' },
    ],
    fallback_policy: policy('round_robin.v3.RoundRobin'),
    ...more,
  });

const text = (report: string): Load => ({ 'endpoint-load-metrics': `TEXT ${report}` });
const binary = (report: object): string =>
  Buffer.from(encode('xds.data.orca.v3.OrcaLoadReport', report)).toString('base64');

/** Reports of the hosts, by name. */
const LOADS: Readonly<Record<string, readonly (Load | undefined)[]>> = {
  text: [1, 2, 3, 6].map((n) => text(`rps_fractional=${n * 100},cpu_utilization=0.5`)),
  'text with colons': [4, 1, 1, 2].map((n) => text(`rps_fractional:${n * 100}, cpu_utilization:0.5`)),
  json: [1, 1, 4, 2].map((n) => ({
    'endpoint-load-metrics': `JSON {"rps_fractional": ${n * 10}, "cpu_utilization": 0.1}`,
  })),
  'binary header': [5, 1, 1, 1].map((n) => ({
    'endpoint-load-metrics-bin': binary({ rps_fractional: n * 10, cpu_utilization: 0.1 }),
  })),
  'binary in the other header': [1, 5, 1, 1].map((n) => ({
    'endpoint-load-metrics': `BIN ${binary({ rps_fractional: n * 10, cpu_utilization: 0.1 })}`,
  })),
  'binary without padding': [1, 1, 1, 5].map((n) => ({
    'endpoint-load-metrics-bin': binary({ rps_fractional: n * 10, cpu_utilization: 0.1, eps: 0 }).replaceAll(
      '=',
      '',
    ),
  })),
  trailers: [1, 3, 3, 1].map((n) => ({ trailer: `TEXT rps_fractional=${n * 100},cpu_utilization=0.5` })),
  'application utilization first': [1, 2, 3, 4].map((n) =>
    text(`rps_fractional=100,cpu_utilization=${n / 10},application_utilization=${(5 - n) / 10}`),
  ),
  'named metrics': [1, 2, 3, 4].map((n) =>
    text(`rps_fractional=100,application_utilization=0.5,named_metrics.foo=${n / 10},named_metrics.bar=0.2`),
  ),
  'other maps': [1, 2, 3, 4].map((n) => ({
    'endpoint-load-metrics-bin': binary({
      rps_fractional: 100,
      cpu_utilization: 0.05,
      utilization: { a: n / 10 },
      request_cost: { b: 0.1 },
    }),
  })),
  errors: [0, 50, 100, 200].map((eps) => text(`rps_fractional=100,cpu_utilization=0.5,eps=${eps}`)),
  'only some, an odd number': [
    text('rps_fractional=100,cpu_utilization=0.5'),
    text('rps_fractional=400,cpu_utilization=0.5'),
    text('rps_fractional=200,cpu_utilization=0.5'),
    undefined,
  ],
  'only some, an even number': [
    text('rps_fractional=100,cpu_utilization=0.5'),
    text('rps_fractional=500,cpu_utilization=0.5'),
    undefined,
    undefined,
  ],
  'no load': [1, 2, 3, 4].map(() => text('rps_fractional=100,cpu_utilization=0')),
  'no queries': [1, 2, 3, 4].map((n) => text(`cpu_utilization=0.${n}`)),
  'less than one': [1, 2, 3, 4].map((n) => text(`rps_fractional=0.${n},cpu_utilization=0.9`)),
  nonsense: [
    text('rps_fractional=100,cpu_utilization=0.1,whatever=1'),
    text('rps_fractional=100,rps_fractional=100,cpu_utilization=0.1'),
    { 'endpoint-load-metrics': 'rps_fractional=100,cpu_utilization=0.1' },
    { 'endpoint-load-metrics': 'JSON {"rps_fractional": 100, "unknown": 1, "cpu_utilization": 0.2}' },
  ],
  'numbers of many forms': [
    text('rps_fractional=1e2,cpu_utilization=.5'),
    text('rps_fractional=+100,cpu_utilization=5.e-1'),
    text('rps_fractional = 300 , cpu_utilization = 0.5'),
    text('rps_fractional=0x64,cpu_utilization=0.1'),
  ],
  'empty parts': [
    text('rps_fractional=100,,cpu_utilization=0.1'),
    text('rps_fractional=100,cpu_utilization=0.1,'),
    text('rps_fractional=100,cpu_utilization=0.1,named_metrics.=1'),
    text('rps_fractional=400,cpu_utilization=0.2'),
  ],
  'the older JSON header': [1, 2, 3, 4].map((n) => ({
    'endpoint-load-metrics-json': `{"rps_fractional": ${n * 10}, "cpu_utilization": 0.1}`,
  })),
};

/** Clusters that are not like the others. */
const CLUSTER_OF: Readonly<Record<string, string>> = {
  'named metrics': 'metrics',
  'other maps': 'metrics',
  errors: 'penalty',
};

function clusters(upstreams: BalancedUpstreams): Record<string, Json> {
  const hosts = (...groups: readonly Json[]): Json => ({
    load_assignment: { cluster_name: 'c', endpoints: groups },
  });
  const all = Array.from({ length: HOSTS }, (_, i) => i);
  const plain = {
    http_protocol_options: { enable_trailers: true },
    ...hosts({ lb_endpoints: all.map((i) => upstreams.endpoint(i)) }),
  };
  const weighted = hosts({
    lb_endpoints: all.map((i) => upstreams.endpoint(i, { load_balancing_weight: i + 1 })),
  });
  const localities = hosts(
    {
      locality: { zone: 'z1' },
      load_balancing_weight: 1,
      lb_endpoints: [0, 1].map((i) => upstreams.endpoint(i)),
    },
    {
      locality: { zone: 'z2' },
      load_balancing_weight: 3,
      lb_endpoints: [2, 3].map((i) => upstreams.endpoint(i)),
    },
  );
  const simple: Record<string, Json> = {};
  for (const name of Object.keys(LOADS)) {
    if (CLUSTER_OF[name] === undefined)
      simple[`c_${name.replaceAll(/\W/g, '_')}`] = { ...plain, load_balancing_policy: byLoad() };
  }
  return {
    ...simple,
    metrics_named_metrics: {
      ...plain,
      load_balancing_policy: byLoad({
        metric_names_for_computing_utilization: ['named_metrics.foo', 'named_metrics.bar'],
      }),
    },
    metrics_other_maps: {
      ...plain,
      load_balancing_policy: byLoad({
        metric_names_for_computing_utilization: ['utilization.*', 'request_cost.b', 'named_metrics.none'],
      }),
    },
    penalty_errors: { ...plain, load_balancing_policy: byLoad({ error_utilization_penalty: 0.5 }) },
    blackout: { ...plain, load_balancing_policy: byLoad({ blackout_period: '60s' }) },
    expiration: { ...plain, load_balancing_policy: byLoad({ weight_expiration_period: '0.5s' }) },
    weights_without_reports: { ...weighted, load_balancing_policy: byLoad() },
    configured_weights: { ...weighted, load_balancing_policy: byLoad() },
    locality: {
      ...localities,
      load_balancing_policy: policy('wrr_locality.v3.WrrLocality', { endpoint_picking_policy: byLoad() }),
    },
    locality_not_asked_for: { ...localities, load_balancing_policy: byLoad() },
    override: { ...plain, load_balancing_policy: overrideHost() },
    override_unhealthy: {
      ...hosts({
        lb_endpoints: all.map((i) => upstreams.endpoint(i, i === 1 ? { health_status: 'UNHEALTHY' } : {})),
      }),
      load_balancing_policy: overrideHost(),
    },
    override_tells: {
      ...plain,
      load_balancing_policy: overrideHost({
        selected_host_key: { key: 'chosen', path: [{ key: 'a' }, { key: 'b' }] },
      }),
    },
  };
}

describe('client_side_weighted_round_robin, wrr_locality and override_host', {
  skip: SKIP,
  concurrency: 1,
}, () => {
  let upstreams: BalancedUpstreams;
  let proxies: BalancedProxy[] = [];

  before(async () => {
    upstreams = await BalancedUpstreams.start(HOSTS);
    for (const [name, loads] of Object.entries(LOADS)) upstreams.loads.set(name, loads);
    const setup = {
      clusters: clusters(upstreams),
      routes: {
        retry: { retry_policy: { retry_on: '5xx', num_retries: 3 } },
      },
    };
    proxies = [await startBalancer(setup), await startBalancer(setup, PILOTFISH)];
  });

  after(async () => {
    for (const proxy of proxies) await proxy.stop();
    await upstreams?.close();
  });

  async function counts(
    proxy: BalancedProxy,
    cluster: string,
    load: string,
    requests: number,
  ): Promise<number[]> {
    const result = Array.from({ length: HOSTS }, () => 0);
    for (let i = 0; i < requests; i++) {
      const { host } = await proxy.get(cluster, '/', { 'x-load': load, te: 'trailers' });
      result[Number(host)]++;
    }
    return result;
  }

  /** Shares of requests once reports have come. The order is fixed by weights: chance decides only where it begins. */
  async function shares(cluster: string, load: string, waitMs = 500): Promise<number[][]> {
    return Promise.all(
      proxies.map(async (proxy) => {
        await counts(proxy, cluster, load, HOSTS * 2);
        await sleep(waitMs);
        // Of the same reports again, so that none is too old.
        await counts(proxy, cluster, load, HOSTS * 2);
        await sleep(waitMs / 2);
        return counts(proxy, cluster, load, REQUESTS);
      }),
    );
  }

  function alike([envoy, ours]: number[][], what: string): void {
    const close = envoy.every((count, i) => Math.abs(count - ours[i]) <= 8);
    assert.ok(close, `${what}: Envoy ${envoy.join(' ')}, here ${ours.join(' ')}`);
  }

  describe('wrr_locality and client_side_weighted_round_robin', { concurrency: 8 }, () => {
    for (const load of Object.keys(LOADS)) {
      const cluster = `${CLUSTER_OF[load] ?? 'c'}_${load.replaceAll(/\W/g, '_')}`;
      test(`ORCA reports: ${load}`, async () => alike(await shares(cluster, load), load));
    }

    for (const cluster of ['blackout', 'configured_weights', 'locality', 'locality_not_asked_for']) {
      test(`client-side weights: ${cluster}`, async () =>
        alike(await shares(cluster, 'text with colons', 1200), cluster));
    }

    test('client-side weights: without reports, configured weights do not count', async () => {
      alike(await shares('weights_without_reports', 'none', 1200), 'none');
    });
  });

  test('client-side weights: they expire, and a blackout follows', async () => {
    alike(await shares('expiration', 'text', 200), 'fresh');
    await sleep(900);
    const both = await Promise.all(proxies.map((proxy) => counts(proxy, 'expiration', 'none', 40)));
    alike(both, 'expired');
  });

  const to = (...hosts: number[]): string => hosts.map((i) => `127.0.0.1:${upstreams.ports[i]}`).join();

  /** The same hosts in both, in the order of attempts. */
  async function attempts(cluster: string, headers: Readonly<Record<string, string>>): Promise<string[]> {
    const lists: string[] = [];
    for (const proxy of proxies) {
      upstreams.received.length = 0;
      for (let i = 0; i < 3; i++) await proxy.get(cluster, '/', headers);
      lists.push(upstreams.received.join());
    }
    return lists;
  }

  test('override_host: the named host, whatever its health', async () => {
    for (const cluster of ['override', 'override_unhealthy', 'override_tells'])
      for (const host of [0, 1, 3]) {
        const both = await attempts(cluster, { 'x-to': to(host) });
        assert.deepEqual(
          both,
          Array.from({ length: 2 }, () => `${host},${host},${host}`),
        );
      }
  });

  test('override_host: each retry goes to the next', async () => {
    const headers = {
      'x-to': `10.9.9.9:1, ${to(2)},`,
      'x-else': to(0, 3),
      'x-route': 'retry',
      'x-fail': '2',
    };
    const both = await attempts('override', headers);
    assert.deepEqual(both, ['2,0,3,2,0,3,2,0,3', '2,0,3,2,0,3,2,0,3']);
  });

  test('override_host: the fallback policy where none is named, or none is left', async () => {
    for (const headers of [{}, { 'x-to': 'nonsense' }, { 'x-to': '' }]) {
      const both = await attempts('override', headers as Record<string, string>);
      for (const list of both) assert.equal(new Set(list.split(',')).size, 3, list);
    }
    const both = await attempts('override', { 'x-to': to(1), 'x-route': 'retry', 'x-fail': '1' });
    for (const list of both) assert.match(list, /^1,.,1,.,1,.$/);
  });
});
