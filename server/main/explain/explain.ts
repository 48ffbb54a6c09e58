// Explains what happens to a request or a connection: walks the compiled configuration from the address that it comes to, to the
// hosts that it may reach, and tells at each step what was chosen, why, and what else there was. docs/explain.md.

import { at, ConfigError } from '../../api/config_error.ts';
import type { RouteEntry } from '../../api/router.ts';
import { ConnectionManager } from '../../common/http/conn_manager.ts';
import type { ConnectionManagerConfig } from '../../common/http/conn_manager_config.ts';
import type { RequestHeaders } from '../../common/http/header_map.ts';
import type { FilterChainConfig } from '../../common/listener/listener_config.ts';
import type { CompiledRouteConfig } from '../../common/router/route_config.ts';
import { ScopedRouteConfig } from '../../common/router/scoped_routes.ts';
import { type ConnectionInfoRecord, StreamInfoRecord } from '../../common/stream_info/stream_info.ts';
import { RequestLoadBalancerContext } from '../../extensions/filters/http/router/load_balancer_context.ts';
import { TcpProxyConfig } from '../../extensions/filters/network/tcp_proxy/config.ts';
import { TcpLoadBalancerContext } from '../../extensions/filters/network/tcp_proxy/load_balancer_context.ts';
import { directAction, filtersStep, forwardAction, upgradeStep } from './action_steps.ts';
import { explainCluster } from './cluster_steps.ts';
import { type CompiledConfiguration, compiledRoutes, type ExplainedListener } from './configuration.ts';
import { addressText, type Description } from './description.ts';
import type {
  ClusterShare,
  DescribedConnection,
  ExplainedResponse,
  ExplainedResult,
  ExplainStep,
  Explanation,
  HostShare,
  NearestMiss,
  Outcome,
} from './explanation.ts';
import { chooseFilterChain, connectionOf, findListener, presentedTls } from './listener_steps.ts';
import { passNetworkFilters, TCP_CLUSTER_KEY } from './network_filter_steps.ts';
import { headersOf, percent, receiveRequest, routeRequest } from './request_steps.ts';
import { ended, passed } from './steps.ts';

