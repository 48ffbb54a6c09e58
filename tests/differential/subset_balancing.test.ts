// Subsets beside Envoy: the same hosts with the same metadata, routes that ask for some of it, and every request must be
// answered by a host of the same group, or by none.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type BalancedProxy, BalancedUpstreams, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const REQUESTS = 40;

type Json = Readonly<Record<string, unknown>>;

/** Metadata of the hosts, by number. */
const HOSTS: readonly Json[] = [
  { stage: 'prod', version: '1.0', type: 'std' },
  { stage: 'prod', version: '1.0', type: 'big' },
  { stage: 'prod', version: '1.1', type: 'std' },
  { stage: 'prod', version: '1.1', type: 'big' },
  { stage: 'dev', version: '1.2-pre', type: 'std' },
  { stage: 'dev', version: ['1.0', '1.2-pre'], type: 'std', xlarge: true },
  { version: 1, nested: { a: 1, b: ['x', 2] } },
  {},
];

const SELECTORS = [
  { keys: ['stage', 'type'] },
  { keys: ['stage', 'version'] },
  { keys: ['version'] },
  { keys: ['xlarge'] },
];

/** Routes by name: what they ask for. */
const ROUTES: Readonly<Record<string, Json>> = {
  prod_std: { stage: 'prod', type: 'std' },
  prod_10: { version: '1.0', stage: 'prod' },
  version_11: { version: '1.1' },
  version_12: { version: '1.2-pre' },
  version_number: { version: 1 },
  xlarge: { xlarge: true },
  xlarge_text: { xlarge: 'true' },
  stage_only: { stage: 'prod' },
  nobody: { stage: 'prod', version: '9' },
  unknown_key: { color: 'blue' },
  too_many: { stage: 'prod', type: 'std', version: '1.0' },
  one_redundant: { version: '1.1', color: 'blue' },
  list_value: { version: ['1.0', '1.2-pre'] },
  nested: { nested: { b: ['x', 2], a: 1 } },
  fallback_list: { fallback_list: [{ version: '9' }, { version: '1.1' }] },
  fallback_list_merged: { stage: 'dev', fallback_list: [{ version: '1.1' }, { type: 'std' }] },
  fallback_list_nobody: { fallback_list: [{ version: '9' }] },
  fallback_list_empty: { version: '1.1', fallback_list: [] },
};

const selectors = (fallback: Json): Json => ({
  subset_selectors: SELECTORS.map((selector) => ({ ...selector, ...fallback })),
});

