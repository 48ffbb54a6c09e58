// Consistent hashing beside Envoy: the same hosts and the same requests, and each request must go to the same host.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BalancedProxy, BalancedUpstreams, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const HOSTS = 12;
const KEYS = 150;
const POLICIES = 'type.googleapis.com/envoy.extensions.load_balancing_policies.';

type Json = Readonly<Record<string, unknown>>;

/** Clusters by name, over the upstreams. */
function clusters(upstreams: BalancedUpstreams): Record<string, Json> {
  const all = Array.from({ length: HOSTS }, (_, i) => i);
  const plain = [{ lb_endpoints: all.map((i) => upstreams.endpoint(i)) }];
  const weighted = [
    { lb_endpoints: all.map((i) => upstreams.endpoint(i, { load_balancing_weight: (i % 5) + 1 })) },
  ];
  const keyed = [
    {
      lb_endpoints: all.map((i) =>
        upstreams.endpoint(i, {
          metadata: { filter_metadata: { 'envoy.lb': { hash_key: `hôst-${i % 9}-${i}` } } },
        }),
      ),
    },
  ];
  const named = [
    { lb_endpoints: all.map((i) => upstreams.endpoint(i, { endpoint: { hostname: `h${i}.example.com` } })) },
  ];
  const localities = ['z3', 'z1', 'z2'].map((zone, z) => ({
    locality: { region: 'r', zone },
    load_balancing_weight: z + 1,
    lb_endpoints: all.filter((i) => i % 3 === z).map((i) => upstreams.endpoint(i)),
  }));
  const priorities = [0, 1].map((priority) => ({
    priority,
    lb_endpoints: all
      .filter((i) => i % 2 === priority)
      .map((i) => upstreams.endpoint(i, i < 8 && priority === 0 ? { health_status: 'UNHEALTHY' } : {})),
  }));
  const assign = (endpoints: object): Json => ({ load_assignment: { cluster_name: 'c', endpoints } });
  const ring = (more: Json = {}): Json => ({ lb_policy: 'RING_HASH', ...more });
  const maglev = (more: Json = {}): Json => ({ lb_policy: 'MAGLEV', ...more });
  const extension = (type: string, config: Json): Json => ({
    load_balancing_policy: {
      policies: [
        { typed_extension_config: { name: type, typed_config: { '@type': POLICIES + type, ...config } } },
      ],
    },
  });
  const byLocality = { common_lb_config: { locality_weighted_lb_config: {} } };
  const hostname = { consistent_hashing_lb_config: { use_hostname_for_hashing: true } };
  return {
    ring: { ...ring(), ...assign(plain) },
    ring_murmur: { ...ring({ ring_hash_lb_config: { hash_function: 'MURMUR_HASH_2' } }), ...assign(plain) },
    ring_sizes: {
      ...ring({ ring_hash_lb_config: { minimum_ring_size: 5, maximum_ring_size: 17 } }),
      ...assign(plain),
    },
    ring_large: { ...ring({ ring_hash_lb_config: { minimum_ring_size: 100_000 } }), ...assign(weighted) },
    ring_weights: { ...ring(), ...assign(weighted) },
    ring_hash_key: { ...ring(), ...assign(keyed) },
    ring_hostname: { ...extension('ring_hash.v3.RingHash', hostname), ...assign(named) },
    ring_hostname_old_field: {
      ...extension('ring_hash.v3.RingHash', { use_hostname_for_hashing: true }),
      ...assign(named),
    },
    ring_localities: { ...ring(byLocality), ...assign(localities) },
    ring_localities_unused: { ...ring(), ...assign(localities) },
    ring_priorities: { ...ring(), ...assign(priorities) },
    ring_extension: {
      ...extension('ring_hash.v3.RingHash', { hash_function: 'MURMUR_HASH_2', minimum_ring_size: 64 }),
      ...assign(weighted),
    },
    ring_extension_localities: {
      ...extension('ring_hash.v3.RingHash', { locality_weighted_lb_config: {} }),
      ...assign(localities),
    },
    maglev: { ...maglev(), ...assign(plain) },
    maglev_one_host: { ...maglev(), ...assign([{ lb_endpoints: [upstreams.endpoint(0)] }]) },
    maglev_small: { ...maglev({ maglev_lb_config: { table_size: 103 } }), ...assign(plain) },
    maglev_weights: { ...maglev(), ...assign(weighted) },
    maglev_hash_key: { ...maglev(), ...assign(keyed) },
    maglev_hostname: { ...extension('maglev.v3.Maglev', hostname), ...assign(named) },
    maglev_localities: { ...maglev(byLocality), ...assign(localities) },
    maglev_priorities: { ...maglev(), ...assign(priorities) },
    maglev_extension: {
      ...extension('maglev.v3.Maglev', { table_size: 1009, ...hostname }),
      ...assign(named),
    },
    bounded_ring: {
      ...ring({ common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 120 } } }),
      ...assign(weighted),
    },
    bounded_maglev: {
      ...maglev({ common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 150 } } }),
      ...assign(plain),
    },
  };
}

