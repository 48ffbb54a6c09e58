import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { host, hundredHosts } from '../../../tests/fakes/hosts.ts';
import { fakeLoadBalancerEnvironment } from '../../../tests/fakes/load_balancer_environment.ts';
import type { LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { CLUSTER_LB_STATS } from '../stats/families/cluster.ts';
import type { Host } from '../upstream/host.ts';
import { PrioritySet } from '../upstream/priority_set.ts';
import type { LeastRequestConfig, PickingConfig } from './load_balancer_config.ts';
import { compileLeastRequest, compileRandom, compileRoundRobin } from './policy_settings.ts';
import { PriorityLoadBalancer } from './priority_load_balancer.ts';

const ROUND_ROBIN = compileRoundRobin(undefined, undefined, '');
const LEAST: LeastRequestConfig = compileLeastRequest(undefined, undefined, '');
const RANDOM = compileRandom(undefined, '');
const PICKS = 20_000;

function balancer(
  hosts: Host[],
  config: PickingConfig,
  onPanic = () => {},
  panic = 50,
): PriorityLoadBalancer {
  return new PriorityLoadBalancer(new PrioritySet(hosts, panic), config, {
    ...fakeLoadBalancerEnvironment(),
    count: (offset) => offset === CLUSTER_LB_STATS.offset.lb_healthy_panic && onPanic(),
  });
}

/** How often each host was chosen. */
function counts(hosts: Host[], config: PickingConfig, picks = PICKS): number[] {
  const lb = balancer(hosts, config);
  const count = new Map<Host, number>(hosts.map((one) => [one, 0]));
  for (let i = 0; i < picks; i++) {
    const chosen = lb.chooseHost(undefined)!;
    count.set(chosen, count.get(chosen)! + 1);
  }
  return hosts.map((one) => count.get(one)!);
}

/** Within six standard deviations of a binomial distribution: fails by chance once in 500 million times. */
function near(count: number, share: number): void {
  const deviation = Math.sqrt(PICKS * share * (1 - share));
  assert.ok(Math.abs(count - PICKS * share) < 6 * deviation, `${count} of ${PICKS}, expected ${share}`);
}

describe('load balancers', () => {
  test('round robin is exact', () => {
    assert.deepEqual(counts([host(1), host(2), host(3)], ROUND_ROBIN, 300), [100, 100, 100]);
  });

  test('round robin by weight', () => {
    const hosts = [host(1, { weight: 1 }), host(2, { weight: 3 })];
    const [one, three] = counts(hosts, ROUND_ROBIN, 400);
    assert.ok(Math.abs(one - 100) <= 2 && Math.abs(three - 300) <= 2, `${one} : ${three}`);
  });

  test('random is even', () => {
    for (const count of counts([host(1), host(2), host(3), host(4)], RANDOM)) near(count, 1 / 4);
  });

  test('least request takes the better of two at random', () => {
    // The busy host is chosen only when both draws are it.
    const hosts = [host(1), host(2), host(3)];
    hosts[0].add(HostSlot.ActiveRequests, 10);
    near(counts(hosts, LEAST)[0], 1 / 9);
  });

  test('least request by full scan never takes the busy one, and shares ties', () => {
    const hosts = [host(1), host(2), host(3)];
    hosts[0].add(HostSlot.ActiveRequests, 1);
    const [busy, one, two] = counts(hosts, { ...LEAST, fullScan: true });
    assert.equal(busy, 0);
    near(one, 1 / 2);
    near(two, 1 / 2);
  });

  test('least request with weights: weight / (active + 1)', () => {
    const hosts = [host(1, { weight: 4 }), host(2, { weight: 2 })];
    hosts[0].add(HostSlot.ActiveRequests, 3);
    const [one, two] = counts(hosts, LEAST, 3000);
    assert.ok(Math.abs(one - 1000) <= 5 && Math.abs(two - 2000) <= 5, `${one} : ${two}`);
  });

  test('priorities get their load', () => {
    const hosts = [...hundredHosts(0, 50), ...hundredHosts(1, 100)];
    const all = counts(hosts, ROUND_ROBIN);
    near(
      all.slice(0, 100).reduce((sum, n) => sum + n, 0),
      0.7,
    );
    assert.ok(
      all.slice(50, 100).every((n) => n === 0),
      'unhealthy hosts are left out',
    );
  });

  test('in panic every host is used, and it is counted', () => {
    let panics = 0;
    const hosts = [host(1), host(2, { health: 'unhealthy' }), host(3, { health: 'unhealthy' })];
    const lb = balancer(hosts, ROUND_ROBIN, () => panics++);
    assert.equal(new Set(Array.from({ length: 3 }, () => lb.chooseHost(undefined))).size, 3);
    assert.equal(panics, 3);
  });

  test('without hosts there is none, and that is a panic as Envoy counts it', () => {
    let panics = 0;
    assert.equal(balancer([], ROUND_ROBIN, () => panics++).chooseHost(undefined), undefined);
    assert.equal(panics, 1);
  });

  test('nobody healthy and no panic: no host', () => {
    const hosts = [host(1, { health: 'unhealthy' })];
    assert.equal(balancer(hosts, LEAST, () => {}, 0).chooseHost(undefined), undefined);
  });

  test('a host that was tried is passed over, so often as the context allows', () => {
    const hosts = [host(1), host(2)];
    const context = {
      hostSelectionRetryCount: 5,
      shouldSelectAnotherHost: (one: unknown) => one === hosts[0],
    } as LoadBalancerContext;
    const lb = balancer(hosts, ROUND_ROBIN);
    for (let i = 0; i < 20; i++) assert.equal(lb.chooseHost(context), hosts[1]);
  });

  test('priorities that were tried are left out, until none is left', () => {
    const hosts = [host(1, { priority: 0 }), host(2, { priority: 1 })];
    const lb = balancer(hosts, ROUND_ROBIN);
    const excludedPriorities = new Set([0]);
    const context = { hostSelectionRetryCount: 0, excludedPriorities } as unknown as LoadBalancerContext;
    for (let i = 0; i < 20; i++) assert.equal(lb.chooseHost(context), hosts[1]);
    excludedPriorities.add(1);
    assert.equal(lb.chooseHost(context), hosts[0]);
    assert.equal(excludedPriorities.size, 0);
  });
});
