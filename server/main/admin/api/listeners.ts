// /api/listeners: the active listeners by page, with where they listen, how they are made and the numbers of now.

import type { Listener } from '../../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { Json } from '../../../../xds-protos/json.ts';
import { decode } from '../../../../xds-protos/load.ts';
import { listenerStatName } from '../../../common/listener/listener_config.ts';
import { HTTP_STATS } from '../../../common/stats/families/http.ts';
import { LISTENER_STATS } from '../../../common/stats/families/listener.ts';
import { TCP_PROXY_STATS } from '../../../common/stats/families/tcp_proxy.ts';
import { TYPE_NAMES } from '../../config_store/resource.ts';
import type { AdminContext, ResourceStatus } from '../context.ts';
import { type ApiEndpoint, ApiError, type Schema } from './endpoint.ts';
import { listParams, pageOf, pageSchema } from './listing.ts';

const HCM = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager' as const;
const TCP_PROXY = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy' as const;

const COUNT: Schema = { type: 'integer', minimum: 0 };
const TEXT: Schema = { type: 'string' };
const TEXTS: Schema = { type: 'array', items: TEXT };

const ROW = {
  name: TEXT,
  static: { type: 'boolean', description: 'Of the bootstrap' },
  addresses: {
    ...TEXTS,
    description: 'In use: the port is the one that the system chose where 0 was asked for',
  },
  direction: { type: 'string', description: 'UNSPECIFIED, INBOUND or OUTBOUND' },
  filter_chains: { ...COUNT, description: 'With the default one' },
  network_filters: { ...TEXTS, description: 'By the last part of their type: HttpConnectionManager' },
  connections: { ...COUNT, description: 'Open now' },
  connections_total: COUNT,
  no_filter_chain_match: { ...COUNT, description: 'Connections that no filter chain was for' },
  updated_at: { type: 'integer', description: 'ms since 1970' },
} as const satisfies Record<string, Schema>;

export const LISTENER_SCHEMAS: Readonly<Record<string, Schema>> = {
  ListenerRow: {
    type: 'object',
    required: Object.keys(ROW),
    additionalProperties: false,
    properties: ROW,
  },
  ListenerNumbers: {
    type: 'object',
    required: [...Object.keys(ROW), 'traffic'],
    additionalProperties: false,
    properties: {
      ...ROW,
      traffic: { type: 'array', items: { $ref: '#/components/schemas/FilterTraffic' } },
    },
  },
  FilterTraffic: {
    type: 'object',
    description: 'Of all connection managers and TCP proxies that count under one name',
    required: ['kind', 'stat_prefix', 'connections_total', 'requests', 'active_requests', 'responses_4xx', 'responses_5xx'],
    additionalProperties: false,
    properties: {
      kind: { type: 'string', enum: ['http', 'tcp'] },
      stat_prefix: TEXT,
      connections_total: COUNT,
      requests: COUNT,
      active_requests: COUNT,
      responses_4xx: COUNT,
      responses_5xx: COUNT,
    },
  },
}; // biome-ignore format: a table

export const LISTENER_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/listeners',
    summary: 'Active listeners with addresses, filter chains and connections',
    params: listParams(['name']),
    response: pageSchema({ $ref: '#/components/schemas/ListenerRow' }),
    handle: (params, context) => {
      const page = pageOf(active(context), params, ({ name }) => name);
      const addresses = addressesOf(context, new Set(page.items.map(({ name }) => name)));
      return { json: { ...page, items: page.items.map((status) => rowJson(status, addresses, context)) } };
    },
  },
  {
    path: '/api/listeners/{name}',
    summary: 'One of them, with the traffic of its filters',
    params: [{ name: 'name', in: 'path', description: 'Its name, percent-encoded', schema: TEXT }],
    response: { $ref: '#/components/schemas/ListenerNumbers' },
    handle: (params, context) => {
      const name = params.text('name') as string;
      for (const status of active(context)) {
        if (status.name !== name) continue;
        const row = rowJson(status, addressesOf(context, new Set([name])), context);
        return { json: { ...row, traffic: trafficOf(messageOf(status), context) } };
      }
      throw new ApiError(404, `no active listener '${name}'`);
    },
  },
];

