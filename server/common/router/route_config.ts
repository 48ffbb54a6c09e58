// RouteConfiguration, compiled: from a request's host to a virtual host, from its path to a route.
// Envoy: ConfigImpl in source/common/router/config_impl.cc, api/envoy/config/route/v3/route.proto.

import type { RouteConfiguration } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type {
  ExplainNode,
  Route,
  RouteConfig,
  RouteDiscovery,
  RouteDiscoveryWaiter,
} from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { leaf } from '../matcher/explain.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { withoutQuery } from '../matcher/path_matcher.ts';
import { lowerCase } from '../matcher/string_matcher.ts';
import { DomainMatcher } from './domain_matcher.ts';
import { checkFields } from './handled_fields.ts';
import { NO_HITS } from './route.ts';
import type { RouteHits } from './route_hits.ts';
import type { VirtualHost } from './virtual_host.ts';
import { compileGlobalScope, compileVirtualHost } from './virtual_host_config.ts';

export class CompiledRouteConfig implements RouteConfig {
  readonly name: string;
  private readonly internalHeaders: readonly string[];
  readonly mostSpecificHeaderMutationsWins: boolean;
  readonly clusterNames: readonly string[];
  readonly domains: DomainMatcher<VirtualHost>;
  private readonly ignorePathParameters: boolean;
  /** Kept for those who ask: the thread's list of them is weak. */
  readonly hits: RouteHits | undefined;
  /** Of virtual hosts (`vhds`). */
  private readonly discovery: RouteDiscovery | undefined;

  constructor(
    config: RouteConfiguration,
    domains: DomainMatcher<VirtualHost>,
    clusterNames: readonly string[],
    hits: RouteHits | undefined,
    discovery: RouteDiscovery | undefined,
  ) {
    this.name = config.name;
    this.internalHeaders = Object.freeze(config.internal_only_headers.map(headerName));
    this.mostSpecificHeaderMutationsWins = config.most_specific_header_mutations_wins;
    this.clusterNames = Object.freeze(clusterNames);
    this.domains = domains;
    this.discovery = discovery;
    this.ignorePathParameters = config.ignore_path_parameters_in_path_matching;
    this.hits = hits;
    Object.freeze(this);
  }

  internalOnlyHeaders(): readonly string[] {
    return this.internalHeaders;
  }

  route(headers: RequestHeaderMap, info: StreamInfo, streamId: number): Route | undefined {
    return this.domains.find(headers.host)?.route(this.pathOf(headers), headers, info, streamId);
  }

  discover({ host }: RequestHeaderMap, waiter: RouteDiscoveryWaiter): (() => void) | undefined {
    return host === undefined ? undefined : this.discovery?.request(lowerCase(host), waiter);
  }

  /** What routes match: the path without query, fragment and, where asked, parameters. */
  pathOf(headers: RequestHeaderMap): string {
    const path = withoutQuery(headers.path);
    // Parameters of every segment: `/a;x=1/b` is matched as `/a/b`.
    return this.ignorePathParameters && path.includes(';') ? path.replace(/;[^/]*/g, '') : path;
  }

  explain(headers: RequestHeaderMap, info: StreamInfo, streamId: number): ExplainNode {
    const what = `route configuration '${this.name}'`;
    const host = this.domains.find(headers.host);
    const reason = this.domains.reason(headers.host);
    if (host === undefined) {
      const children = [leaf('virtual host', false, reason), ...this.explainDiscovery(headers)];
      return { what, matched: false, reason, children };
    }
    const routes = host.explain(this.pathOf(headers), headers, info, streamId);
    const matched = routes.at(-1)?.matched ?? false;
    const children = [leaf(`virtual host '${host.name}'`, true, reason), ...routes];
    if (!matched) children.push(...this.explainDiscovery(headers));
    return {
      what,
      matched,
      reason: matched ? routes.at(-1)!.what : 'no route of the virtual host matches',
      children,
    };
  }

  private explainDiscovery({ host = '' }: RequestHeaderMap): ExplainNode[] {
    if (this.discovery === undefined) return [];
    const reason = `the on_demand filter asks the control plane for '${this.name}/${lowerCase(host)}'`;
    return [leaf('virtual host discovery', false, reason)];
  }
}

export interface RouteConfigurationOptions {
  /** What validate_clusters is where it is not set: true for inline routes, false for RDS (the proto's own words). */
  readonly validateClusters: boolean;
  /** Where requests are counted; nowhere by default. */
  readonly hits?: RouteHits | undefined;
  /** The key by which its virtual hosts are asked for, where it has `vhds`. */
  readonly key?: string;
}

/** Throws ConfigError. `path` is where the RouteConfiguration stands: '' for an RDS resource. */
export function compileRouteConfiguration(
  config: RouteConfiguration,
  context: FactoryContext,
  path: string,
  options: RouteConfigurationOptions = { validateClusters: false },
): RouteConfig {
  checkFields('RouteConfiguration', config, path);
  const global = compileGlobalScope(config, context, path, options.hits?.counts ?? NO_HITS);
  const domains = new DomainMatcher<VirtualHost>(config.name, config.ignore_port_in_host_matching);
  let place = 0;
  config.virtual_hosts.forEach((virtualHost, i) => {
    const inside = at(at(path, 'virtual_hosts'), i);
    const compiled = compileVirtualHost(virtualHost, global, context, inside, place);
    place += virtualHost.routes.length;
    virtualHost.domains.forEach((domain, n) => {
      domains.add(domain, compiled, at(at(inside, 'domains'), n));
    });
  });
  const clusterNames = [...global.clusterPaths.keys()];
  if (config.validate_clusters?.value ?? options.validateClusters) {
    for (const [name, where] of global.clusterPaths) context.checkCluster(name, where);
  }
  const { key, hits } = options;
  const discovery =
    config.vhds === undefined || key === undefined ? undefined : context.routeDiscovery('virtual_host', key);
  return new CompiledRouteConfig(config, domains, clusterNames, hits, discovery);
}
