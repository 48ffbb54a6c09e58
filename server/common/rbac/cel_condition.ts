// The CEL condition of a policy. Loaded with the first policy that has one.
// Envoy: source/extensions/filters/common/rbac/engine_impl.cc, PolicyMatcher::matches.

import type * as core from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Expr } from '../../../xds-protos/generated/google/api/expr/v1alpha1.ts';
import { encode } from '../../../xds-protos/load.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ExplainNode } from '../../api/router.ts';
import { type CelExpression, compileCelExpr } from '../expr/cel_expression.ts';
import { leaf } from '../matcher/explain.ts';
import type { RbacMatcher, RbacSubject } from './matchers.ts';

export class CelCondition implements RbacMatcher {
  readonly #expression: CelExpression;

  /** Throws ConfigError. */
  constructor(
    condition: Expr,
    config: core.CelExpressionConfig | undefined,
    context: FactoryContext,
    path: string,
  ) {
    const bytes = encode('google.api.expr.v1alpha1.Expr', condition);
    this.#expression = compileCelExpr(bytes, config, context, path);
  }

  match({ headers, streamInfo }: RbacSubject): boolean {
    return this.#expression.matches({
      requestHeaders: headers,
      responseHeaders: undefined,
      responseTrailers: undefined,
      streamInfo,
      localReplyBody: '',
      accessLogType: 'NotSet',
    });
  }

  explain(subject: RbacSubject): ExplainNode {
    const matched = this.match(subject);
    return leaf('condition', matched, matched ? 'it comes to true' : 'it comes to false, or to an error');
  }
}
