// envoy.internal_redirect_predicates.allow_listed_routes: a redirect leads to these routes only.
// Envoy: source/extensions/internal_redirect/allow_listed_routes.

import type { AllowListedRoutesConfig } from '../../../../xds-protos/generated/envoy/extensions/internal_redirect/allow_listed_routes/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';
import type { InternalRedirectPredicate } from '../../../api/router.ts';

class AllowListedRoutes implements InternalRedirectPredicate {
  private readonly names: ReadonlySet<string>;
  constructor(names: readonly string[]) {
    this.names = new Set(names);
  }
  acceptTargetRoute(target: string): boolean {
    return this.names.has(target);
  }
}

export const allowListedRoutesFactory: SettingsFactory<AllowListedRoutesConfig> = {
  compile: (config) => Object.freeze(new AllowListedRoutes(config.allowed_route_names)),
};
