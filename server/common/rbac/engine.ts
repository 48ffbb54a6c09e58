// Role-based access control: policies by name, each with permissions and principals, and one action for all.
// Envoy: source/extensions/filters/common/rbac/engine_impl.cc; api/envoy/config/rbac/v3/rbac.proto.

import { createRequire } from 'node:module';
import type { Policy, RBAC } from '../../../xds-protos/generated/envoy/config/rbac/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { allOf, anyOf } from '../matcher/explain.ts';
import {
  OrMatcher,
  permissions,
  principals,
  type RbacMatcher,
  type RbacSite,
  type RbacSubject,
} from './matchers.ts';

const require = createRequire(import.meta.url);

/** One of few for each engine: whoever keeps something for each of them finds it by the object. */
export interface RbacResult {
  /** LOG always allows. */
  readonly allowed: boolean;
  /** Name of the first policy that matched, or of the action that a match tree led to; undefined for none. */
  readonly policyId: string | undefined;
  /** Whether access loggers should log it; undefined where no LOG action is about that. */
  readonly accessLogHint: boolean | undefined;
}

/** Judges by policies or by a match tree. */
export interface RbacEngine {
  evaluate(subject: RbacSubject): RbacResult;
  /** Cold twin of `evaluate`: `matched` means that something matched, whatever its action makes of it. */
  explain(subject: RbacSubject): ExplainNode;
  /** The action of what matched, for people. */
  actionOf(result: RbacResult): string;
}

interface NamedPolicy {
  readonly name: string;
  readonly permissions: RbacMatcher;
  readonly principals: RbacMatcher;
  readonly condition: RbacMatcher | undefined;
  /** When no policy before this one matched. */
  readonly result: RbacResult;
}

export class PolicyEngine implements RbacEngine {
  readonly #action: 'ALLOW' | 'DENY' | 'LOG';
  readonly #policies: readonly NamedPolicy[];
  readonly #otherwise: RbacResult;

  /** Throws ConfigError. */
  constructor(config: RBAC, site: RbacSite, path: string) {
    if (config.audit_logging_options !== undefined) {
      throw new ConfigError(at(path, 'audit_logging_options'), 'audit logging is not supported');
    }
    const action = config.action === 'DENY' || config.action === 'LOG' ? config.action : 'ALLOW';
    this.#action = action;
    const accessLogHint = action === 'LOG' ? false : undefined;
    this.#otherwise = { allowed: action !== 'ALLOW', policyId: undefined, accessLogHint };
    // Envoy keeps policies in the order of their names.
    this.#policies = Object.entries(config.policies)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, policy]) => compilePolicy(name, policy, action, site, `${at(path, 'policies')}[${name}]`));
  }

  evaluate(subject: RbacSubject): RbacResult {
    for (const { permissions, principals, condition, result } of this.#policies) {
      if (!permissions.match(subject) || !principals.match(subject)) continue;
      if (condition === undefined || condition.match(subject)) return result;
    }
    return this.#otherwise;
  }

  explain(subject: RbacSubject): ExplainNode {
    const policies = this.#policies.map(({ name, permissions, principals, condition }) =>
      allOf(`policy '${name}'`, [
        permissions.explain(subject),
        principals.explain(subject),
        ...(condition === undefined ? [] : [condition.explain(subject)]),
      ]),
    );
    return anyOf(`${this.#action} policies`, policies);
  }

  actionOf(): string {
    return this.#action;
  }
}

function compilePolicy(
  name: string,
  policy: Policy,
  action: 'ALLOW' | 'DENY' | 'LOG',
  site: RbacSite,
  path: string,
): NamedPolicy {
  if (policy.checked_condition !== undefined)
    throw new ConfigError(at(path, 'checked_condition'), 'only condition is supported');
  return {
    name,
    permissions: new OrMatcher(permissions(policy.permissions, site, at(path, 'permissions'))),
    principals: new OrMatcher(principals(policy.principals, site, at(path, 'principals'))),
    condition: policy.condition && compileCondition(policy, site, at(path, 'condition')),
    result: {
      allowed: action !== 'DENY',
      policyId: name,
      accessLogHint: action === 'LOG' ? true : undefined,
    },
  };
}

function compileCondition(
  { condition, cel_config }: Policy,
  { context }: RbacSite,
  path: string,
): RbacMatcher {
  const { CelCondition } = require('./cel_condition.ts') as typeof import('./cel_condition.ts');
  return new CelCondition(condition!, cel_config, context, path);
}

/** Response code details of what was denied. Source: responseDetail of source/extensions/filters/common/rbac/utility.cc. */
export function deniedDetails({ policyId = 'none' }: RbacResult): string {
  return `rbac_access_denied_matched_policy[${policyId.replaceAll(/\s/g, '_')}]`;
}

/** For people. */
export function describeResult(engine: RbacEngine, result: RbacResult): string {
  const action = engine.actionOf(result);
  const { policyId } = result;
  return policyId === undefined ? `no ${action} policy matches` : `policy '${policyId}' (${action}) matches`;
}
