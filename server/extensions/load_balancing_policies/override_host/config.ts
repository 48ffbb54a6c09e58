// envoy.load_balancing_policies.override_host: the hosts that a header or metadata of the request names, else another
// policy's. Envoy: source/extensions/load_balancing_policies/override_host.

import type { LoadBalancingPolicy } from '../../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  OverrideHost,
  OverrideHost_OverrideHostSource,
} from '../../../../xds-protos/generated/envoy/extensions/load_balancing_policies/override_host/v3.ts';
import type { MetadataKey } from '../../../../xds-protos/generated/envoy/type/metadata/v3.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type { FactoryContext, SettingsFactory } from '../../../api/registry.ts';
import {
  type BalancingConfig,
  compilePolicies,
  type LoadBalancingPolicySettings,
  type MetadataPath,
  type OverrideHostSource,
} from '../../../common/load_balancing/load_balancer_config.ts';
import { headerName } from '../../../common/matcher/header_matcher.ts';

export const overrideHostFactory: SettingsFactory<OverrideHost> = {
  compile(config, context, path): LoadBalancingPolicySettings {
    const sources = at(path, 'override_host_sources');
    return {
      loadBalancer: {
        policy: 'OVERRIDE_HOST',
        sources: config.override_host_sources.map((source, i) => compileSource(source, at(sources, i))),
        selectedHostKey: config.selected_host_key && metadataPath(config.selected_host_key),
        fallback: compileFallback(config.fallback_policy!, context, at(path, 'fallback_policy')),
      },
    };
  },
};

function compileSource(
  { header, metadata }: OverrideHost_OverrideHostSource,
  path: string,
): OverrideHostSource {
  if (header !== '') {
    if (metadata !== undefined) throw new ConfigError(path, 'Only one override source must be set');
    return { header: headerName(header), metadata: undefined };
  }
  if (metadata === undefined) throw new ConfigError(path, 'Empty override source');
  return { header: '', metadata: metadataPath(metadata) };
}

function metadataPath({ key, path }: MetadataKey): MetadataPath {
  return { namespace: key, path: path.map((segment) => segment.key ?? '') };
}

function compileFallback(
  policy: LoadBalancingPolicy,
  context: FactoryContext,
  path: string,
): BalancingConfig {
  const fallback = compilePolicies(policy, context, path);
  if (fallback.policy === 'CLUSTER_PROVIDED')
    throw new ConfigError(path, 'the fallback policy must be one that chooses among hosts');
  return fallback;
}