function clusters(upstreams: BalancedUpstreams): Record<string, Json> {
  const locality = (zone: string, weight: number, hosts: readonly number[], more: Json = {}): Json => ({
    locality: { region: 'r', zone },
    load_balancing_weight: weight,
    lb_endpoints: hosts.map((i) =>
      upstreams.endpoint(i, { metadata: { filter_metadata: { 'envoy.lb': HOSTS[i] } }, ...more }),
    ),
  });
  const assign = (...endpoints: Json[]): Json => ({ load_assignment: { cluster_name: 'c', endpoints } });
  const all = assign(locality('z', 1, [0, 1, 2, 3, 4, 5, 6, 7]));
  const sick = assign(
    locality('z', 1, [0, 1, 2, 3], { health_status: 'UNHEALTHY' }),
    locality('y', 1, [4, 5, 6, 7]),
  );
  const places = assign(locality('a', 1, [0, 1, 4]), locality('b', 3, [2, 3, 5, 6, 7]));
  const subsets = (config: Json, more: Json = all): Json => ({
    lb_subset_config: { subset_selectors: SELECTORS, ...config },
    ...more,
  });
  const DEFAULT = { default_subset: { stage: 'dev' } };
  const weighted = { common_lb_config: { locality_weighted_lb_config: {} } };
  return {
    no_fallback: subsets({}),
    any_endpoint: subsets({ fallback_policy: 'ANY_ENDPOINT' }),
    default_subset: subsets({ fallback_policy: 'DEFAULT_SUBSET', ...DEFAULT }),
    default_of_all: subsets({ fallback_policy: 'DEFAULT_SUBSET' }),
    default_of_nobody: subsets({ fallback_policy: 'DEFAULT_SUBSET', default_subset: { stage: 'test' } }),
    panic_any: subsets({
      fallback_policy: 'DEFAULT_SUBSET',
      default_subset: { stage: 'test' },
      panic_mode_any: true,
    }),
    panic_any_alone: subsets({ panic_mode_any: true }),
    selector_any: subsets(selectors({ fallback_policy: 'ANY_ENDPOINT' })),
    selector_default: subsets({ ...selectors({ fallback_policy: 'DEFAULT_SUBSET' }), ...DEFAULT }),
    selector_none: subsets({
      ...selectors({ fallback_policy: 'NO_FALLBACK' }),
      fallback_policy: 'ANY_ENDPOINT',
    }),
    selector_keys: subsets({
      subset_selectors: [
        { keys: ['stage', 'version'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['stage'] },
        { keys: ['stage'] },
      ],
    }),
    list_as_any: subsets({ list_as_any: true }),
    list_as_any_default: subsets({
      list_as_any: true,
      fallback_policy: 'DEFAULT_SUBSET',
      default_subset: { version: '1.2-pre' },
    }),
    metadata_list: subsets({ metadata_fallback_policy: 'FALLBACK_LIST', fallback_policy: 'ANY_ENDPOINT' }),
    metadata_list_strict: subsets({ metadata_fallback_policy: 'FALLBACK_LIST' }),
    single_host: subsets(selectors({ single_host_per_subset: true })),
    unhealthy: subsets({ fallback_policy: 'ANY_ENDPOINT' }, sick),
    locality_aware: subsets(
      { locality_weight_aware: true, fallback_policy: 'ANY_ENDPOINT' },
      { ...places, ...weighted },
    ),
    locality_scaled: subsets(
      { locality_weight_aware: true, scale_locality_weight: true, fallback_policy: 'ANY_ENDPOINT' },
      { ...places, ...weighted },
    ),
    locality_unaware: subsets({ fallback_policy: 'ANY_ENDPOINT' }, { ...places, ...weighted }),
    without_selectors: { lb_subset_config: { fallback_policy: 'DEFAULT_SUBSET', ...DEFAULT }, ...all },
    hashing: { ...subsets({ fallback_policy: 'ANY_ENDPOINT' }), lb_policy: 'RING_HASH' },
    extension: {
      ...all,
      load_balancing_policy: {
        policies: [
          {
            typed_extension_config: {
              name: 'subset',
              typed_config: {
                '@type': 'type.googleapis.com/envoy.extensions.load_balancing_policies.subset.v3.Subset',
                subset_selectors: SELECTORS,
                allow_redundant_keys: true,
                fallback_policy: 'DEFAULT_SUBSET',
                ...DEFAULT,
                subset_lb_policy: {
                  policies: [
                    {
                      typed_extension_config: {
                        name: 'maglev',
                        typed_config: {
                          '@type':
                            'type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3.Maglev',
                        },
                      },
                    },
                  ],
                },
              },
            },
          },
        ],
      },
    },
  };
}

describe('subsets are those of Envoy', { skip: SKIP }, () => {
  let upstreams: BalancedUpstreams;
  let envoy: BalancedProxy | undefined;
  let pilotfish: BalancedProxy | undefined;
  before(async () => {
    upstreams = await BalancedUpstreams.start(HOSTS.length);
    const routes = Object.fromEntries(
      Object.entries(ROUTES).map(([name, metadata]) => [
        name,
        { metadata_match: { filter_metadata: { 'envoy.lb': metadata } } },
      ]),
    );
    const action = { hash_policy: [{ header: { header_name: 'x-key' } }] };
    const setup = { clusters: clusters(upstreams), routes, action };
    envoy = await startBalancer(setup);
    pilotfish = await startBalancer(setup, PILOTFISH);
  });
  after(async () => {
    await envoy?.stop();
    await pilotfish?.stop();
    await upstreams.close();
  });

  /** How often each host answered, with a key per request where hosts are chosen by it. */
  async function hosts(
    proxy: BalancedProxy,
    cluster: string,
    route: string,
  ): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (let i = 0; i < REQUESTS; i++) {
      const { host } = await proxy.get(cluster, '/', { 'x-route': route, 'x-key': `${i}` });
      counts[host] = (counts[host] ?? 0) + 1;
    }
    return counts;
  }

  for (const cluster of Object.keys(clusters(new BalancedUpstreams()))) {
    test(cluster.replaceAll('_', ' '), async () => {
      for (const route of [...Object.keys(ROUTES), 'none']) {
        const [ours, theirs] = await Promise.all([
          hosts(pilotfish!, cluster, route),
          hosts(envoy!, cluster, route),
        ]);
        // In turn, by weight or by key: each host gets exactly as many, but for where the turn begins.
        assert.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort(), route);
        for (const [host, count] of Object.entries(theirs))
          assert.ok(Math.abs(ours[host] - count) <= 3, `${route}: ${JSON.stringify([ours, theirs])}`);
      }
      const names = /^lb_subsets_(selected|fallback|fallback_panic)$/;
      assert.deepEqual(await pilotfish!.stats(cluster, names), await envoy!.stats(cluster, names));
    });
  }

  test('subsets are counted', async () => {
    const stats = await pilotfish!.stats('no_fallback', /^lb_subsets_(active|created|removed)$/);
    // Envoy counts those of its main thread too.
    const theirs = await envoy!.stats('no_fallback', /^lb_subsets_(active|created|removed)$/);
    assert.deepEqual(
      stats,
      Object.fromEntries(Object.entries(theirs).map(([name, count]) => [name, count / 2])),
    );
  });
});
