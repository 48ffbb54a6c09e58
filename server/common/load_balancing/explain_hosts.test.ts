// The shares that explainHosts tells are those with which the balancers choose.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { explainedConfiguration } from '../../../tests/fakes/explained_configuration.ts';
import type { LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { RequestHeaders } from '../http/header_map.ts';
import { ipAddress } from '../network/address.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../stream_info/stream_info.ts';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import { explainHosts, type HostsExplanation } from './explain_hosts.ts';

const PICKS = 3000;
/** Of a share near a half, five standard deviations of so many picks. */
const TOLERANCE = 0.05;

function context(metadataMatch?: object, hash?: bigint): LoadBalancerContext {
  const connection = new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', 2), 'l');
  const info = new StreamInfoRecord(connection, 0, 0);
  return {
    downstreamHeaders: new RequestHeaders('GET', '/', 'h'),
    downstreamConnection: connection,
    requestStreamInfo: info,
    metadataMatch: metadataMatch as Record<string, unknown> | undefined,
    hashKey: () => hash,
    shouldSelectAnotherHost: () => false,
    excludedPriorities: undefined,
    hostSelectionRetryCount: 0,
    overrideHost: undefined,
  };
}

interface JsonHost {
  readonly health: string;
  readonly weight: number;
  readonly version: string;
}

interface JsonLocality {
  readonly zone: string;
  readonly priority: number;
  readonly weight: number;
  readonly hosts: readonly JsonHost[];
}

function clusterOf(settings: object, localities: readonly JsonLocality[]): ThreadLocalCluster {
  let n = 0;
  const endpoints = localities.map(({ zone, priority, weight, hosts }) => ({
    locality: { zone },
    priority,
    load_balancing_weight: weight,
    lb_endpoints: hosts.map((host) => ({
      endpoint: { address: { socket_address: { address: `10.0.0.${++n}`, port_value: 80 } } },
      health_status: host.health,
      load_balancing_weight: host.weight,
      metadata: { filter_metadata: { 'envoy.lb': { version: host.version } } },
    })),
  }));
  const configuration = explainedConfiguration({
    clusters: [{ name: 'c', type: 'EDS', eds_cluster_config: { eds_config: { ads: {} } }, ...settings }],
    endpoints: [{ cluster_name: 'c', endpoints }],
  });
  configuration.refresh();
  return configuration.cluster('c') as ThreadLocalCluster;
}

function check(cluster: ThreadLocalCluster, asked: LoadBalancerContext): HostsExplanation {
  const explanation = explainHosts(cluster, asked);
  const counts = new Map<string, number>();
  let none = 0;
  for (let i = 0; i < PICKS; i++) {
    const host = cluster.chooseHost(asked);
    if (host === undefined) none++;
    else counts.set(host.address.text, (counts.get(host.address.text) ?? 0) + 1);
  }
  let sum = 0;
  for (const { host, share, reason, chosen } of explanation.hosts) {
    const picked = (counts.get(host.address.text) ?? 0) / PICKS;
    assert.ok(
      Math.abs(picked - share) < TOLERANCE,
      `${host.address.text}: share ${share} (${reason}), picked ${picked}; ${explanation.notes}`,
    );
    if (picked > 0) assert.ok(share > 0, `${host.address.text} was picked`);
    if (chosen && share === 1) assert.equal(picked, 1);
    assert.notEqual(reason, '');
    sum += share;
  }
  assert.ok(Math.abs(sum + none / PICKS - 1) < TOLERANCE, `shares are ${sum}, none was found in ${none}`);
  return explanation;
}

const host = fc.record({
  health: fc.constantFrom('HEALTHY', 'HEALTHY', 'DEGRADED', 'UNHEALTHY', 'DRAINING'),
  weight: fc.constantFrom(1, 1, 4),
  version: fc.constantFrom('v1', 'v2'),
});
const locality = fc.record({
  zone: fc.constantFrom('a', 'b'),
  priority: fc.constantFrom(0, 0, 1),
  weight: fc.constantFrom(1, 3),
  hosts: fc.array(host, { minLength: 1, maxLength: 4 }),
});
/** Priorities must be without gaps. */
const localities = fc
  .uniqueArray(locality, {
    minLength: 1,
    maxLength: 3,
    selector: ({ zone, priority }) => `${zone}${priority}`,
  })
  .filter((list) => list.some(({ priority }) => priority === 0));

describe('shares of hosts', () => {
  for (const [name, settings] of Object.entries({
    'round robin': { lb_policy: 'ROUND_ROBIN' },
    random: { lb_policy: 'RANDOM' },
    'least request': { lb_policy: 'LEAST_REQUEST' },
    'by locality': { lb_policy: 'ROUND_ROBIN', common_lb_config: { locality_weighted_lb_config: {} } },
    'without panic': { lb_policy: 'RANDOM', common_lb_config: { healthy_panic_threshold: { value: 0 } } },
    'ring hash': { lb_policy: 'RING_HASH' },
  })) {
    test(name, () => {
      fc.assert(
        fc.property(localities, (list) => {
          check(clusterOf(settings, list), context());
        }),
        { numRuns: 40, seed: 7 },
      );
    });
  }

  test('a hash decides for one', () => {
    const hosts = Array.from({ length: 5 }, () => ({ health: 'HEALTHY', weight: 1, version: 'v1' }));
    const cluster = clusterOf({ lb_policy: 'RING_HASH' }, [{ zone: 'a', priority: 0, weight: 1, hosts }]);
    for (const hash of [0n, 12345n, 2n ** 63n]) {
      const { hosts: explained } = check(cluster, context(undefined, hash));
      assert.equal(explained.filter(({ chosen }) => chosen).length, 1);
    }
  });

  test('subsets, with their fallbacks', () => {
    const subset = (fallback_policy: string): object => ({
      lb_policy: 'ROUND_ROBIN',
      lb_subset_config: {
        fallback_policy,
        subset_selectors: [{ keys: ['version'] }],
        default_subset: { version: 'v2' },
      },
    });
    fc.assert(
      fc.property(
        localities,
        fc.constantFrom('NO_FALLBACK', 'ANY_ENDPOINT', 'DEFAULT_SUBSET'),
        fc.constantFrom(undefined, { version: 'v1' }, { version: 'v3' }),
        (list, fallback, asked) => {
          const { hosts } = check(clusterOf(subset(fallback), list), context(asked));
          for (const { host: each, share } of hosts) {
            if (
              asked?.version === 'v1' &&
              each.metadata?.['envoy.lb']?.version !== 'v1' &&
              hosts.some(({ host: other }) => other.metadata?.['envoy.lb']?.version === 'v1')
            )
              assert.equal(share, 0);
          }
        },
      ),
      { numRuns: 40, seed: 7 },
    );
  });
});
