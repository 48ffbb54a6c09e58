// The way of a connection as boxes and what leads from one to the next: listener, chains, filters, routes, clusters, hosts.
// The graph draws it and the tree reads it out.

import { useQueries } from '@tanstack/react-query';
import { getJson } from '../../api/client.ts';
import { LIVE_MS } from '../../api/queries.ts';
import { useRates } from '../../api/rates.ts';
import type { ClusterNumbers, FilterTraffic, ListenerNumbers, ResourceDetail } from '../../api/types.ts';
import type { Target } from '../../components/ScreenLink.tsx';
import { list } from '../../config/json.ts';
import {
  type Chain,
  chainTitle,
  clustersOfChain,
  type ListenerParts,
  routeConfigNames,
} from '../../config/listener.ts';
import type { RouteConfig } from '../../config/routes.ts';
import { count, plural, rate, short } from '../../format.ts';
import { resourceTarget } from '../resourceTarget.ts';

export interface FlowNode {
  readonly id: string;
  readonly kind: 'listener' | 'filter chain' | 'filters' | 'routes' | 'cluster' | 'hosts';
  readonly title: string;
  readonly lines: readonly string[];
  /** What is happening there now. */
  readonly live?: string;
  readonly tone?: 'warn' | 'bad';
  readonly link?: Target;
  /** Ids of those that it leads to. */
  readonly next: readonly string[];
}

export interface Flow {
  readonly start: string;
  readonly nodes: ReadonlyMap<string, FlowNode>;
}

/** Of one chain's routes; more are no picture. */
const MAX_CLUSTERS = 10;

export function useChainFlow(
  name: string,
  parts: ListenerParts,
  chains: readonly Chain[],
  numbers: ListenerNumbers | undefined,
  answeredAt: number,
): Flow {
  const rates = useRates();
  const routeNames = routeConfigNames({ ...parts, chains });
  const routeAnswers = useQueries({
    queries: routeNames.map((route) => {
      const path = `/api/resources/route/${encodeURIComponent(route)}`;
      return { queryKey: [path, {}], queryFn: () => getJson<ResourceDetail>(path) };
    }),
  });
  const routes = new Map<string, RouteConfig>();
  routeNames.forEach((route, index) => {
    const config = routeAnswers[index]?.data?.resource;
    if (config !== undefined) routes.set(route, config);
  });
  const clusters = [
    ...new Set(chains.flatMap((chain) => clustersOfChain(chain, routes).slice(0, MAX_CLUSTERS))),
  ];
  const clusterAnswers = useQueries({
    queries: clusters.map((cluster) => {
      const path = `/api/clusters/${encodeURIComponent(cluster)}`;
      return {
        queryKey: [path, {}],
        queryFn: () => getJson<ClusterNumbers>(path),
        refetchInterval: LIVE_MS,
        retry: false,
      };
    }),
  });

  const nodes = new Map<string, FlowNode>();
  const add = (node: FlowNode): string => {
    nodes.set(node.id, node);
    return node.id;
  };
  clusters.forEach((cluster, index) => {
    const { data, isError, dataUpdatedAt } = clusterAnswers[index]!;
    for (const node of clusterNodes(cluster, data, isError, (key, total) =>
      rates.of(key, total, dataUpdatedAt),
    ))
      add(node);
  });
  const addRoutes = (chain: Chain, routeName: string, config: RouteConfig | undefined): string => {
    const all = clustersOfChain(chain, routes);
    const hosts = list(config?.['virtual_hosts']);
    const left = all.length - MAX_CLUSTERS;
    return add({
      id: routeName === '' ? `routes of ${chain.id}` : `routes ${routeName}`,
      kind: 'routes',
      title: routeName || 'routes of the listener',
      lines:
        config === undefined
          ? ['not there yet']
          : [
              `${plural(hosts.length, 'virtual host')}, ${plural(
                hosts.reduce((sum, host) => sum + list(host['routes']).length, 0),
                'route',
              )}`,
              ...(left > 0 ? [`and ${plural(left, 'more cluster')}`] : []),
            ],
      ...(routeName !== '' && { link: resourceTarget('route', routeName) }),
      next: all.slice(0, MAX_CLUSTERS).map((cluster) => `cluster ${cluster}`),
    });
  };
  const addFilters = (chain: Chain): string[] => {
    const { http, tcp, filters } = chain;
    if (filters.length === 0) return [];
    const traffic = numbers?.traffic.find(({ stat_prefix: prefix }) => prefix === (http ?? tcp)?.statPrefix);
    const shown = [...filters, ...(http?.filters ?? [])].map((each) =>
      each.name.replace(/^envoy\.filters\.(network|http)\./, ''),
    );
    return [
      add({
        id: `filters ${chain.id}`,
        kind: 'filters',
        title:
          http !== undefined ? 'HTTP connection manager' : tcp !== undefined ? 'TCP proxy' : (shown[0] ?? ''),
        lines: shown.slice(1),
        ...liveOf(traffic, (total) => rates.of(`filters ${chain.id}`, total, answeredAt)),
        next:
          http !== undefined
            ? [addRoutes(chain, http.routeConfigName, http.inline ?? routes.get(http.routeConfigName))]
            : (tcp?.clusters ?? []).slice(0, MAX_CLUSTERS).map((cluster) => `cluster ${cluster}`),
      }),
    ];
  };
  const chainIds = chains.map((chain) =>
    add({
      id: `chain ${chain.id}`,
      kind: 'filter chain',
      title: chainTitle(chain),
      lines: [...(chain.name === '' ? [] : chain.match), chain.transport],
      next: addFilters(chain),
    }),
  );
  const start = add({
    id: 'listener',
    kind: 'listener',
    title: name,
    lines: [...(numbers?.addresses ?? parts.addresses)],
    ...(numbers !== undefined && { live: `${count(numbers.connections)} open` }),
    next: chainIds,
  });
  return { start, nodes };
}

