// envoy.load_balancing_policies.cluster_provided: the cluster's own balancer (ORIGINAL_DST).
// Envoy: source/extensions/load_balancing_policies/cluster_provided.

import type { ClusterProvided } from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/cluster_provided/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type { LoadBalancingPolicySettings } from '../../../common/load_balancing/load_balancer_config.ts';

export const clusterProvidedFactory: SettingsFactory<ClusterProvided> = {
  compile: (): LoadBalancingPolicySettings => ({ loadBalancer: { policy: 'CLUSTER_PROVIDED' } }),
};
