// Which balancing algorithm a cluster uses, and its settings: from lb_policy with its *_lb_config, or from
// load_balancing_policy, which wins. Envoy: source/common/upstream/upstream_impl.cc (LegacyLbPolicyConfigHelper).

import type { Cluster as ClusterMessage } from '../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import { wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import type { ClusterType } from './cluster_config.ts';

export type LoadBalancerConfig =
  | { readonly policy: 'ROUND_ROBIN' }
  | {
      readonly policy: 'LEAST_REQUEST';
      readonly choiceCount: number;
      readonly fullScan: boolean;
      readonly activeRequestBias: number;
      readonly biasKey: string;
    }
  | { readonly policy: 'RANDOM' }
  | { readonly policy: 'CLUSTER_PROVIDED' };

const LEAST_REQUEST_FIELDS = new Set(['choice_count', 'active_request_bias']);
const ROUND_ROBIN_FIELDS = new Set<string>();
/** Source: LeastRequestLbConfig.choice_count. */
const DEFAULT_CHOICE_COUNT = 2;

/** What a load_balancing_policies extension compiles to. */
export interface LoadBalancingPolicySettings {
  readonly loadBalancer: LoadBalancerConfig;
}

export function compileLoadBalancer(
  cluster: ClusterMessage,
  type: ClusterType,
  context: FactoryContext,
  path: string,
): LoadBalancerConfig {
  if (cluster.load_balancing_policy !== undefined) return fromPolicies(cluster, context, path);
  const least = cluster.least_request_lb_config;
  const round = cluster.round_robin_lb_config;
  switch (cluster.lb_policy) {
    case 'ROUND_ROBIN':
      if (round !== undefined)
        rejectOtherFields(round, ROUND_ROBIN_FIELDS, at(path, 'round_robin_lb_config'));
      return { policy: 'ROUND_ROBIN' };
    case 'LEAST_REQUEST':
      if (least !== undefined)
        rejectOtherFields(least, LEAST_REQUEST_FIELDS, at(path, 'least_request_lb_config'));
      return {
        policy: 'LEAST_REQUEST',
        choiceCount: wrapperValue(least?.choice_count) ?? DEFAULT_CHOICE_COUNT,
        fullScan: false,
        activeRequestBias: least?.active_request_bias?.default_value ?? 1,
        biasKey: least?.active_request_bias?.runtime_key ?? '',
      };
    case 'RANDOM':
      return { policy: 'RANDOM' };
    case 'CLUSTER_PROVIDED':
      return { policy: 'CLUSTER_PROVIDED' };
    default:
      throw new ConfigError(
        at(path, 'lb_policy'),
        `load balancing policy ${cluster.lb_policy} is not supported (${type} cluster)`,
      );
  }
}

function fromPolicies(cluster: ClusterMessage, context: FactoryContext, path: string): LoadBalancerConfig {
  const policies = cluster.load_balancing_policy!.policies;
  const where = at(at(path, 'load_balancing_policy'), 'policies');
  let first: unknown;
  for (let i = 0; i < policies.length; i++) {
    const config = policies[i].typed_extension_config;
    if (config === undefined) continue;
    try {
      const resolved = context.registry.resolve(
        'envoy.load_balancing_policies',
        config.name,
        config.typed_config,
        at(where, i),
      );
      return (resolved.factory.compile(resolved.config, context, at(where, i)) as LoadBalancingPolicySettings)
        .loadBalancer;
    } catch (error) {
      // Envoy takes the first policy of the list that it knows.
      first ??= error;
    }
  }
  throw first ?? new ConfigError(where, 'no load balancing policy is given');
}
