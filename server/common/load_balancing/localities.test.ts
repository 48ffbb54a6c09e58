import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeRuntime } from '../../../tests/fakes/factory_context.ts';
import { host } from '../../../tests/fakes/hosts.ts';
import { fakeLoadBalancerEnvironment } from '../../../tests/fakes/load_balancer_environment.ts';
import type { Host, HostHealth } from '../upstream/host.ts';
import { DEFAULT_HOST_SET_OPTIONS, PrioritySet } from '../upstream/priority_set.ts';
import { compileRoundRobin } from './policy_settings.ts';
import { PriorityLoadBalancer } from './priority_load_balancer.ts';
import { SlowStart } from './slow_start.ts';

const PICKS = 6000;
const HERE = { region: 'r', zone: 'z1', subZone: '' };

let next = 0;
function hosts(
  zone: string,
  count: number,
  options: { localityWeight?: number; health?: HostHealth } = {},
): Host[] {
  return Array.from({ length: count }, () =>
    host(next++, { locality: { region: 'r', zone, subZone: '' }, ...options }),
  );
}

function setOf(all: readonly Host[]): PrioritySet {
  return new PrioritySet(all, 50, { ...DEFAULT_HOST_SET_OPTIONS, localLocality: HERE });
}

/** Share of the picks by zone. */
function shares(balancer: PriorityLoadBalancer): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < PICKS; i++) {
    const { zone } = balancer.chooseHost(undefined)!.locality;
    counts[zone] = (counts[zone] ?? 0) + 1 / PICKS;
  }
  return counts;
}

/** Within six standard deviations. */
function near(share: number | undefined, expected: number): void {
  const deviation = Math.sqrt((expected * (1 - expected)) / PICKS);
  assert.ok(Math.abs((share ?? 0) - expected) <= 6 * deviation + 2 / PICKS, `${share}, expected ${expected}`);
}

describe('localities by weight', () => {
  const weighted = compileRoundRobin(undefined, { locality_weighted_lb_config: {} }, '');

  test('each gets its weight, less where hosts are missing', () => {
    const all = [
      ...hosts('z1', 2, { localityWeight: 1 }),
      ...hosts('z2', 5, { localityWeight: 2 }),
      ...hosts('z3', 1, { localityWeight: 1 }),
      // 140 % of a half is 70 %.
      ...hosts('z3', 1, { localityWeight: 1, health: 'unhealthy' }),
    ];
    const zones = shares(new PriorityLoadBalancer(setOf(all), weighted, fakeLoadBalancerEnvironment()));
    near(zones.z1, 1 / 3.7);
    near(zones.z2, 2 / 3.7);
    near(zones.z3, 0.7 / 3.7);
  });

  test('without any weight all hosts are alike', () => {
    const all = [...hosts('z1', 1), ...hosts('z2', 3)];
    near(shares(new PriorityLoadBalancer(setOf(all), weighted, fakeLoadBalancerEnvironment())).z2, 0.75);
  });
});

describe('zone-aware routing', () => {
  const config = compileRoundRobin(undefined, undefined, '');
  const proxies = (...zones: string[]): PrioritySet => setOf(zones.flatMap((zone) => hosts(zone, 1)));

  test('stays in the zone when its share of the hosts is large enough', () => {
    const environment = fakeLoadBalancerEnvironment({ localPrioritySet: () => local });
    const local = proxies('z1', 'z2');
    const balancer = new PriorityLoadBalancer(
      setOf([...hosts('z1', 4), ...hosts('z2', 4)]),
      config,
      environment,
    );
    assert.deepEqual(Object.keys(shares(balancer)), ['z1']);
    assert.equal(environment.counts.lb_zone_routing_all_directly, PICKS);
  });

  test('sends on what the zone cannot carry, to where there is capacity', () => {
    // Half of the proxies are here, but a quarter of the hosts: half of the requests stay.
    let local = proxies('z1', 'z1', 'z2', 'z3');
    const environment = fakeLoadBalancerEnvironment({ localPrioritySet: () => local });
    const all = [...hosts('z1', 2), ...hosts('z2', 4), ...hosts('z3', 2)];
    const balancer = new PriorityLoadBalancer(setOf(all), config, environment);
    const zones = shares(balancer);
    near(zones.z1, 0.5);
    near(zones.z2, 0.5);
    // The proxies change: looked at with the next request.
    local = proxies('z1', 'z2', 'z3', 'z3');
    assert.deepEqual(Object.keys(shares(balancer)), ['z1']);
    assert.equal(environment.counts.lb_recalculate_zone_structures, 2);
  });

  test('not for small clusters, nor where the runtime says so', () => {
    const local = proxies('z1', 'z2');
    const small = fakeLoadBalancerEnvironment({ localPrioritySet: () => local });
    near(
      shares(new PriorityLoadBalancer(setOf([...hosts('z1', 1), ...hosts('z2', 3)]), config, small)).z2,
      0.75,
    );
    assert.equal(small.counts.lb_zone_cluster_too_small, 1);
    const runtime = fakeRuntime({ 'upstream.zone_routing.enabled': 0 });
    const off = fakeLoadBalancerEnvironment({ localPrioritySet: () => local, runtime });
    near(
      shares(new PriorityLoadBalancer(setOf([...hosts('z1', 4), ...hosts('z2', 4)]), config, off)).z2,
      0.5,
    );
  });
});

describe('slow start', () => {
  const config = { windowMs: 1000, aggression: 1, aggressionKey: '', minWeight: 0.1 };

  test('a share of the weight that grows over the window', () => {
    const [one] = hosts('z', 1);
    const slow = new SlowStart(config, fakeRuntime(), setOf([one]), 5000);
    assert.deepEqual(
      [5001, 5050, 5500, 5999, 6000].map((now) => slow.factor(one, now)),
      [0.1, 0.1, 0.5, 0.999, 1],
    );
    assert.deepEqual(
      [6000, 6001].map((now) => slow.active(now)),
      [true, false],
    );
    // It is not new again when other hosts come.
    const later = new SlowStart(config, fakeRuntime(), setOf([one, ...hosts('z', 1)]), 8000);
    assert.equal(later.factor(one, 8100), 1);
    assert.ok(later.active(8100));
  });

  test('aggression makes it grow fast at first; the runtime may set it', () => {
    const [one] = hosts('z', 1);
    const keyed = { ...config, aggressionKey: 'a' };
    const slow = new SlowStart(keyed, fakeRuntime({ a: 2 }), setOf([one]), 5000);
    assert.equal(slow.factor(one, 5250), 0.5);
  });
});
