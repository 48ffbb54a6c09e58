// Compiles HttpConnectionManager.tracing. Without a tracer it still marks request ids, which proxies behind this one go by.

import type { HttpConnectionManager_Tracing } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/http_connection_manager/v3.ts';
import type { Percent } from '../../../../../xds-protos/generated/envoy/type/v3.ts';
import { wrapperValue } from '../../../../../xds-protos/well_known.ts';
import { at } from '../../../../api/config_error.ts';
import type { FactoryContext, ListenerScope } from '../../../../api/registry.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { compileCustomTags } from '../../../../common/tracing/custom_tag.ts';
import type { TracingConfig } from '../../../../common/tracing/stream_tracing.ts';
import { type Share, traceSampling } from '../../../../common/tracing/trace_sampling.ts';

const HANDLED = new Set([
  'client_sampling',
  'random_sampling',
  'overall_sampling',
  'verbose',
  'max_path_tag_length',
  'custom_tags',
  'provider',
  'spawn_upstream_span',
]);
/** Source: HttpConnectionManager.Tracing.max_path_tag_length. */
const DEFAULT_MAX_PATH_TAG_LENGTH = 256;

/** `stats` are of HTTP_TRACING_STATS. Throws ConfigError. */
export function compileTracing(
  config: HttpConnectionManager_Tracing | undefined,
  listener: ListenerScope,
  context: FactoryContext,
  stats: StatBlock,
  samplingByRequestId: boolean,
  path: string,
): TracingConfig | undefined {
  if (config === undefined) return undefined;
  rejectOtherFields(config, HANDLED, path);
  const { client_sampling: client, random_sampling: random, overall_sampling: overall } = config;
  const { server } = context;
  return {
    sampling: traceSampling(shareOf(client), shareOf(random), shareOf(overall), context.runtime),
    samplingByRequestId,
    stats,
    operation: listener.trafficDirection === 'OUTBOUND' ? 'egress' : 'ingress',
    spawnUpstreamSpan: config.spawn_upstream_span?.value ?? false,
    tracer: context.tracer(config.provider, at(path, 'provider')),
    nodeId: server.nodeId,
    zone: server.locality.zone,
    verbose: config.verbose,
    maxPathTagLength: wrapperValue(config.max_path_tag_length) ?? DEFAULT_MAX_PATH_TAG_LENGTH,
    customTags: compileCustomTags(config.custom_tags, at(path, 'custom_tags')),
  };
}

/** Percents have hundredths here. */
function shareOf(percent: Percent | undefined): Share | undefined {
  return percent && [Math.trunc(percent.value * 100), 10_000];
}
