// The router filter's configuration: envoy.extensions.filters.http.router.v3.Router.

import { createRequire } from 'node:module';
import type { Router as RouterMessage } from '../../../../../xds-protos/generated/envoy/extensions/filters/http/router/v3.ts';
import { durationMs } from '../../../../../xds-protos/well_known.ts';
import { at } from '../../../../api/config_error.ts';
import type { HttpFilter, HttpFilterConfig } from '../../../../api/http/filter.ts';
import type { FactoryContext, HttpFilterFactory } from '../../../../api/registry.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import type { ClusterManager } from '../../../../api/upstream/cluster.ts';
import { compileAccessLogs } from '../../../../common/access_log/access_log_config.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { dataPath, loadOnWorker } from '../../../../common/data_path.ts';
import { ROUTER_STATS } from '../../../../common/stats/families/router.ts';
import type { Router } from './router.ts';
import type { UpstreamLogs } from './upstream_log.ts';

const require = createRequire(import.meta.url);
const router = dataPath<typeof Router>(() => require('./router.ts').Router);

const HANDLED = new Set([
  'dynamic_stats',
  'suppress_envoy_headers',
  'upstream_log',
  'upstream_log_options',
  'respect_expected_rq_timeout',
]);

export class RouterConfig implements HttpFilterConfig {
  readonly isTerminal = true;
  readonly stats: StatBlock;
  readonly clusterManager: ClusterManager;
  /** Per-response-code stats of clusters (`dynamic_stats`, on by default). */
  readonly dynamicStats: boolean;
  readonly suppressEnvoyHeaders: boolean;
  readonly respectExpectedRequestTimeout: boolean;
  /** Undefined without `upstream_log`. */
  readonly upstreamLogs: UpstreamLogs | undefined;
  /** This machine's address, from which mirrored requests say to come. */
  readonly localIp: string;

  constructor(options: Omit<RouterConfig, 'isTerminal' | 'createFilter'>) {
    this.stats = options.stats;
    this.clusterManager = options.clusterManager;
    this.dynamicStats = options.dynamicStats;
    this.suppressEnvoyHeaders = options.suppressEnvoyHeaders;
    this.respectExpectedRequestTimeout = options.respectExpectedRequestTimeout;
    this.upstreamLogs = options.upstreamLogs;
    this.localIp = options.localIp;
  }

  createFilter(): HttpFilter {
    return new (router())(this);
  }
}

export const routerFactory: HttpFilterFactory<RouterMessage> = {
  compile(config, context, path) {
    rejectOtherFields(config, HANDLED, path);
    loadOnWorker(context, router);
    return new RouterConfig({
      stats: context.stats.block(ROUTER_STATS, context.httpStatPrefix),
      clusterManager: context.clusterManager,
      dynamicStats: config.dynamic_stats?.value ?? true,
      suppressEnvoyHeaders: config.suppress_envoy_headers,
      respectExpectedRequestTimeout: config.respect_expected_rq_timeout,
      upstreamLogs: compileUpstreamLogs(config, context, path),
      localIp: context.server.localIp,
    });
  },
};

function compileUpstreamLogs(
  { upstream_log: list, upstream_log_options: options }: RouterMessage,
  context: FactoryContext,
  path: string,
): UpstreamLogs | undefined {
  const logs = compileAccessLogs(list, context, at(path, 'upstream_log'));
  if (logs.length === 0) return undefined;
  const module = require('./upstream_log.ts') as typeof import('./upstream_log.ts');
  return new module.UpstreamLogs({
    logs,
    onPoolReady: options?.flush_upstream_log_on_upstream_stream ?? false,
    intervalMs: durationMs(options?.upstream_log_flush_interval) ?? 0,
  });
}