function liveOf(
  traffic: FilterTraffic | undefined,
  rateOf: (total: number) => number | null,
): { live?: string } {
  if (traffic === undefined) return {};
  if (traffic.kind === 'tcp') return { live: `${short(traffic.connections_total)} connections` };
  return { live: `${rate(rateOf(traffic.requests))}, ${short(traffic.active_requests)} active` };
}

function clusterNodes(
  name: string,
  numbers: ClusterNumbers | undefined,
  missing: boolean,
  rateOf: (key: string, total: number) => number | null,
): FlowNode[] {
  const hosts = `hosts ${name}`;
  if (numbers === undefined) {
    return [
      {
        id: `cluster ${name}`,
        kind: 'cluster',
        title: name,
        lines: missing ? ['there is no such cluster'] : [],
        ...(missing && { tone: 'bad' as const }),
        next: [],
      },
    ];
  }
  const failing = rateOf(`${name} 5xx`, numbers.responses_5xx) ?? 0;
  const byConnection = numbers.type === 'ORIGINAL_DST';
  const sick = numbers.unhealthy > 0 || (numbers.hosts === 0 && !byConnection);
  return [
    {
      id: `cluster ${name}`,
      kind: 'cluster',
      title: name,
      lines: [numbers.type],
      live: `${rate(rateOf(name, numbers.requests))}${failing > 0 ? `, 5xx ${rate(failing)}` : ''}`,
      ...(failing > 0 && { tone: 'bad' as const }),
      link: resourceTarget('cluster', name),
      next: [hosts],
    },
    {
      id: hosts,
      kind: 'hosts',
      title:
        byConnection && numbers.hosts === 0 ? 'where the client wanted to go' : plural(numbers.hosts, 'host'),
      lines: [sick ? `${count(numbers.unhealthy)} unhealthy` : 'all healthy'].filter(() => numbers.hosts > 0),
      live: `${count(numbers.active_requests)} active`,
      ...(sick && {
        tone: (numbers.unhealthy > 0 && numbers.healthy === 0 ? 'bad' : 'warn') as 'bad' | 'warn',
      }),
      next: [],
    },
  ];
}
