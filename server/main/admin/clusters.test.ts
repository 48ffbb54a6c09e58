import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { recordedBody, serveAdmin } from '../../../tests/fakes/admin_client.ts';
import { fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { HOST_SLOTS, HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';
import { ipAddress } from '../../common/network/address.ts';
import type { ClusterStatus, HostStatus } from './context.ts';

const LIMITS = { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 };

function cluster(name: string, hosts: HostStatus[], rest: Partial<ClusterStatus> = {}): ClusterStatus {
  return {
    name,
    observabilityName: name,
    edsServiceName: '',
    addedViaApi: false,
    defaultPriority: LIMITS,
    highPriority: LIMITS,
    outlier: undefined,
    hosts,
    ...rest,
  };
}

function host(
  ip: string,
  port: number,
  slots: Readonly<Record<number, number>> = {},
  rest: { readonly zone?: string; readonly hostname?: string; readonly canary?: boolean } = {},
): HostStatus {
  const table = new Int32Array(new SharedArrayBuffer(HOST_SLOTS * 4));
  for (const [slot, value] of Object.entries(slots)) table[Number(slot)] = value;
  const region = rest.zone === undefined ? '' : 'r1';
  return {
    description: {
      address: ipAddress(ip, port),
      hostname: rest.hostname ?? '',
      locality: { region, zone: rest.zone ?? '', subZone: '' },
      priority: 0,
      weight: 1,
      metadata: undefined,
      clusterName: '',
      table,
      slot: 0,
    },
    pendingRequests: 0,
    canary: rest.canary ?? false,
    edsHealthStatus: 'HEALTHY',
    successRate: -1,
    localOriginSuccessRate: -1,
  };
}

/** The clusters of the recording, in the state they were in. */
const RECORDED: readonly ClusterStatus[] = [
  cluster('tcp_cluster', [
    host('127.0.0.1', 18003, { [HostSlot.ConnectionTotal]: 1, [HostSlot.RequestTotal]: 1 }),
  ]),
  cluster(
    'h1_cluster',
    [
      host(
        '127.0.0.1',
        18001,
        {
          [HostSlot.ActiveConnections]: 2,
          [HostSlot.ConnectionTotal]: 2,
          [HostSlot.RequestSuccess]: 21,
          [HostSlot.RequestTotal]: 21,
        },
        { zone: 'z1', canary: true },
      ),
      host('127.0.0.1', 1, { [HostSlot.HealthFlags]: HostHealthFlag.FailedActiveHc }, { zone: 'z1' }),
    ],
    {
      outlier: {
        successRateAverage: -1,
        successRateEjectionThreshold: -1,
        localOriginSuccessRateAverage: -1,
        localOriginSuccessRateEjectionThreshold: -1,
      },
    },
  ),
  cluster(
    'h2_cluster',
    [
      host(
        '::1',
        18002,
        { [HostSlot.ConnectFail]: 2, [HostSlot.ConnectionTotal]: 2, [HostSlot.RequestError]: 2 },
        { hostname: 'localhost' },
      ),
    ],
    { defaultPriority: { ...LIMITS, maxConnections: 100, maxRequests: 200 } },
  ),
];

describe('/clusters', () => {
  test('as lines', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext({ clusters: () => RECORDED }));
    assert.equal((await ask('/clusters')).body, recordedBody('clusters.txt'));
  });

  test('as JSON', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext({ clusters: () => RECORDED }));
    const { headers, body } = await ask('/clusters?format=json');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(body, recordedBody('clusters.json'));
  });

  test('filtered by name', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext({ clusters: () => RECORDED }));
    const { body } = await ask('/clusters?filter=h2');
    assert.deepEqual(
      new Set(
        body
          .trimEnd()
          .split('\n')
          .map((line) => line.split('::')[0]),
      ),
      new Set(['h2_cluster']),
    );
    assert.equal((await ask('/clusters?filter=nobody&format=json')).body, '{}\n');
    const bad = await ask('/clusters?filter=%5B');
    assert.deepEqual([bad.status, bad.body], [400, 'Invalid re2 regex']);
  });

  test('shows every health flag', async (t) => {
    const flags = Object.values(HostHealthFlag).reduce((all, flag) => all | flag, 0);
    const sick = cluster('sick', [host('10.0.0.1', 80, { [HostSlot.HealthFlags]: flags })], {
      addedViaApi: true,
    });
    const ask = await serveAdmin(t, fakeAdminContext({ clusters: () => [sick] }));
    const { body } = await ask('/clusters');
    assert.match(
      body,
      /health_flags::\/failed_active_hc\/failed_outlier_check\/failed_eds_health\/degraded_active_hc\/degraded_eds_health\/pending_dynamic_removal\/pending_active_hc\/excluded_via_immediate_hc_fail\/active_hc_timeout\/eds_status_draining\/degraded_outlier_detection\n/,
    );
    const [status] = JSON.parse((await ask('/clusters?format=json')).body).cluster_statuses;
    assert.equal(status.added_via_api, true);
    assert.deepEqual(status.host_statuses[0].health_status, {
      failed_active_health_check: true,
      failed_outlier_check: true,
      failed_active_degraded_check: true,
      eds_health_status: 'HEALTHY',
      pending_dynamic_removal: true,
      pending_active_hc: true,
      excluded_via_immediate_hc_fail: true,
      active_hc_timeout: true,
    });
  });
});
