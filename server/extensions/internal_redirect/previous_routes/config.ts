// envoy.internal_redirect_predicates.previous_routes: from one route, a request is redirected to each other route once.
// Envoy: source/extensions/internal_redirect/previous_routes.

import type { SettingsFactory } from '../../../api/registry.ts';
import type { FollowedRedirects, InternalRedirectPredicate } from '../../../api/router.ts';

const PREVIOUS_ROUTES: InternalRedirectPredicate = Object.freeze({
  acceptTargetRoute: (target: string, redirects: FollowedRedirects, current: string) =>
    redirects.noteTarget(current, target),
});

export const previousRoutesFactory: SettingsFactory = {
  compile: () => PREVIOUS_ROUTES,
};
