// Role-based access control: policies by name, each with permissions and principals, and one action for all.
// Envoy: source/extensions/filters/common/rbac/engine_impl.cc; api/envoy/config/rbac/v3/rbac.proto.

import type { Policy, RBAC } from '../../../xds-protos/generated/envoy/config/rbac/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { allOf, anyOf } from '../matcher/explain.ts';
import {
  OrMatcher,
  permissions,
  principals,
  type RbacLayer,
  type RbacMatcher,
  type RbacSubject,
} from './matchers.ts';

export interface RbacResult {
  /** LOG always allows. */
  readonly allowed: boolean;
  /** Name of the first policy that matched; undefined for none. */
  readonly policyId: string | undefined;
}

interface NamedPolicy {
  readonly name: string;
  readonly permissions: RbacMatcher;
  readonly principals: RbacMatcher;
  /** When no policy but this one matched. */
  readonly result: RbacResult;
}

export class RbacEngine {
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  readonly #policies: readonly NamedPolicy[];
  readonly #otherwise: RbacResult;

  /** Throws ConfigError. */
  constructor(config: RBAC, layer: RbacLayer, path: string) {
    if (config.audit_logging_options !== undefined) {
      throw new ConfigError(at(path, 'audit_logging_options'), 'audit logging is not supported');
    }
    const action = config.action === 'DENY' || config.action === 'LOG' ? config.action : 'ALLOW';
    this.action = action;
    this.#otherwise = { allowed: action !== 'ALLOW', policyId: undefined };
    // Envoy keeps policies in the order of their names.
    this.#policies = Object.entries(config.policies)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, policy]) =>
        compilePolicy(name, policy, action !== 'DENY', layer, `${at(path, 'policies')}[${name}]`),
      );
  }

  evaluate(subject: RbacSubject): RbacResult {
    for (const policy of this.#policies) {
      if (policy.permissions.match(subject) && policy.principals.match(subject)) return policy.result;
    }
    return this.#otherwise;
  }

  /** Cold twin of `evaluate`: `matched` means that a policy matched, whatever the action makes of it. */
  explain(subject: RbacSubject): ExplainNode {
    const policies = this.#policies.map((policy) =>
      allOf(`policy '${policy.name}'`, [
        policy.permissions.explain(subject),
        policy.principals.explain(subject),
      ]),
    );
    return anyOf(`${this.action} policies`, policies);
  }
}

function compilePolicy(
  name: string,
  policy: Policy,
  allowed: boolean,
  layer: RbacLayer,
  path: string,
): NamedPolicy {
  for (const field of ['condition', 'checked_condition', 'cel_config'] as const) {
    if (policy[field] !== undefined)
      throw new ConfigError(at(path, field), 'CEL conditions are not supported');
  }
  return {
    name,
    permissions: new OrMatcher(permissions(policy.permissions, layer, at(path, 'permissions'))),
    principals: new OrMatcher(principals(policy.principals, layer, at(path, 'principals'))),
    result: { allowed, policyId: name },
  };
}
