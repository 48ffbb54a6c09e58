// envoy.router.cluster_specifier_plugin.matcher: a match tree says which cluster a route leads to. Routes are made of it
// in common/router/cluster_specifier.ts. Envoy: source/extensions/router/cluster_specifiers/matcher.

import type { MatcherClusterSpecifier } from '../../../../../xds-protos/generated/envoy/extensions/router/cluster_specifiers/matcher/v3.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';

/** The message itself. */
export const matcherClusterSpecifierFactory: SettingsFactory<MatcherClusterSpecifier> = {
  compile: (config) => config,
};