const ACTION = {
  hash_policy: [
    { header: { header_name: 'x-key' }, terminal: true },
    { cookie: { name: 'session' }, terminal: true },
    { query_parameter: { name: 'q' }, terminal: true },
    { header: { header_name: 'x-ip' } },
    { connection_properties: { source_ip: true } },
  ],
  retry_policy: {
    retry_on: '5xx',
    num_retries: 5,
    host_selection_retry_max_attempts: 4,
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
    retry_host_predicate: [
      {
        name: 'previous',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
        },
      },
    ],
  },
};

describe('consistent hashing goes where Envoy goes', { skip: SKIP }, () => {
  let upstreams: BalancedUpstreams;
  let envoy: BalancedProxy | undefined;
  let pilotfish: BalancedProxy | undefined;
  before(async () => {
    upstreams = await BalancedUpstreams.start(HOSTS);
    const setup = { clusters: clusters(upstreams), action: ACTION };
    envoy = await startBalancer(setup);
    pilotfish = await startBalancer(setup, PILOTFISH);
  });
  after(async () => {
    await envoy?.stop();
    await pilotfish?.stop();
    await upstreams.close();
  });

  /** The host of each request, by both. */
  async function compare(
    cluster: string,
    requests: readonly [string, Record<string, string>][],
  ): Promise<Set<string>> {
    const hosts = await Promise.all(
      [envoy!, pilotfish!].map(async (proxy) => {
        const result: string[] = [];
        for (const [path, headers] of requests) {
          const { host } = await proxy.get(cluster, path, headers);
          result.push(`${path} ${JSON.stringify(headers)} ${host}`);
        }
        return result;
      }),
    );
    assert.deepEqual(hosts[1], hosts[0]);
    return new Set(hosts[0].map((line) => line.split(' ').at(-1)!));
  }

  const keys = Array.from({ length: KEYS }, (_, i): [string, Record<string, string>] => [
    '/',
    { 'x-key': `key ${i * 7}` },
  ]);
  for (const cluster of Object.keys(clusters(new BalancedUpstreams())).filter(
    (name) => !name.startsWith('bounded'),
  )) {
    test(cluster, async () => {
      const hosts = await compare(cluster, keys);
      assert.ok(hosts.size > 3 || cluster === 'maglev_one_host', `${[...hosts]}`);
      const sizes = /^(ring_hash_lb|maglev_lb)\.(?!.*active)/;
      assert.deepEqual(await pilotfish!.stats(cluster, sizes), await envoy!.stats(cluster, sizes));
    });
  }

  test('by cookie, query parameter and address', async () => {
    const cookies = Array.from({ length: 30 }, (_, i): [string, Record<string, string>] => [
      '/',
      { cookie: `a=b; session=s${i}` },
    ]);
    const queries = Array.from({ length: 30 }, (_, i): [string, Record<string, string>] => [
      `/?a=1&q=v${i}`,
      {},
    ]);
    const addresses = Array.from({ length: 30 }, (_, i): [string, Record<string, string>] => [
      '/',
      { 'x-ip': `${i}` },
    ]);
    for (const cluster of ['ring', 'maglev']) {
      for (const requests of [cookies, queries, addresses])
        assert.ok((await compare(cluster, requests)).size > 3);
      await compare(cluster, [['/', {}]]);
    }
  });

  test('a retry goes on where Envoy goes on', async () => {
    for (const cluster of ['ring', 'maglev', 'ring_weights', 'maglev_small'])
      await compare(
        cluster,
        keys.slice(0, 40).map(([path, headers], i) => [path, { ...headers, 'x-fail': String((i % 4) + 1) }]),
      );
  });

  for (const cluster of ['bounded_ring', 'bounded_maglev']) {
    test(`${cluster}: what is too much for a host goes to the same other hosts`, async () => {
      const orders: number[][] = [];
      for (const proxy of [envoy!, pilotfish!]) {
        const from = upstreams.received.length;
        const answers: Promise<unknown>[] = [];
        for (let i = 0; i < 60; i++) {
          answers.push(proxy.get(cluster, '/', { 'x-key': `key ${i % 4}`, 'x-hold': '1' }));
          while (upstreams.received.length === from + i) await sleep(1);
        }
        orders.push(upstreams.received.slice(from));
        upstreams.release();
        await Promise.all(answers);
        await sleep(50);
      }
      assert.deepEqual(orders[1], orders[0]);
      assert.ok(new Set(orders[0]).size > 6);
    });
  }
});
