// /api/connections: every connection from a client, asked of the workers at the moment, and the end of one of them.

import { CONNECTION_SORTS } from '../../../common/network/connection_table.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';
import { listParams } from './listing.ts';

const TEXT: Schema = { type: 'string' };
const COUNT: Schema = { type: 'integer', minimum: 0 };

const TLS: Schema = {
  type: 'object',
  required: ['version', 'cipher', 'sni', 'alpn', 'peer_subject', 'peer_uris'],
  additionalProperties: false,
  properties: {
    version: TEXT,
    cipher: TEXT,
    sni: TEXT,
    alpn: TEXT,
    peer_subject: TEXT,
    peer_uris: { type: 'array', items: TEXT },
  },
};

const ROW = {
  id: { type: 'integer', description: 'As %CONNECTION_ID% in access logs' },
  worker: COUNT,
  listener: TEXT,
  filter_chain: TEXT,
  name: { type: 'string', description: 'The address of the peer' },
  local: TEXT,
  protocol: {
    type: 'string',
    enum: ['HTTP/1.1', 'HTTP/2', 'TCP', ''],
    description: 'Empty while it is not known',
  },
  tls: { ...TLS, description: 'Left out for plaintext' },
  age_ms: COUNT,
  idle_ms: { ...COUNT, description: '0 while something happens' },
  bytes_received: COUNT,
  bytes_sent: COUNT,
  active_streams: COUNT,
  streams: { ...COUNT, description: 'Since it was opened' },
  cluster: { type: 'string', description: 'Of TCP' },
  upstream: { type: 'string', description: 'The address of the host, of TCP' },
  draining: { type: 'boolean', description: 'Its peer is asked to go, or will be with the next answer' },
} as const satisfies Record<string, Schema>;

export const CONNECTION_SCHEMAS: Readonly<Record<string, Schema>> = {
  Connection: {
    type: 'object',
    required: Object.keys(ROW).filter((field) => field !== 'tls'),
    additionalProperties: false,
    properties: ROW,
  },
};

/** Rows that the workers send at most, for a page far behind. */
export const MAX_ROWS = 10_000;

export const CONNECTION_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/connections',
    summary: `Connections from clients. A page can be ${MAX_ROWS} of them deep: whoever wants others searches`,
    params: [
      { name: 'listener', in: 'query', description: 'Only of this listener', schema: TEXT },
      {
        name: 'protocol',
        in: 'query',
        description: 'Only of this protocol',
        schema: { type: 'string', enum: ['HTTP/1.1', 'HTTP/2', 'TCP'] },
      },
      ...listParams(CONNECTION_SORTS, '-age_ms'),
    ],
    response: {
      type: 'object',
      required: ['total', 'offset', 'items', 'truncated'],
      additionalProperties: false,
      properties: {
        total: { type: 'integer', description: 'How many there are on all pages' },
        offset: { type: 'integer' },
        items: { type: 'array', items: { $ref: '#/components/schemas/Connection' } },
        truncated: {
          type: 'boolean',
          description: `There are more than the ${MAX_ROWS} that pages can show`,
        },
      },
    },
    handle: async (params, context) =>
      (await import('./connection_answers.ts')).listConnections(params, context),
  },
  {
    path: '/api/connections/{id}/drain',
    method: 'POST',
    mutates: true,
    summary: 'Asks the peer of one connection to go: requests under way finish, a TCP connection is closed',
    params: [{ name: 'id', in: 'path', description: 'Of the connection', schema: COUNT }],
    response: {
      type: 'object',
      required: ['id', 'draining'],
      additionalProperties: false,
      properties: { id: COUNT, draining: { type: 'boolean' } },
    },
    handle: async (params, context) =>
      (await import('./connection_answers.ts')).drainConnection(params, context),
  },
];