function* active({ resources }: AdminContext): Generator<ResourceStatus> {
  for (const status of resources.all('listener')) if (status.active !== undefined) yield status;
}

function messageOf(status: ResourceStatus): Listener {
  return decode(TYPE_NAMES.listener, status.active!.bytes);
}

function addressesOf({ listeners }: AdminContext, names: ReadonlySet<string>): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name, localAddress } of listeners()) {
    if (!names.has(name)) continue;
    const before = found.get(name);
    if (before === undefined) found.set(name, [localAddress.text]);
    else before.push(localAddress.text);
  }
  return found;
}

function rowJson(
  status: ResourceStatus,
  addresses: ReadonlyMap<string, string[]>,
  { stats }: AdminContext,
): { [key: string]: Json } {
  const message = messageOf(status);
  const family = stats.family(LISTENER_STATS, `listener.${listenerStatName(message, '')}.`);
  const stat = (name: keyof typeof LISTENER_STATS.offset): number =>
    Math.max(0, family?.value(LISTENER_STATS.offset[name]) ?? 0);
  return {
    name: status.name,
    static: status.isStatic,
    addresses: addresses.get(status.name) ?? [],
    direction: message.traffic_direction,
    filter_chains: chainsOf(message).length,
    network_filters: [...new Set(filterTypes(message).map((type) => type.replace(/^.*\./, '')))],
    connections: stat('downstream_cx_active'),
    connections_total: stat('downstream_cx_total'),
    no_filter_chain_match: stat('no_filter_chain_match'),
    updated_at: status.active!.receivedAt,
  };
}

function chainsOf({ filter_chains, default_filter_chain }: Listener): Listener['filter_chains'] {
  return default_filter_chain === undefined ? filter_chains : [...filter_chains, default_filter_chain];
}

/** A TypedStruct says nothing of what it is; its filter's name does. */
function filterTypes(message: Listener): string[] {
  return chainsOf(message).flatMap(({ filters }) =>
    filters.map(({ name, typed_config: config }) =>
      config === undefined || config.type_url.endsWith('.TypedStruct') ? name : config.type_url,
    ),
  );
}

function trafficOf(message: Listener, { stats }: AdminContext): Json[] {
  const http = new Set<string>();
  const tcp = new Set<string>();
  for (const { filters } of chainsOf(message)) {
    for (const { typed_config: config } of filters) {
      if (config?.type_url.endsWith(`/${HCM}`) === true) http.add(decode(HCM, config.value).stat_prefix);
      if (config?.type_url.endsWith(`/${TCP_PROXY}`) === true)
        tcp.add(decode(TCP_PROXY, config.value).stat_prefix);
    }
  }
  return [
    ...[...http].map((prefix) => {
      const family = stats.family(HTTP_STATS, `http.${prefix}.`);
      const stat = (name: keyof typeof HTTP_STATS.offset): number => family?.value(HTTP_STATS.offset[name]) ?? 0;
      return {
        kind: 'http',
        stat_prefix: prefix,
        connections_total: stat('downstream_cx_total'),
        requests: stat('downstream_rq_total'),
        active_requests: stat('downstream_rq_active'),
        responses_4xx: stat('downstream_rq_4xx'),
        responses_5xx: stat('downstream_rq_5xx'),
      };
    }),
    ...[...tcp].map((prefix) => {
      const family = stats.family(TCP_PROXY_STATS, `tcp.${prefix}.`);
      const total = family?.value(TCP_PROXY_STATS.offset.downstream_cx_total) ?? 0;
      return { kind: 'tcp', stat_prefix: prefix, connections_total: total, requests: 0, active_requests: 0, responses_4xx: 0, responses_5xx: 0 };
    }),
  ]; // biome-ignore format: a table
}
