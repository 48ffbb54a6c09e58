// InternalRedirectPolicy of envoy.config.route.v3, compiled: which redirects of upstreams the proxy follows by itself.
// Envoy: InternalRedirectPolicyImpl in source/common/router/config_impl.cc.

import type { RouteAction } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { InternalRedirectPolicy, InternalRedirectPredicate } from '../../api/router.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { checkFields } from './handled_fields.ts';

/** InternalRedirectPolicy.max_internal_redirects. */
const DEFAULT_MAX_INTERNAL_REDIRECTS = 1;
/** InternalRedirectPolicy.redirect_response_codes: others are ignored. */
const REDIRECT_CODES = [301, 302, 303, 307, 308];
const DEFAULT_CODES = [302];

/** Undefined where redirects are passed on. `path` is the RouteAction's. Throws ConfigError. */
export function compileInternalRedirectPolicy(
  action: RouteAction,
  context: FactoryContext,
  path: string,
): InternalRedirectPolicy | undefined {
  const policy = action.internal_redirect_policy;
  if (policy === undefined) {
    if (action.internal_redirect_action !== 'HANDLE_INTERNAL_REDIRECT') return undefined;
    // What the policy has taken the place of.
    return Object.freeze({
      codes: DEFAULT_CODES,
      maxInternalRedirects: action.max_internal_redirects?.value ?? DEFAULT_MAX_INTERNAL_REDIRECTS,
      allowCrossScheme: false,
      responseHeadersToCopy: [],
      predicates: [],
    });
  }
  const where = at(path, 'internal_redirect_policy');
  checkFields('InternalRedirectPolicy', policy, where);
  const codes = policy.redirect_response_codes.filter((code) => REDIRECT_CODES.includes(code));
  return Object.freeze({
    codes: policy.redirect_response_codes.length === 0 ? DEFAULT_CODES : codes,
    maxInternalRedirects: policy.max_internal_redirects?.value ?? DEFAULT_MAX_INTERNAL_REDIRECTS,
    allowCrossScheme: policy.allow_cross_scheme_redirect,
    responseHeadersToCopy: policy.response_headers_to_copy.map(headerName),
    predicates: policy.predicates.map((predicate, i) => {
      const inside = at(at(where, 'predicates'), i);
      const { factory, config } = context.registry.resolve(
        'envoy.internal_redirect_predicates',
        predicate.name,
        predicate.typed_config,
        inside,
      );
      return factory.compile(config, context, inside) as InternalRedirectPredicate;
    }),
  });
}
