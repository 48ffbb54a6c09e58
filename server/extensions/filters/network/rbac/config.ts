// envoy.filters.network.rbac. Envoy: api/envoy/extensions/filters/network/rbac/v3/rbac.proto.

import type { RBAC } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/rbac/v3.ts';
import { durationMs } from '../../../../../xds-protos/well_known.ts';
import type { FactoryContext, NetworkFilterFactory } from '../../../../api/registry.ts';
import {
  compileRbacEngine,
  RBAC_SHADOW_STATS,
  RBAC_STATS,
  VerdictMetadata,
  withDot,
} from '../../../../common/rbac/verdicts.ts';
import { RbacFilterConfig } from './rbac_filter.ts';

const NAMESPACE = 'envoy.filters.network.rbac';

function compile(config: RBAC, context: FactoryContext, path: string): RbacFilterConfig {
  const prefix = `${withDot(config.stat_prefix)}rbac.`;
  return new RbacFilterConfig({
    rules: compileRbacEngine(config, '', 'network', context, path),
    shadowRules: compileRbacEngine(config, 'shadow_', 'network', context, path),
    shadowMetadata: new VerdictMetadata(NAMESPACE, `${config.shadow_rules_stat_prefix}shadow_`),
    continuous: config.enforcement_type === 'CONTINUOUS',
    delayDenyMs: durationMs(config.delay_deny) ?? 0,
    stats: context.stats.block(RBAC_STATS, prefix),
    shadowStats: context.stats.block(RBAC_SHADOW_STATS, prefix + withDot(config.shadow_rules_stat_prefix)),
  });
}

export const rbacFactory: NetworkFilterFactory<RBAC> = {
  compile,
};
