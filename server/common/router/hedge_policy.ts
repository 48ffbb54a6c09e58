// HedgePolicy of envoy.config.route.v3. Envoy: HedgePolicyImpl in source/common/router/config_impl.cc.

import type { HedgePolicy } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at } from '../../api/config_error.ts';
import { checkFields } from './handled_fields.ts';

/** hedge_on_per_try_timeout; undefined where there is no policy. `path` is that of the message that has it. Throws ConfigError. */
export function compileHedgePolicy(policy: HedgePolicy | undefined, path: string): boolean | undefined {
  if (policy === undefined) return undefined;
  checkFields('HedgePolicy', policy, at(path, 'hedge_policy'));
  return policy.hedge_on_per_try_timeout;
}
