// virtual_clusters of a virtual host: requests that are counted together, chosen by headers.
// Envoy: virtualClusterFromEntries in source/common/router/config_impl.cc.

import type { VirtualHost } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { RequestStats } from '../../api/router.ts';
import type { StatStore } from '../../api/stats.ts';
import { compileHeaderMatchers, type HeaderMatcher, matchHeaders } from '../matcher/header_matcher.ts';
import { checkFields } from './handled_fields.ts';
import { PrefixedRequestStats } from './request_stats.ts';

export interface VirtualCluster {
  /** '' for what no other matches, which is counted as `other`. */
  readonly name: string;
  readonly stats: RequestStats;
}

export class VirtualClusters {
  /** The last is the one for what no other matches. Empty where none is configured. */
  readonly all: readonly VirtualCluster[];
  private readonly matchers: readonly (readonly HeaderMatcher[])[];

  constructor({ name: host, virtual_clusters: configs }: VirtualHost, store: StatStore, path: string) {
    const statsOf = (name: string): RequestStats =>
      new PrefixedRequestStats(store, `vhost.${host}.vcluster.${name}.`);
    this.matchers = configs.map((config, i) => {
      const inside = at(at(path, 'virtual_clusters'), i);
      checkFields('VirtualCluster', config, inside);
      if (config.headers.length === 0)
        throw new ConfigError(inside, "virtual clusters must define 'headers'");
      return compileHeaderMatchers(config.headers, at(inside, 'headers'));
    });
    const named = configs.map(({ name }) => ({ name, stats: statsOf(name) }));
    this.all = configs.length === 0 ? [] : [...named, { name: '', stats: statsOf('other') }];
  }

  /** The place in `all` of the one for a request; 0 where there are none. */
  indexOf(headers: RequestHeaderMap): number {
    const { matchers } = this;
    let index = 0;
    while (index < matchers.length && !matchHeaders(matchers[index], headers)) index++;
    return index;
  }
}
