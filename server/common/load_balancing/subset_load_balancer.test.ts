import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { host } from '../../../tests/fakes/hosts.ts';
import { fakeLoadBalancerEnvironment } from '../../../tests/fakes/load_balancer_environment.ts';
import type { Cluster_LbSubsetConfig } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { LoadBalancerContext } from '../../api/upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import { PrioritySet } from '../upstream/priority_set.ts';
import { createLoadBalancer } from './create_load_balancer.ts';
import { compileRoundRobin } from './policy_settings.ts';
import { compileSubset, type SubsetConfig } from './subset_config.ts';

const SELECTORS = [{ keys: ['version', 'stage'] }, { keys: ['stage'] }];

function compile(config: object): SubsetConfig {
  const message = fromJson('envoy.config.cluster.v3.Cluster.LbSubsetConfig', {
    subset_selectors: SELECTORS,
    ...config,
  }) as Cluster_LbSubsetConfig;
  return compileSubset(message, compileRoundRobin(undefined, undefined, ''), 'lb_subset_config');
}

function labelled(n: number, metadata: object, more: object = {}): Host {
  return host(n, { metadata: { 'envoy.lb': metadata as Record<string, unknown> }, ...more });
}

const ALL = [
  labelled(1, { stage: 'prod', version: '1' }),
  labelled(2, { stage: 'prod', version: '2' }),
  labelled(3, { stage: 'dev', version: '2' }),
  host(4),
];

/** Numbers of the hosts that are chosen for requests with this metadata. */
function chosen(config: object, metadata: object | undefined, all: Host[] = ALL): string {
  const balancer = createLoadBalancer(
    new PrioritySet(all, 50),
    compile(config),
    fakeLoadBalancerEnvironment(),
  );
  const context = { metadataMatch: metadata, hostSelectionRetryCount: 0 } as LoadBalancerContext;
  const numbers = Array.from({ length: 20 }, () =>
    balancer.chooseHost(context)?.address.ip.split('.').at(-1),
  );
  return [...new Set(numbers)].sort().join();
}

describe('subsets', () => {
  test('a group is found whatever the order of the keys', () => {
    assert.equal(chosen({}, { version: '2', stage: 'prod' }), '2');
    assert.equal(chosen({}, { stage: 'prod', version: '2' }), '2');
    assert.equal(chosen({}, { stage: 'prod' }), '1,2');
  });

  test('where there is none, as the policies say', () => {
    const nobody = { stage: 'test' };
    assert.equal(chosen({}, nobody), '');
    assert.equal(chosen({}, undefined), '');
    assert.equal(chosen({ fallback_policy: 'ANY_ENDPOINT' }, nobody), '1,2,3,4');
    assert.equal(
      chosen({ fallback_policy: 'DEFAULT_SUBSET', default_subset: { version: '2' } }, nobody),
      '2,3',
    );
    const keys = {
      subset_selectors: [
        { keys: ['stage', 'version'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['stage'] },
        { keys: ['stage'] },
      ],
    };
    assert.equal(chosen(keys, { stage: 'prod', version: '7' }), '1,2');
  });

  test('a host alone in its group is used even when it is sick', () => {
    const selectors = { subset_selectors: [{ keys: ['stage'], single_host_per_subset: true }] };
    const sick = labelled(5, { stage: 'prod' }, { health: 'unhealthy' });
    assert.equal(chosen(selectors, { stage: 'prod' }, [sick, ...ALL]), '5');
  });

  test('when hosts change, groups that came and went are counted', () => {
    const environment = fakeLoadBalancerEnvironment();
    const config = compile({ subset_selectors: [{ keys: ['stage'] }] });
    const ask = {
      metadataMatch: { stage: 'prod' },
      hostSelectionRetryCount: 0,
    } as unknown as LoadBalancerContext;
    const first = createLoadBalancer(new PrioritySet(ALL, 50), config, environment);
    first.chooseHost(ask);
    // Nobody asked the second one: the third is compared with the first.
    const second = createLoadBalancer(new PrioritySet([], 50), config, environment, first);
    const third = createLoadBalancer(
      new PrioritySet([ALL[0], labelled(6, { stage: 'new' })], 50),
      config,
      environment,
      second,
    );
    third.chooseHost(ask);
    const { lb_subsets_active, lb_subsets_created, lb_subsets_removed } = environment.counts;
    assert.deepEqual([lb_subsets_active, lb_subsets_created, lb_subsets_removed], [2, 3, 1]);
  });

  test('fallback keys that make no sense are refused', () => {
    const cases: [string[], RegExp][] = [
      [[], /cannot be empty/],
      [['stage', 'version'], /cannot be equal/],
      [['color'], /must be a subset/],
    ];
    for (const [fallback_keys_subset, reason] of cases) {
      const selector = { keys: ['stage', 'version'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset };
      assert.throws(
        () => compile({ subset_selectors: [selector] }),
        (error: ConfigError) =>
          error instanceof ConfigError &&
          error.path === 'lb_subset_config.subset_selectors[0].fallback_keys_subset' &&
          reason.test(error.reason),
      );
    }
  });
});
