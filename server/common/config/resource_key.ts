// The name under which a resource travels from the main thread to the workers. Main and worker compute it from the same
// ConfigSource, so that two resources of one name from different sources stay apart.

import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { ScopedRoutes } from '../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import { encode } from '../../../xds-protos/load.ts';
import { crypto } from '../builtins.ts';

/** `self` means ADS here: every resource that may say `self` comes by ADS or from a file that cannot say it. */
export function isAds(source: ConfigSource): boolean {
  return source.ads !== undefined || source.self !== undefined;
}

/**
 * The key of a secret, route or extension configuration: the plain name for ADS, `name@static` for a secret of the
 * bootstrap (`source` undefined), else the name with a digest of the source.
 */
export function resourceKey(source: ConfigSource | undefined, name: string): string {
  if (source === undefined) return `${name}@static`;
  if (isAds(source)) return name;
  const bytes = encode('envoy.config.core.v3.ConfigSource', source);
  return `${name}@${crypto.createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`;
}

/** The same of a route configuration with `vhds` that is written into a connection manager. */
export function inlineRoutesKey(config: RouteConfiguration): string {
  const bytes = encode('envoy.config.route.v3.RouteConfiguration', config);
  return `${config.name}@inline-${crypto.createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`;
}

/** The same of the scopes that a connection manager's `scoped_rds` names. */
export function scopedRoutesKey({ name, scoped_rds, rds_config_source }: ScopedRoutes): string {
  const routes = rds_config_source === undefined ? '' : resourceKey(rds_config_source, '');
  return `${resourceKey(scoped_rds?.scoped_rds_config_source, name)}${routes}`;
}
