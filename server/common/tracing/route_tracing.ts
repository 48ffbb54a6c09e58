// What a route says of tracing, in place of its connection manager. Envoy: RouteTracingImpl in
// source/common/router/config_impl.cc; document: envoy.config.route.v3.Tracing.

import type { Tracing } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at } from '../../api/config_error.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { RouteTracing } from '../../api/tracing.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { compileCustomTags } from './custom_tag.ts';
import { shareOf, traceSampling } from './trace_sampling.ts';

const HANDLED = new Set(['client_sampling', 'random_sampling', 'overall_sampling', 'custom_tags']);

/** Throws ConfigError. */
export function compileRouteTracing(
  config: Tracing | undefined,
  runtime: Runtime,
  path: string,
): RouteTracing | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, HANDLED, path);
  const { client_sampling: client, random_sampling: random, overall_sampling: overall } = config;
  return {
    sampling: traceSampling(
      shareOf(client, at(path, 'client_sampling')),
      shareOf(random, at(path, 'random_sampling')),
      shareOf(overall, at(path, 'overall_sampling')),
      runtime,
    ),
    customTags: compileCustomTags(config.custom_tags, at(path, 'custom_tags')),
  };
}
