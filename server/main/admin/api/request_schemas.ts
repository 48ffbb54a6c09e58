// What /api/requests and /api/capture answer, for the OpenAPI document; loaded with it.

import type { Schema } from './endpoint.ts';

const TEXT: Schema = { type: 'string' };
const COUNT: Schema = { type: 'integer' };
const MS: Schema = { type: 'number' };

const SUMMARY = {
  id: TEXT,
  set: { type: 'string', enum: ['failed', 'slow', 'live'], description: 'Why it was kept' },
  worker: COUNT,
  at: { type: 'integer', description: 'When it began, ms since 1970' },
  duration_ms: MS,
  method: TEXT,
  authority: { type: 'string', description: 'As the client sent it' },
  path: { type: 'string', description: 'As the client sent it, keys in its query redacted' },
  protocol: TEXT,
  request_id: TEXT,
  listener: TEXT,
  filter_chain: TEXT,
  virtual_host: TEXT,
  route: { type: 'string', description: 'Its name; empty where it has none, or none matched' },
  cluster: TEXT,
  host: { type: 'string', description: 'The address of the last attempt; empty where none was chosen' },
  status: { type: 'integer', description: '0: no response was begun' },
  flags: { type: 'array', items: TEXT, description: 'As %RESPONSE_FLAGS%' },
  details: { type: 'string', description: 'As %RESPONSE_CODE_DETAILS%' },
  attempts: COUNT,
  bytes_received: { type: 'integer', description: 'Of the body' },
  bytes_sent: { type: 'integer', description: 'Of the body' },
} as const satisfies Record<string, Schema>;

const DETAIL = {
  scheme: TEXT,
  upstream_authority: { type: 'string', description: 'After rewrites' },
  upstream_path: { type: 'string', description: 'After rewrites' },
  trace_id: TEXT,
  connection_id: COUNT,
  client: TEXT,
  local: TEXT,
  server_name: TEXT,
  alpn: { type: 'array', items: TEXT },
  tls: { type: 'string', description: 'The version; empty for plaintext' },
  peer: { type: 'string', description: "The name in the client's certificate" },
  route_config: TEXT,
  grpc_status: TEXT,
  termination_details: TEXT,
  transport_failure: TEXT,
  attempt_log: {
    type: 'array',
    description: 'Attempts that were given up for another one',
    items: {
      type: 'object',
      required: ['number', 'host', 'outcome', 'at_ms'],
      additionalProperties: false,
      properties: { number: COUNT, host: TEXT, outcome: TEXT, at_ms: MS },
    },
  },
  upstream_protocol: TEXT,
  upstream_local: TEXT,
  upstream_connection_id: COUNT,
  upstream_tls: TEXT,
  upstream_peer: TEXT,
  phases: {
    type: 'array',
    description: 'For a waterfall; those that it reached',
    items: {
      type: 'object',
      required: ['name', 'start_ms', 'end_ms'],
      additionalProperties: false,
      properties: {
        name: {
          type: 'string',
          enum: [
            'receive_request',
            'choose_and_wait',
            'connect',
            'handshake',
            'send_request',
            'wait_for_response',
            'receive_response',
            'send_response',
          ],
        },
        start_ms: { type: 'number', description: 'ms since the request began' },
        end_ms: MS,
      },
    },
  },
  request_headers: { type: 'array', items: { $ref: '#/components/schemas/Header' } },
  response_headers: { type: 'array', items: { $ref: '#/components/schemas/Header' } },
  truncated: { type: 'boolean', description: 'Headers or texts were longer than what is kept' },
  curl: { type: 'string', description: 'The same request as a line for the shell' },
  explanations: { type: 'array', items: { $ref: '#/components/schemas/FlagExplanation' } },
} as const satisfies Record<string, Schema>;

const USE: Schema = {
  type: 'object',
  required: ['used', 'limit'],
  additionalProperties: false,
  properties: { used: COUNT, limit: COUNT },
};
const BREAKERS: Schema = {
  type: 'object',
  description: 'Circuit breakers of the cluster when one of them refused the request',
  additionalProperties: false,
  properties: { cx: USE, pending: USE, rq: USE, retries: USE },
};

export const CAPTURE_SCHEMAS: Readonly<Record<string, Schema>> = {
  CapturedRequestSummary: {
    type: 'object',
    required: Object.keys(SUMMARY),
    additionalProperties: false,
    properties: SUMMARY,
  },
  CapturedRequest: {
    type: 'object',
    required: Object.keys({ ...SUMMARY, ...DETAIL }),
    additionalProperties: false,
    properties: { ...SUMMARY, ...DETAIL, breakers: BREAKERS },
  },
  FlagExplanation: {
    type: 'object',
    required: ['flag', 'name', 'title', 'reason', 'evidence', 'advice', 'live'],
    additionalProperties: false,
    properties: {
      flag: { type: 'string', description: 'As UF; empty where the details are explained' },
      name: { type: 'string', description: 'As UpstreamConnectionFailure, or the details' },
      title: TEXT,
      reason: { type: 'string', description: 'With names and numbers' },
      evidence: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'value'],
          additionalProperties: false,
          properties: { name: TEXT, value: TEXT, link: { $ref: '#/components/schemas/ResourceLink' } },
        },
      },
      advice: { type: 'array', items: TEXT, description: 'What to change' },
      live: { type: 'boolean', description: 'Part of it is how things are now' },
    },
  },
  ResponseFlags: {
    type: 'object',
    required: ['items'],
    additionalProperties: false,
    properties: {
      items: {
        type: 'array',
        items: {
          type: 'object',
          required: ['flag', 'name', 'description'],
          additionalProperties: false,
          properties: { flag: TEXT, name: TEXT, description: TEXT },
        },
      },
    },
  },
  Header: {
    type: 'object',
    required: ['name', 'value'],
    additionalProperties: false,
    properties: { name: TEXT, value: TEXT },
  },
  CaptureState: {
    type: 'object',
    required: ['active', 'until', 'max_per_second', 'sample_percent', 'filter', 'seen', 'dropped'],
    additionalProperties: false,
    properties: {
      active: { type: 'boolean' },
      until: { type: 'integer', description: 'ms since 1970; 0 when it is not active' },
      max_per_second: COUNT,
      sample_percent: { type: 'number' },
      filter: { type: 'object' },
      seen: { type: 'integer', description: 'Since it began' },
      dropped: { type: 'integer', description: 'Of those, beyond the limit' },
    },
  },
};
