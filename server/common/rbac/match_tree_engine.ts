// Access control by a match tree, whose actions say what becomes of the request. Loaded with the first configuration that has one.
// Envoy: RoleBasedAccessControlMatcherEngineImpl of source/extensions/filters/common/rbac/engine_impl.cc.

import type { Action } from '../../../xds-protos/generated/envoy/config/rbac/v3.ts';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type { Matcher } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { leaf } from '../matcher/explain.ts';
import { compileMatchTree, type MatchTree } from '../matcher/match_tree.ts';
import type { RbacEngine, RbacResult } from './engine.ts';
import { compileRbacInput, type Unavailable } from './match_inputs.ts';
import type { RbacSite, RbacSubject } from './matchers.ts';

const ACTION = 'envoy.config.rbac.v3.Action';

const NO_MATCH: RbacResult = Object.freeze({
  allowed: false,
  policyId: undefined,
  accessLogHint: undefined,
});

export class MatchTreeEngine implements RbacEngine {
  readonly #tree: MatchTree<RbacSubject, TreeResult>;
  readonly #unavailable: Unavailable = { tls: false };

  /** Throws ConfigError. */
  constructor(config: Matcher, site: RbacSite, path: string) {
    const results: TreeResult[] = [];
    this.#tree = compileMatchTree<RbacSubject, TreeResult>(
      config,
      {
        input: (input, where) => compileRbacInput(input, site, this.#unavailable, where),
        action: (action, where) => {
          const result = compileAction(action, where);
          results.push(result);
          return result;
        },
        context: site.context,
      },
      path,
    );
    // Where any action logs, the others say that they do not.
    const accessLogHint = results.some(({ action }) => action === 'LOG') ? false : undefined;
    for (const result of results) if (result.action !== 'LOG') result.accessLogHint = accessLogHint;
  }

  evaluate(subject: RbacSubject): RbacResult {
    this.#unavailable.tls = false;
    const result = this.#tree.match(subject);
    return result === undefined || this.#unavailable.tls ? NO_MATCH : result;
  }

  explain(subject: RbacSubject): ExplainNode {
    this.evaluate(subject);
    if (this.#unavailable.tls) return leaf('match tree', false, 'it asks about TLS, and there is none');
    return this.#tree.explain(subject);
  }

  actionOf(result: RbacResult): string {
    return result instanceof TreeResult ? result.action : 'match tree';
  }
}

class TreeResult implements RbacResult {
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  readonly allowed: boolean;
  readonly policyId: string;
  accessLogHint: boolean | undefined;

  constructor({ name, action }: Action) {
    this.action = action === 'DENY' || action === 'LOG' ? action : 'ALLOW';
    this.allowed = this.action !== 'DENY';
    this.policyId = name;
    this.accessLogHint = this.action === 'LOG' ? true : undefined;
  }
}

function compileAction(config: TypedExtensionConfig, path: string): TreeResult {
  const where = at(path, 'typed_config');
  const decoded = config.typed_config && decodeAny(config.typed_config, where);
  if (decoded?.typeName === ACTION) return new TreeResult(decoded.message as unknown as Action);
  throw new ConfigError(
    where,
    `Didn't find a registered implementation for '${config.name}' with type URL: '${decoded?.typeName ?? ''}'`,
  );
}
