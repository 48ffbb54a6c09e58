// envoy.filters.network.rbac. Envoy: api/envoy/extensions/filters/network/rbac/v3/rbac.proto.

import type { RBAC } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/rbac/v3.ts';
import { durationMs } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, NetworkFilterFactory } from '../../../../api/registry.ts';
import { RbacEngine } from '../../../../common/rbac/engine.ts';
import { RBAC_SHADOW_STATS, RBAC_STATS, RbacFilterConfig } from './rbac_filter.ts';

function compile(config: RBAC, context: FactoryContext, path: string): RbacFilterConfig {
  for (const field of ['matcher', 'shadow_matcher'] as const) {
    if (config[field] !== undefined)
      throw new ConfigError(at(path, field), 'matcher trees are not supported');
  }
  const engine = (field: 'rules' | 'shadow_rules') =>
    config[field] === undefined ? undefined : new RbacEngine(config[field], 'network', at(path, field));
  const prefix = `${withDot(config.stat_prefix)}rbac.`;
  return new RbacFilterConfig({
    rules: engine('rules'),
    shadowRules: engine('shadow_rules'),
    shadowPrefix: config.shadow_rules_stat_prefix,
    continuous: config.enforcement_type === 'CONTINUOUS',
    delayDenyMs: durationMs(config.delay_deny) ?? 0,
    stats: context.stats.block(RBAC_STATS, prefix),
    shadowStats: context.stats.block(RBAC_SHADOW_STATS, prefix + withDot(config.shadow_rules_stat_prefix)),
  });
}

/** Prefixes come with and without their dot. */
function withDot(prefix: string): string {
  return prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`;
}

export const rbacFactory: NetworkFilterFactory<RBAC> = {
  compile,
};
