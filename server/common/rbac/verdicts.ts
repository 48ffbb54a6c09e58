// What the access control filters of connections and of requests have in common: rules that are enforced, others that are only
// judged, and what stats and dynamic metadata tell of both. Envoy: source/extensions/filters/common/rbac/utility.{h,cc}.

import { createRequire } from 'node:module';
import type * as rbac from '../../../xds-protos/generated/envoy/config/rbac/v3.ts';
import type { Matcher } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { at } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { StatBlock } from '../../api/stats.ts';
import { statSchema } from '../stats/schema.ts';
import { setDynamicMetadata } from '../stream_info/stream_info.ts';
import { PolicyEngine, type RbacEngine, type RbacResult } from './engine.ts';
import type { RbacLayer, RbacSite, RbacSubject } from './matchers.ts';

const require = createRequire(import.meta.url);

export const RBAC_STATS = statSchema('rbac', { allowed: 'counter', denied: 'counter' });
export const RBAC_SHADOW_STATS = statSchema('rbac_shadow', {
  shadow_allowed: 'counter',
  shadow_denied: 'counter',
});
/** Where access loggers look for the hint of a LOG action. */
const COMMON_NAMESPACE = 'envoy.common';

/** The fields that both filters have. */
export interface RbacRulesConfig {
  readonly rules?: rbac.RBAC | undefined;
  readonly matcher?: Matcher | undefined;
  readonly shadow_rules?: rbac.RBAC | undefined;
  readonly shadow_matcher?: Matcher | undefined;
}

/** Throws ConfigError. Undefined: everything passes. A match tree goes before rules. */
export function compileRbacEngine(
  config: RbacRulesConfig,
  kind: '' | 'shadow_',
  layer: RbacLayer,
  context: FactoryContext,
  path: string,
): RbacEngine | undefined {
  const site: RbacSite = { layer, context };
  const tree = config[`${kind}matcher`];
  if (tree !== undefined) {
    const { MatchTreeEngine } = require('./match_tree_engine.ts') as typeof import('./match_tree_engine.ts');
    return new MatchTreeEngine(tree, site, at(path, `${kind}matcher`));
  }
  const rules = config[`${kind}rules`];
  return rules && new PolicyEngine(rules, site, at(path, `${kind}rules`));
}

/** Prefixes come with and without their dot. Source: Envoy::statPrefixJoin. */
export function withDot(prefix: string): string {
  return prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`;
}

/** Notes each result of an engine in dynamic metadata, under keys that begin with `prefix`. */
export class VerdictMetadata {
  readonly #namespace: string;
  readonly #prefix: string;
  /** Results are few, and always the same objects. */
  readonly #byResult = new Map<RbacResult, Record<string, unknown>>();

  constructor(namespace: string, prefix: string) {
    this.#namespace = namespace;
    this.#prefix = prefix;
  }

  note({ streamInfo }: RbacSubject, result: RbacResult): void {
    let metadata = this.#byResult.get(result);
    if (metadata === undefined) this.#byResult.set(result, (metadata = this.#metadataOf(result)));
    setDynamicMetadata(streamInfo, this.#namespace, metadata);
  }

  #metadataOf({ allowed, policyId }: RbacResult): Record<string, unknown> {
    return {
      ...(policyId !== undefined && { [`${this.#prefix}effective_policy_id`]: policyId }),
      [`${this.#prefix}engine_result`]: allowed ? 'allowed' : 'denied',
    };
  }
}

/** For access loggers, where a LOG action says something. */
export function noteAccessLogHint({ streamInfo }: RbacSubject, { accessLogHint }: RbacResult): void {
  if (accessLogHint !== undefined)
    setDynamicMetadata(streamInfo, COMMON_NAMESPACE, { access_log_hint: accessLogHint });
}

export function countVerdict({ values, base }: StatBlock, { allowed }: RbacResult): void {
  values[base + RBAC_STATS.offset[allowed ? 'allowed' : 'denied']]++;
}

export function countShadowVerdict({ values, base }: StatBlock, { allowed }: RbacResult): void {
  values[base + RBAC_SHADOW_STATS.offset[allowed ? 'shadow_allowed' : 'shadow_denied']]++;
}
