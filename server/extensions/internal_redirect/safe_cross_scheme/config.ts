// envoy.internal_redirect_predicates.safe_cross_scheme: no redirect from http to https, which a client without TLS must not see.
// Envoy: source/extensions/internal_redirect/safe_cross_scheme.

import type { SettingsFactory } from '../../../api/registry.ts';
import type { FollowedRedirects, InternalRedirectPredicate } from '../../../api/router.ts';

const SAFE_CROSS_SCHEME: InternalRedirectPredicate = Object.freeze({
  acceptTargetRoute: (
    _target: string,
    _redirects: FollowedRedirects,
    _current: string,
    downstreamIsHttps: boolean,
    targetIsHttps: boolean,
  ) => downstreamIsHttps || !targetIsHttps,
});

export const safeCrossSchemeFactory: SettingsFactory = {
  compile: () => SAFE_CROSS_SCHEME,
};
