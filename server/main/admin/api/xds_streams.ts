// /api/xds/streams: who is asked for configuration, what for, and how each answer was taken.

import type { TypeStateSnapshot } from '../../xds/stream_state.ts';
import type { ApiEndpoint, Schema } from './endpoint.ts';

const TIME: Schema = { type: 'integer', description: 'ms since 1970' };
const COUNT: Schema = { type: 'integer' };

export const XDS_SCHEMAS: Readonly<Record<string, Schema>> = {
  XdsStream: {
    type: 'object',
    required: ['target', 'method', 'dialect', 'connected', 'streams', 'requests_sent', 'types'],
    additionalProperties: false,
    properties: {
      target: { type: 'string', description: 'The cluster or the address' },
      method: { type: 'string' },
      dialect: { type: 'string', enum: ['sotw', 'delta'] },
      connected: { type: 'boolean' },
      connected_at: TIME,
      streams: { type: 'integer', description: 'Opened since the start' },
      last_disconnect: { type: 'string', description: 'Why the last one ended' },
      control_plane: { type: 'string', description: 'Its identifier, as it says' },
      requests_sent: COUNT,
      types: { type: 'array', items: { $ref: '#/components/schemas/XdsSubscription' } },
    },
  },
  XdsSubscription: {
    type: 'object',
    required: ['type_url', 'wildcard', 'names', 'version', 'nonce', 'responses', 'acks', 'nacks'],
    additionalProperties: false,
    properties: {
      type_url: { type: 'string' },
      wildcard: { type: 'boolean', description: 'All are asked for' },
      names: { type: 'array', items: { type: 'string' } },
      version: { type: 'string', description: 'Of the last response that was accepted' },
      nonce: { type: 'string', description: 'Of the last response on this stream' },
      responses: COUNT,
      acks: COUNT,
      nacks: COUNT,
      last_ack_at: TIME,
      last_nack_at: TIME,
      last_error: {
        type: 'string',
        description:
          'What the last NACK said, until an ACK follows; each resource with its field is in /api/resources',
      },
    },
  },
};

export const XDS_ENDPOINTS: readonly ApiEndpoint[] = [
  {
    path: '/api/xds/streams',
    summary: 'Streams to control planes with every subscription',
    params: [],
    response: {
      type: 'object',
      required: ['items'],
      additionalProperties: false,
      properties: { items: { type: 'array', items: { $ref: '#/components/schemas/XdsStream' } } },
    },
    handle: (_params, context) => ({
      json: {
        items: context.xdsStreams().map((stream) => ({
          target: stream.target,
          method: stream.method,
          dialect: stream.dialect,
          connected: stream.connected,
          ...(stream.connectedAt !== undefined && { connected_at: stream.connectedAt }),
          streams: stream.streams,
          ...(stream.lastDisconnect !== undefined && { last_disconnect: stream.lastDisconnect }),
          ...(stream.controlPlane !== '' && { control_plane: stream.controlPlane }),
          requests_sent: stream.requestsSent,
          types: stream.types.map(subscriptionJson),
        })),
      },
    }),
  },
];

function subscriptionJson(state: TypeStateSnapshot) {
  return {
    type_url: state.typeUrl,
    wildcard: state.wildcard,
    names: [...state.names],
    version: state.version,
    nonce: state.nonce,
    responses: state.responses,
    acks: state.acks,
    nacks: state.nacks,
    ...(state.lastAckAt !== undefined && { last_ack_at: state.lastAckAt }),
    ...(state.lastNackAt !== undefined && { last_nack_at: state.lastNackAt }),
    ...(state.lastError !== undefined && { last_error: state.lastError }),
  };
}