/** One question. */
export async function explain(
  configuration: CompiledConfiguration,
  wanted: Description,
): Promise<Explanation> {
  configuration.refresh();
  return new Walk(configuration, wanted).run();
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Walk {
  readonly #configuration: CompiledConfiguration;
  readonly #wanted: Description;
  readonly #steps: ExplainStep[] = [];
  readonly #result: ExplainedResult = {};
  #clusters: readonly ClusterShare[] = [];
  #hosts: readonly HostShare[] = [];
  #response: ExplainedResponse | undefined;
  #headers: RequestHeaders | undefined;
  #connection: ConnectionInfoRecord | undefined;
  #nearestMiss: NearestMiss | undefined;

  constructor(configuration: CompiledConfiguration, wanted: Description) {
    this.#configuration = configuration;
    this.#wanted = wanted;
    this.#headers = wanted.request === undefined ? undefined : headersOf(wanted.request);
  }

  async run(): Promise<Explanation> {
    const { listener, step, restored } = findListener(this.#configuration.listeners, this.#wanted);
    this.#steps.push(step);
    if (listener === undefined) return this.#end('no_listener', step.reason);
    this.#result.listener = listener.name;
    try {
      return await this.#listener(listener, restored);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const reason = `this configuration cannot be compiled here: ${error.message}`;
      this.#steps.push(ended('filter_chain', 'Filter chain', reason));
      return this.#end('rejected', reason);
    }
  }

  async #listener(listener: ExplainedListener, restored: boolean): Promise<Explanation> {
    const config = this.#configuration.listener(listener.name);
    const { info, step } = connectionOf(listener, this.#wanted, restored);
    this.#connection = info;
    this.#steps.push(step);
    const chosen = chooseFilterChain(listener, config, info);
    this.#steps.push(chosen.step);
    const { chain } = chosen;
    if (chain === undefined) {
      this.#response = { status: 0, flags: ['NR'], details: 'filter_chain_not_found' };
      return this.#end('no_filter_chain', chosen.step.reason);
    }
    this.#result.filter_chain = chosen.step.found;
    info.filterChainName = chain.name;
    const secure = chain.transportSocket !== undefined;
    if (secure && !this.#wanted.tls)
      return this.#refusedByTls('the chain speaks TLS, and the client does not: the handshake fails');
    if (secure) info.ssl = presentedTls(this.#wanted);
    const filter = chain.filters.at(-1)?.createFilter();
    const { filters, transport_socket: socket } = this.#configuration.filterChain(chain);
    const through = passNetworkFilters(filters, socket?.name ?? '', info, this.#configuration.context);
    this.#steps.push(through.step);
    if (through.denied !== '') {
      this.#response = { status: 0, flags: [], details: through.denied };
      return this.#end('rejected', through.step.reason);
    }
    if (filter instanceof ConnectionManager) {
      if (!secure && this.#wanted.tls)
        return this.#refusedByTls('the client speaks TLS, and the chain does not: its bytes are no HTTP');
      if (this.#headers === undefined)
        return this.#end('answered', 'the connection is HTTP: describe a request to see where it goes');
      return this.#http(filter.config, chain, this.#headers, info);
    }
    const last = chain.filters.at(-1);
    if (last instanceof TcpProxyConfig) return this.#tcp(last, info);
    const name = filters.at(-1)?.name ?? '';
    return this.#end('answered', `network filter '${name}' answers the connection itself`);
  }

  #refusedByTls(reason: string): Explanation {
    this.#steps.push(ended('network_filters', 'Transport socket', reason));
    return this.#end('rejected', reason);
  }

  // ---- HTTP ------------------------------------------------------------------------------------------------------------

  async #http(
    config: ConnectionManagerConfig,
    chain: FilterChainConfig,
    headers: RequestHeaders,
    connection: ConnectionInfoRecord,
  ): Promise<Explanation> {
    const info = new StreamInfoRecord(connection, Date.now(), performance.now());
    info.protocol = this.#wanted.protocol;
    const received = receiveRequest(headers, info, config);
    this.#steps.push(received.step);
    if (received.response !== undefined) {
      this.#response = received.response;
      return this.#end(
        received.response.location === undefined ? 'rejected' : 'redirect',
        received.step.reason,
      );
    }
    const { routes, scopeMissing } = this.#routes(config, headers);
    if (scopeMissing) {
      this.#response = { status: 404, flags: ['NR'], details: 'route_not_found' };
      return this.#end('no_route', (this.#steps.at(-1) as ExplainStep).reason);
    }
    if (routes === undefined) {
      const reason = `the route configuration '${config.routes.name}' has not come (RDS)`;
      this.#steps.push(
        ended('virtual_host', 'Route configuration', reason, {
          link: { kind: 'route', name: config.routes.name },
        }),
      );
      this.#response = { status: 404, flags: ['NR'], details: 'route_not_found' };
      return this.#end('no_route', reason);
    }
    this.#result.route_config = routes.name;
    const message = this.#configuration.routeMessage(this.#configuration.filterChain(chain), routes);
    const routed = await routeRequest(routes, message, headers, info, pause);
    this.#steps.push(...routed.steps);
    this.#nearestMiss = routed.nearestMiss;
    const { virtualHost, possible } = routed.explanation;
    if (virtualHost !== undefined) this.#result.virtual_host = virtualHost.name;
    const route = routed.chosen?.route;
    const upgrade = upgradeStep(headers, route, config);
    if (upgrade !== undefined) this.#steps.push(upgrade.step);
    if (upgrade?.refused === true) {
      this.#response = { status: 403, flags: [], details: 'upgrade_failed' };
      return this.#end('rejected', upgrade.step.reason);
    }
    info.route = route;
    const filters = filtersStep(upgrade?.filters ?? config.filters, route, headers, info);
    this.#steps.push(filters.step);
    if (filters.response !== undefined) {
      this.#response = filters.response;
      return this.#end('rejected', filters.step.reason);
    }
    if (routed.chosen === undefined || route === undefined) {
      this.#response = { status: 404, flags: ['NR'], details: 'route_not_found' };
      return this.#end('no_route', (routed.steps.at(-1) as ExplainStep).reason);
    }
    this.#result.route = route.name || (routed.steps.at(-1)?.found ?? '');
    const { index } = routed.chosen;
    const { place } = routed.explanation;
    if (place !== '') this.#result.route_place = at(place, index);
    else if (index >= 0) this.#result.route_index = index;
    if (route.routeEntry === undefined) {
      const action = directAction(route, headers, info);
      this.#steps.push(action.step);
      this.#response = action.response;
      return this.#end(action.redirect ? 'redirect' : 'direct_response', action.step.found);
    }
    return this.#forward(route.routeEntry, possible, headers, info);
  }

  /** Those of the connection manager, or of the scope that the request is in. */
  #routes(
    config: ConnectionManagerConfig,
    headers: RequestHeaders,
  ): { readonly routes: CompiledRouteConfig | undefined; readonly scopeMissing: boolean } {
    const { current } = config.routes;
    if (!(current instanceof ScopedRouteConfig))
      return { routes: compiledRoutes(current), scopeMissing: false };
    const scope = current.scopeOf(headers);
    const tree = current.explain(headers, new StreamInfoRecord(this.#connection!, 0, 0), 0);
    const routes = compiledRoutes(scope?.routes.current);
    const reason = tree.children[0]?.reason ?? tree.reason;
    if (scope === undefined || routes === undefined) {
      this.#steps.push(ended('scope', 'Scope', scope === undefined ? reason : tree.reason, { tree }));
      return { routes: undefined, scopeMissing: true };
    }
    this.#steps.push(passed('scope', 'Scope', scope.name, reason, { tree }));
    return { routes, scopeMissing: false };
  }

  #forward(
    entry: RouteEntry,
    possible: readonly {
      readonly route: { readonly routeEntry: RouteEntry | undefined };
      readonly share: number;
    }[],
    headers: RequestHeaders,
    info: StreamInfoRecord,
  ): Explanation {
    const shares = new Map<string, { entry: RouteEntry; share: number }>();
    for (const { route, share } of possible) {
      if (route.routeEntry === undefined) continue;
      const name = route.routeEntry.clusterName(headers, 0);
      const before = shares.get(name);
      if (before === undefined) shares.set(name, { entry: route.routeEntry, share });
      else before.share += share;
    }
    const name = entry.clusterName(headers, 0);
    this.#result.cluster = name;
    this.#steps.push(forwardAction(entry, name, headers, info));
    const why = (share: number): string =>
      shares.size <= 1 ? 'the route names it' : `${percent(share)} of requests like this one go to it`;
    this.#clusters = [...shares].map(([each, { share }]) => ({ name: each, share, reason: why(share) }));
    const hosts: HostShare[] = [];
    let outcome: Outcome = 'forwarded';
    let reason = '';
    for (const [each, { entry: of, share }] of shares) {
      const context = new RequestLoadBalancerContext(headers, info, of);
      const found = explainCluster(this.#configuration, each, why(share), of.priority, context);
      hosts.push(...found.hosts);
      if (each !== name) continue;
      this.#steps.push(...found.steps);
      if (found.found === 'hosts') continue;
      outcome = found.found;
      reason = (found.steps.at(-1) as ExplainStep).reason;
      this.#nearestMiss ??= found.steps.at(-1)?.nearest_miss;
      this.#response =
        found.found === 'no_cluster'
          ? { status: of.clusterNotFoundResponseCode, flags: ['NC'], details: 'cluster_not_found' }
          : { status: 503, flags: ['UH'], details: 'no_healthy_upstream' };
    }
    this.#hosts = hosts;
    return this.#end(outcome, reason || `it goes to cluster '${name}', ${hostsText(hosts, name)}`);
  }

  // ---- TCP -------------------------------------------------------------------------------------------------------------

  #tcp(config: TcpProxyConfig, connection: ConnectionInfoRecord): Explanation {
    const info = connection.streamInfo;
    const total = config.weightSums.at(-1) ?? 1;
    const named = connection.filterState.get(TCP_CLUSTER_KEY)?.serializeAsString();
    const shares =
      named === undefined
        ? config.routes.map(({ clusterName, metadataMatch }, i) => ({
            clusterName,
            metadataMatch,
            share:
              config.routes.length === 1
                ? 1
                : ((config.weightSums[i] as number) - (config.weightSums[i - 1] ?? 0)) / total,
          }))
        : [{ clusterName: named, metadataMatch: config.defaultMetadataMatch, share: 1 }];
    const best = shares.toSorted((a, b) => b.share - a.share)[0]!;
    this.#result.cluster = best.clusterName;
    const why = (share: number): string =>
      named !== undefined
        ? 'the server name chooses it (sni_cluster)'
        : shares.length === 1
          ? 'the TCP proxy names it'
          : `${percent(share)} of connections go to it`;
    this.#clusters = shares.map(({ clusterName, share }) => ({
      name: clusterName,
      share,
      reason: why(share),
    }));
    const hosts: HostShare[] = [];
    let outcome: Outcome = 'tcp_forwarded';
    let reason = '';
    for (const { clusterName, metadataMatch, share } of shares) {
      const context = new TcpLoadBalancerContext(info, metadataMatch, config.hash);
      const found = explainCluster(this.#configuration, clusterName, why(share), 0, context);
      hosts.push(...found.hosts);
      if (clusterName !== best.clusterName) continue;
      this.#steps.push(...found.steps);
      if (found.found === 'hosts') continue;
      outcome = found.found;
      reason = (found.steps.at(-1) as ExplainStep).reason;
      this.#nearestMiss ??= found.steps.at(-1)?.nearest_miss;
      this.#response = { status: 0, flags: [found.found === 'no_cluster' ? 'NC' : 'UH'], details: '' };
    }
    this.#hosts = hosts;
    return this.#end(
      outcome,
      reason || `its bytes go to cluster '${best.clusterName}', ${hostsText(hosts, best.clusterName)}`,
    );
  }

  // ---- end -------------------------------------------------------------------------------------------------------------

  #end(outcome: Outcome, reason: string): Explanation {
    const way = [
      this.#result.listener,
      this.#result.filter_chain,
      this.#result.virtual_host,
      this.#result.route,
    ];
    const path = way.filter((each) => each !== undefined && each !== '').join(' > ');
    const nearest = this.#nearestMiss ?? this.#steps.at(-1)?.nearest_miss;
    const answer = this.#response === undefined ? '' : answerText(this.#response);
    return {
      outcome,
      summary: `${path === '' ? '' : `${path}: `}${reason}${answer}`,
      ...(this.#response !== undefined && { response: this.#response }),
      ...(this.#headers !== undefined && { request: describedRequest(this.#headers) }),
      connection: this.#describedConnection(),
      result: this.#result,
      steps: this.#steps,
      clusters: this.#clusters,
      hosts: this.#hosts,
      ...(nearest !== undefined && { nearest_miss: nearest }),
    };
  }

  #describedConnection(): DescribedConnection {
    const { destinationIp, destinationPort, sourceIp, sourcePort, serverName, tls, alpn, protocol } =
      this.#wanted;
    return {
      listener: this.#result.listener ?? '',
      source: addressText(sourceIp, sourcePort),
      destination: this.#connection?.localAddress.text ?? addressText(destinationIp, destinationPort),
      server_name: serverName,
      tls,
      alpn,
      protocol,
    };
  }
}

function describedRequest({ method, scheme, host, path, list }: RequestHeaders) {
  const headers: { name: string; value: string }[] = [];
  for (let i = 0; i < list.length; i += 2)
    headers.push({ name: list[i] as string, value: list[i + 1] as string });
  return { method, scheme, authority: host ?? '', path, headers };
}

function hostsText(hosts: readonly HostShare[], cluster: string): string {
  const usable = hosts.filter((host) => host.cluster === cluster && host.share > 0);
  return usable.length === 1 ? `host ${usable[0]?.address}` : `one of ${usable.length} hosts`;
}

function answerText({ status, flags, location }: ExplainedResponse): string {
  if (status === 0) return flags.length === 0 ? '' : ` (${flags.join(',')})`;
  return `; the answer is ${status}${flags.length === 0 ? '' : ` ${flags.join(',')}`}${location === undefined ? '' : ` to ${location}`}`;
}
