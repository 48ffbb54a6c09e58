// virtual_clusters of a virtual host: names for statistics, by headers. Envoy: virtualClusterFromEntries in config_impl.cc.

import type { VirtualCluster } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import { compileHeaderMatchers, type HeaderMatcher, matchHeaders } from '../matcher/header_matcher.ts';
import { checkFields } from './handled_fields.ts';

export class VirtualClusters {
  private readonly names: readonly string[];
  private readonly matchers: readonly (readonly HeaderMatcher[])[];

  constructor(configs: readonly VirtualCluster[], path: string) {
    this.names = configs.map((config) => config.name);
    this.matchers = configs.map((config, i) => {
      const inside = at(at(path, 'virtual_clusters'), i);
      checkFields('VirtualCluster', config, inside);
      if (config.headers.length === 0)
        throw new ConfigError(inside, "virtual clusters must define 'headers'");
      return compileHeaderMatchers(config.headers, at(inside, 'headers'));
    });
  }

  /** '' where none matches. */
  nameOf(headers: RequestHeaderMap): string {
    for (let i = 0; i < this.names.length; i++) {
      if (matchHeaders(this.matchers[i], headers)) return this.names[i];
    }
    return '';
  }
}
