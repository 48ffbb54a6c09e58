// envoy.filters.http.dynamic_forward_proxy: looks the request's host up before the router needs it.
// Envoy: source/extensions/filters/http/dynamic_forward_proxy/config.cc.

import { createRequire } from 'node:module';
import type {
  FilterConfig,
  PerRouteConfig,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/dynamic_forward_proxy/v3.ts';
import { durationMs } from '../../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { latin1Of } from '../../../../common/matcher/latin1.ts';
import type { HostRewrite } from './dynamic_forward_proxy.ts';

const require = createRequire(import.meta.url);
const HANDLED = new Set(['dns_cache_config', 'sub_cluster_config', 'allow_dynamic_host_from_filter_state']);
/** Source: SubClusterConfig.cluster_init_timeout. */
const DEFAULT_SUB_CLUSTER_TIMEOUT_MS = 5000;

export const dynamicForwardProxyFactory: HttpFilterFactory<FilterConfig, PerRouteConfig> = {
  compile(config, context, path) {
    rejectOtherFields(config, HANDLED, path);
    const where = at(path, 'dns_cache_config');
    const { dns_cache_config: dnsCache, sub_cluster_config: subCluster } = config;
    if (dnsCache === undefined && subCluster === undefined) throw new ConfigError(where, 'value is required');
    const cache = dnsCache && context.dnsCache(dnsCache, where);
    const { ProxyFilter } =
      require('./dynamic_forward_proxy.ts') as typeof import('./dynamic_forward_proxy.ts');
    const { clusterManager } = context;
    const filterConfig = {
      cache,
      subClusterTimeoutMs: durationMs(subCluster?.cluster_init_timeout) ?? DEFAULT_SUB_CLUSTER_TIMEOUT_MS,
      touched: new Map<string, number>(),
      clusterManager,
      hostFromFilterState: config.allow_dynamic_host_from_filter_state,
    };
    return Object.freeze({ isTerminal: false, createFilter: () => new ProxyFilter(filterConfig) });
  },
  compileRoute: ({ host_rewrite_literal: literal, host_rewrite_header: header }): HostRewrite =>
    Object.freeze({ literal: latin1Of(literal ?? ''), header: latin1Of(header ?? '').toLowerCase() }),
};
