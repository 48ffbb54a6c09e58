// What /explain answers, for the OpenAPI document; loaded with it.

import type { Schema } from './endpoint.ts';

const TEXT: Schema = { type: 'string' };
const FLAG: Schema = { type: 'boolean' };
const TEXTS: Schema = { type: 'array', items: TEXT };
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const listOf = (items: Schema): Schema => ({ type: 'array', items });
const SHARE: Schema = { type: 'number', minimum: 0, maximum: 1 };

function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', required, additionalProperties: false, properties };
}

export const EXPLAIN_SCHEMAS: Readonly<Record<string, Schema>> = {
  Explanation: object(
    {
      outcome: {
        type: 'string',
        enum: [
          'forwarded',
          'direct_response',
          'redirect',
          'tcp_forwarded',
          'answered',
          'rejected',
          'no_listener',
          'no_filter_chain',
          'no_route',
          'no_cluster',
          'no_host',
        ],
      },
      summary: { type: 'string', description: 'One sentence' },
      response: { ...ref('ExplainedResponse') },
      request: object({
        method: TEXT,
        scheme: TEXT,
        authority: TEXT,
        path: TEXT,
        headers: listOf(ref('Header')),
      }),
      connection: object({
        listener: TEXT,
        source: TEXT,
        destination: TEXT,
        server_name: TEXT,
        tls: FLAG,
        alpn: TEXTS,
        protocol: TEXT,
      }),
      result: object(
        {
          listener: TEXT,
          filter_chain: TEXT,
          route_config: TEXT,
          virtual_host: TEXT,
          route: TEXT,
          route_index: { type: 'integer', description: 'In its virtual host' },
          route_place: { type: 'string', description: 'In the match tree of its virtual host' },
          cluster: TEXT,
        },
        [
          'listener',
          'filter_chain',
          'route_config',
          'virtual_host',
          'route',
          'route_index',
          'route_place',
          'cluster',
        ],
      ),
      steps: listOf(ref('ExplainStep')),
      clusters: listOf(object({ name: TEXT, share: SHARE, reason: TEXT })),
      hosts: listOf(ref('HostShare')),
      nearest_miss: ref('NearestMiss'),
    },
    ['response', 'request', 'nearest_miss'],
  ),
  ExplainedResponse: object(
    {
      status: { type: 'integer', description: '0: the connection is closed' },
      flags: TEXTS,
      details: TEXT,
      body: TEXT,
      location: TEXT,
    },
    ['body', 'location'],
  ),
  ExplainStep: object(
    {
      step: {
        type: 'string',
        enum: [
          'listener',
          'listener_filters',
          'filter_chain',
          'network_filters',
          'request',
          'scope',
          'virtual_host',
          'route',
          'action',
          'http_filters',
          'cluster',
          'hosts',
        ],
      },
      title: TEXT,
      ok: { type: 'boolean', description: 'False where the way ends' },
      found: { type: 'string', description: 'What was chosen; empty for nothing' },
      reason: TEXT,
      rejected: listOf(ref('Rejected')),
      rejected_more: { type: 'integer', description: 'How many more were rejected' },
      nearest_miss: ref('NearestMiss'),
      tree: ref('ExplainNode'),
      items: listOf(object({ name: TEXT, note: TEXT, ok: FLAG })),
      link: ref('ResourceLink'),
    },
    ['nearest_miss', 'tree', 'items', 'link'],
  ),
  Rejected: object(
    {
      name: TEXT,
      first_failed: object({ what: TEXT, reason: TEXT }),
      distance: { type: 'number', description: 'Edits between what was asked for and what would match' },
      conditions: ref('ExplainNode'),
    },
    ['distance'],
  ),
  ExplainNode: object({ what: TEXT, matched: FLAG, reason: TEXT, children: listOf(ref('ExplainNode')) }),
  RouteRow: object(
    {
      name: { type: 'string', description: 'route_config/virtual_host/index, or with its place in the end' },
      route_config: TEXT,
      listener: { type: 'string', description: 'Empty unless it is part of one' },
      virtual_host: TEXT,
      domains: TEXTS,
      index: { type: 'integer' },
      place: {
        type: 'string',
        description:
          'Of a route in the match tree of the virtual host: where. The index is in its own list, then',
      },
      route: { type: 'string', description: 'Its name, or empty' },
      match: TEXT,
      action: TEXT,
      clusters: listOf(object({ name: TEXT, weight: { type: 'integer' } })),
      hits: {
        type: 'integer',
        description:
          'Requests that took it, of the workers that run; an update that does not change the route keeps them. Not of those in match trees',
      },
      shadowed_by: object({ index: { type: 'integer' }, name: TEXT, reason: TEXT }),
    },
    ['shadowed_by', 'place', 'hits'],
  ),
  NearestMiss: object({
    name: TEXT,
    what: { type: 'string', description: 'The condition that does not hold' },
    wanted: TEXT,
    got: TEXT,
    distance: { type: 'number' },
    hint: TEXT,
  }),
  ResourceLink: object({
    kind: { type: 'string', enum: ['listener', 'route', 'cluster', 'endpoints', 'secret'] },
    name: TEXT,
  }),
  HostShare: object({
    cluster: TEXT,
    address: TEXT,
    hostname: TEXT,
    priority: { type: 'integer' },
    region: TEXT,
    zone: TEXT,
    sub_zone: TEXT,
    weight: { type: 'number' },
    health: { type: 'string', enum: ['healthy', 'degraded', 'unhealthy'] },
    health_flags: TEXTS,
    active_requests: { type: 'integer' },
    requests: { type: 'integer', description: 'That it has had' },
    actual_share: { ...SHARE, description: "Of all requests of the cluster's hosts so far" },
    share: { ...SHARE, description: 'Of the requests to its cluster' },
    reason: TEXT,
    chosen: { type: 'boolean', description: 'A hash, the destination or a session decides for it' },
  }),
};
