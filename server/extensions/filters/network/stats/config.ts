// istio.stats for TCP: the same settings as the HTTP filter. Istio: IstioStatsNetworkFilterConfigFactory.

import type { PluginConfig } from '../../../../../xds-protos/generated/stats.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import { compileIstioStats } from '../../http/stats/config.ts';
import { IstioTcpStatsFilter } from './stats.ts';

export const istioTcpStatsFactory: NetworkFilterFactory<PluginConfig> = {
  compile(config, context, path) {
    const filterConfig = compileIstioStats(config, context, path);
    return Object.freeze({ isTerminal: false, createFilter: () => new IstioTcpStatsFilter(filterConfig) });
  },
};
