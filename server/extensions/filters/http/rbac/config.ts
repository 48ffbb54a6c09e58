// envoy.filters.http.rbac. Envoy: source/extensions/filters/http/rbac/config.cc, api/envoy/extensions/filters/http/rbac/v3/rbac.proto.

import type {
  RBAC,
  RBACPerRoute,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/rbac/v3.ts';
import { at } from '../../../../api/config_error.ts';
import type { FactoryContext, HttpFilterFactory } from '../../../../api/registry.ts';
import {
  compileRbacEngine,
  RBAC_SHADOW_STATS,
  RBAC_STATS,
  VerdictMetadata,
  withDot,
} from '../../../../common/rbac/verdicts.ts';
import { PolicyCounters, RbacFilterConfig, type RbacRules } from './rbac_filter.ts';

const NAMESPACE = 'envoy.filters.http.rbac';
/** A route whose configuration says nothing: everything passes. */
const NO_RULES: RBAC = {
  rules_stat_prefix: '',
  shadow_rules_stat_prefix: '',
  track_per_rule_stats: false,
};

function compileRules(config: RBAC, ofRoute: boolean, context: FactoryContext, path: string): RbacRules {
  const metadata = (prefix: string, kind: string): VerdictMetadata | undefined =>
    ofRoute && prefix === '' ? undefined : new VerdictMetadata(NAMESPACE, `${prefix}${kind}_`);
  return Object.freeze({
    rules: compileRbacEngine(config, '', 'http', context, path),
    metadata: metadata(config.rules_stat_prefix, 'enforced'),
    shadowRules: compileRbacEngine(config, 'shadow_', 'http', context, path),
    shadowMetadata: metadata(config.shadow_rules_stat_prefix, 'shadow'),
    trackPerRule: config.track_per_rule_stats,
  });
}

export const httpRbacFactory: HttpFilterFactory<RBAC, RBACPerRoute> = {
  compile(config, context, path) {
    const prefix = `${context.httpStatPrefix}rbac.`;
    const enforced = prefix + withDot(config.rules_stat_prefix);
    const shadow = prefix + withDot(config.shadow_rules_stat_prefix);
    return new RbacFilterConfig(compileRules(config, false, context, path), {
      enforced: context.stats.block(RBAC_STATS, enforced),
      shadow: context.stats.block(RBAC_SHADOW_STATS, shadow),
      policies: new PolicyCounters(context.stats, `${enforced}policy.`, ''),
      shadowPolicies: new PolicyCounters(context.stats, `${shadow}policy.`, 'shadow_'),
    });
  },
  compileRoute: ({ rbac = NO_RULES }, context, path) => compileRules(rbac, true, context, at(path, 'rbac')),
};
