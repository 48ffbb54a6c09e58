import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { host } from '../../../tests/fakes/hosts.ts';
import { fakeLoadBalancerEnvironment } from '../../../tests/fakes/load_balancer_environment.ts';
import type { LoadBalancerContext } from '../../api/upstream/cluster.ts';
import { HostSlot } from '../../api/upstream/host.ts';
import { xxHash64 } from '../hash/xx_hash_64.ts';
import type { Host } from '../upstream/host.ts';
import { PrioritySet } from '../upstream/priority_set.ts';
import { HashLoadBalancer } from './hash_load_balancer.ts';
import type { HashingConfig } from './load_balancer_config.ts';
import { MersenneTwister } from './mersenne_twister.ts';
import { compileMaglev, compileRingHash } from './policy_settings.ts';
import { sortedOrder } from './sorted_order.ts';

const RING = compileRingHash(undefined, undefined, false, '');
const MAGLEV = compileMaglev(undefined, undefined, false, '');
const KEYS = 20_000;

function keyed(hash: bigint): LoadBalancerContext {
  return { hashKey: () => hash, hostSelectionRetryCount: 0 } as unknown as LoadBalancerContext;
}

/** The host of each of KEYS keys. */
function owners(hosts: Host[], config: HashingConfig): (string | undefined)[] {
  const balancer = new HashLoadBalancer(new PrioritySet(hosts, 50), config, fakeLoadBalancerEnvironment());
  return Array.from(
    { length: KEYS },
    (_, i) => balancer.chooseHost(keyed(xxHash64(`key ${i}`)))?.address.text,
  );
}

function hosts(count: number, options?: (n: number) => object): Host[] {
  return Array.from({ length: count }, (_, n) => host(n, options?.(n)));
}

for (const [name, config] of [
  ['ring hash', RING],
  ['Maglev', MAGLEV],
] as const) {
  describe(name, () => {
    test('the order of the hosts does not matter', () => {
      const all = hosts(10);
      assert.deepEqual(owners(all, config), owners([...all].reverse(), config));
    });

    test('when a host goes, few keys move that were not its own', () => {
      const all = hosts(20);
      const before = owners(all, config);
      const after = owners(all.slice(1), config);
      const moved = before.filter((owner, i) => owner !== all[0].address.text && owner !== after[i]).length;
      // Ketama moves none of them while all hosts have equally many places; Maglev a few.
      assert.ok(moved < KEYS / 20, `${moved} of ${KEYS}`);
      assert.ok(!after.includes(all[0].address.text));
    });

    test('hosts get keys by their weights', () => {
      const counts = new Map<string, number>();
      for (const owner of owners(
        hosts(4, (n) => ({ weight: n + 1 })),
        { ...config, minRingSize: 50_000 } as HashingConfig,
      ))
        counts.set(owner!, (counts.get(owner!) ?? 0) + 1);
      for (let n = 0; n < 4; n++) {
        const share = counts.get(host(n).address.text)! / KEYS;
        // The table's own unevenness is 2 % with so many places.
        assert.ok(Math.abs(share - (n + 1) / 10) < 0.03, `${n}: ${share}`);
      }
    });

    test('without hosts there is none, without a hash any', () => {
      assert.deepEqual(new Set(owners([], config)), new Set([undefined]));
      const environment = fakeLoadBalancerEnvironment();
      const balancer = new HashLoadBalancer(new PrioritySet(hosts(3), 50), config, environment);
      const chosen = new Set(Array.from({ length: 300 }, () => balancer.chooseHost(undefined)));
      assert.equal(chosen.size, 3);
    });

    test('unhealthy hosts have no keys, until there is panic', () => {
      const sick = (count: number): Set<string | undefined> =>
        new Set(
          owners(
            hosts(10, (n) => ({ health: n < count ? 'unhealthy' : 'healthy' })),
            config,
          ),
        );
      assert.equal(sick(2).size, 8);
      assert.equal(sick(6).size, 10);
    });

    test('50,000 hosts are arranged in less than a second', () => {
      const many = hosts(50_000);
      const start = performance.now();
      const balancer = new HashLoadBalancer(new PrioritySet(many, 50), config, fakeLoadBalancerEnvironment());
      assert.ok(balancer.chooseHost(keyed(1n)) !== undefined);
      const took = performance.now() - start;
      assert.ok(took < 1000, `${took} ms`);
    });

    test('bounded loads: nobody has more than his share, and light hosts keep their keys', () => {
      const all = hosts(5);
      let active = 0;
      const environment = fakeLoadBalancerEnvironment({ activeRequests: () => active });
      const bounded = new HashLoadBalancer(
        new PrioritySet(all, 50),
        { ...config, balanceFactor: 100 },
        environment,
      );
      const first = bounded.chooseHost(keyed(7n))!;
      for (; active < 50; active++) bounded.chooseHost(keyed(7n))!.add(HostSlot.ActiveRequests, 1);
      for (const one of all) assert.ok(one.activeRequests <= 11, `${one.activeRequests}`);
      for (const one of all) one.add(HostSlot.ActiveRequests, -one.activeRequests);
      active = 0;
      assert.equal(bounded.chooseHost(keyed(7n)), first);
    });
  });
}

test('a ring of more places than a comparison sort is used for is in order', () => {
  for (const size of [10, 4095, 4096, 30_000]) {
    const words = Uint32Array.from({ length: 2 * size }, () => Math.floor(Math.random() * 2 ** 32));
    const value = (i: number): bigint => (BigInt(words[2 * i + 1]) << 32n) | BigInt(words[2 * i]);
    const order = sortedOrder(words);
    assert.equal(new Set(order).size, size);
    for (let i = 1; i < size; i++) assert.ok(value(order[i - 1]) <= value(order[i]));
  }
});

test('MT19937: the numbers of the C++ standard', () => {
  const twister = new MersenneTwister();
  twister.seed(5489);
  assert.equal(twister.random(), 3_499_211_612);
  for (let i = 2; i < 10_000; i++) twister.random();
  // ISO C++ 14882, [rand.predef]: the 10000th.
  assert.equal(twister.random(), 4_123_659_995);
});
