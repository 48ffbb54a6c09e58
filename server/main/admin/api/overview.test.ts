// /api/overview, /api/stats and /api/hosts over a real socket.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { serveAdmin } from '../../../../tests/fakes/admin_client.ts';
import { type FakeAdminContext, fakeAdminContext } from '../../../../tests/fakes/admin_context.ts';
import { HOST_SLOTS, HostHealthFlag, HostSlot } from '../../../api/upstream/host.ts';
import { finish } from '../../../common/event/steps.ts';
import { ipAddress } from '../../../common/network/address.ts';
import {
  CLUSTER_CIRCUIT_BREAKER_STATS,
  CLUSTER_ENDPOINT_STATS,
} from '../../../common/stats/families/cluster.ts';
import { HTTP_STATS } from '../../../common/stats/families/http.ts';
import type { ClusterStatus, HostStatus } from '../context.ts';

const LIMITS = { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1, maxRetries: 1 };

function host(table: Int32Array, number: number, flags: number): HostStatus {
  const slot = number * HOST_SLOTS;
  table[slot + HostSlot.HealthFlags] = flags;
  table[slot + HostSlot.RequestTotal] = 10 * (number + 1);
  return {
    description: {
      address: ipAddress('10.0.0.1', 8000 + number),
      hostname: '',
      locality: { region: 'r', zone: 'z', subZone: '' },
      priority: 0,
      weight: 1,
      metadata: undefined,
      clusterName: 'a',
      table,
      slot,
    },
    pendingRequests: 0,
    canary: false,
    edsHealthStatus: 'HEALTHY',
    successRate: -1,
    localOriginSuccessRate: -1,
  };
}

/** Cluster a has a host that is well, one that fails its checks and one that is degraded. */
function busyContext(): FakeAdminContext {
  const table = new Int32Array(3 * HOST_SLOTS);
  const flags = [
    0,
    HostHealthFlag.FailedActiveHc | HostHealthFlag.ActiveHcTimeout,
    HostHealthFlag.DegradedEdsHealth,
  ];
  const a: ClusterStatus = {
    name: 'a',
    observabilityName: 'a',
    edsServiceName: '',
    addedViaApi: true,
    defaultPriority: LIMITS,
    highPriority: LIMITS,
    outlier: undefined,
    hosts: flags.map((each, number) => host(table, number, each)),
  };
  const context = fakeAdminContext({ clusters: (wanted) => [a].filter(() => wanted?.('a', 'a') ?? true) });
  const { store } = context;
  const endpoints = store.block(CLUSTER_ENDPOINT_STATS, 'cluster.a.');
  const set = (name: keyof typeof CLUSTER_ENDPOINT_STATS.offset, value: number): void => {
    endpoints.values[endpoints.base + CLUSTER_ENDPOINT_STATS.offset[name]] = value;
  };
  set('membership_total', 3);
  set('membership_healthy', 1);
  set('membership_degraded', 1);
  const breakers = store.block(CLUSTER_CIRCUIT_BREAKER_STATS, 'cluster.a.circuit_breakers.high.');
  breakers.values[breakers.base + CLUSTER_CIRCUIT_BREAKER_STATS.offset.rq_pending_open] = 1;
  const http = store.block(HTTP_STATS, 'http.in.');
  http.values[http.base + HTTP_STATS.offset.downstream_rq_total] = 100;
  for (let i = 0; i < 100; i++) http.record(HTTP_STATS.offset.downstream_rq_time, 20);
  store.flush();
  finish(context.stats.flushHistograms());
  return context;
}

async function asked(t: TestContext, context: FakeAdminContext) {
  const ask = await serveAdmin(t, context);
  return async (path: string) => {
    const { status, body } = await ask(path);
    assert.equal(status, 200, `${path}: ${body}`);
    return JSON.parse(body);
  };
}

describe('/api/overview', () => {
  test('says how the proxy does', async (t) => {
    const context = busyContext();
    const get = await asked(t, context);
    const first = await get('/api/overview');
    assert.deepEqual([first.rates, first.changing], [{}, []]);
    assert.ok(Math.abs(first.latency.p99 - 20.9) < 0.2, first.latency.p99);
    const { items, ...counts } = first.hosts;
    assert.deepEqual(counts, { total: 3, healthy: 1, degraded: 1, unhealthy: 1 });
    assert.deepEqual(
      items.map(
        ({ name, health, health_flags }: { name: string; health: string; health_flags: string[] }) => [
          name,
          health,
          health_flags,
        ],
      ),
      [
        ['10.0.0.1:8001', 'unhealthy', ['failed_active_hc', 'active_hc_timeout']],
        ['10.0.0.1:8002', 'degraded', ['degraded_eds_health']],
      ],
    );
    assert.deepEqual(first.open_breakers, [
      { cluster: 'a', priority: 'high', limit: 'max_pending_requests' },
    ]);
    context.series.sample(0);
    const http = context.store.block(HTTP_STATS, 'http.in.');
    http.values[http.base + HTTP_STATS.offset.downstream_rq_total] = 150;
    context.series.sample(5_000);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const second = await get('/api/overview');
    assert.equal(second.rates.downstream_rq, 10);
    assert.equal(second.changing[0].name, 'http.in.downstream_rq_total');
    assert.ok(second.changing[0].rate > 0);
  });
});

describe('/api/hosts', () => {
  test('lists, filters and sorts hosts', async (t) => {
    const get = await asked(t, busyContext());
    const names = async (query: string): Promise<string[]> =>
      (await get(`/api/hosts?${query}`)).items.map(({ name }: { name: string }) => name.slice(-1));
    assert.deepEqual(await names(''), ['0', '1', '2']);
    assert.deepEqual(await names('sort=-requests&limit=2'), ['2', '1']);
    assert.deepEqual(await names('health=unhealthy'), ['1']);
    assert.deepEqual(await names('search=8002'), ['2']);
    assert.deepEqual(await names('cluster=b'), []);
    assert.equal((await get('/api/hosts')).items[2].requests, 30);
  });
});

describe('/api/stats', () => {
  test('finds, sorts and describes stats', async (t) => {
    const get = await asked(t, busyContext());
    const { total, items } = await get('/api/stats?search=MEMBERSHIP_&sort=-value&limit=2');
    assert.equal(total, 5);
    assert.deepEqual(items[0], { name: 'cluster.a.membership_total', kind: 'gauge', value: 3, used: true });
    const histograms = await get('/api/stats?kind=histogram&used=true');
    assert.equal(histograms.total, 1);
    const [{ name, unit, value, quantiles }] = histograms.items;
    assert.deepEqual([name, unit, value], ['http.in.downstream_rq_time', 'ms', 100]);
    assert.ok(quantiles.p50 >= 20 && quantiles.max <= 21);
  });
});
