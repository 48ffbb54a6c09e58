// istio.stats (stats.PluginConfig), for HTTP connection managers and for TCP.
// Istio: source/extensions/filters/http/istio_stats/config.proto.

import type { PluginConfig } from '../../../../../xds-protos/generated/stats.ts';
import { durationMs } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, HttpFilterFactory } from '../../../../api/registry.ts';
import { type WorkloadMetadata, workloadFromMetadata } from '../../../../common/istio/workload_metadata.ts';
import { IstioMetrics } from './istio_metrics.ts';
import { MetricOverrides } from './metric_overrides.ts';
import type { Reporter } from './peer_facts.ts';
import { IstioStatsFilter } from './stats.ts';

/** What the HTTP and the TCP filter share. */
export interface IstioStatsConfig {
  readonly reporter: Reporter;
  /** Our own workload. */
  readonly local: WorkloadMetadata;
  readonly metrics: IstioMetrics;
  readonly hostHeaderFallback: boolean;
  /** ms between reports of streams that last (gRPC messages, TCP bytes); 0 = at their end only. Default 5 s. */
  readonly reportDurationMs: number;
}

const DEFAULT_REPORT_DURATION_MS = 5000;

export const istioStatsFactory: HttpFilterFactory<PluginConfig> = {
  compile(config, context, path) {
    const filterConfig = compileIstioStats(config, context, path);
    return Object.freeze({ isTerminal: false, createFilter: () => new IstioStatsFilter(filterConfig) });
  },
};

export function compileIstioStats(
  config: PluginConfig,
  context: FactoryContext,
  path: string,
): IstioStatsConfig {
  for (const field of ['rotation_interval', 'graceful_deletion_interval'] as const) {
    if (durationMs(config[field]))
      throw new ConfigError(at(path, field), 'expiry of metrics is not supported');
  }
  const { nodeMetadata } = context.server;
  const version = nodeMetadata['ISTIO_VERSION'];
  context.stats
    .gauge('istiocustom.istio_build', [
      { name: 'component', value: 'proxy' },
      { name: 'tag', value: typeof version === 'string' && version !== '' ? version : 'unknown' },
    ])
    .set(context.thread === 'main' ? 1 : 0);
  return Object.freeze({
    reporter: reporterOf(config, context),
    local: workloadFromMetadata(nodeMetadata),
    metrics: new IstioMetrics(context.stats, new MetricOverrides(config, path)),
    hostHeaderFallback: !config.disable_host_header_fallback,
    reportDurationMs: durationMs(config.tcp_reporting_duration) ?? DEFAULT_REPORT_DURATION_MS,
  });
}

function reporterOf(config: PluginConfig, { listener }: FactoryContext): Reporter {
  if (config.reporter === 'SERVER_GATEWAY') return 'waypoint';
  return listener?.trafficDirection === 'INBOUND' ? 'destination' : 'source';
}
