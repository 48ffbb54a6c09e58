// /api/listeners/preview: what an update of a listener would do to its connections, before a control plane sends it.

import type { ApiEndpoint, Schema } from './endpoint.ts';

const COUNT: Schema = { type: 'integer', minimum: 0 };

export const LISTENER_PREVIEW_SCHEMAS: Readonly<Record<string, Schema>> = {
  ListenerPreview: {
    type: 'object',
    required: ['name', 'verdict', 'reason', 'connections', 'filter_chains', 'changes'],
    additionalProperties: false,
    properties: {
      name: { type: 'string' },
      verdict: {
        type: 'string',
        enum: ['new', 'unchanged', 'in_place', 'replaced', 'rejected', 'ignored'],
        description:
          'in_place: only connections of filter chains that changed drain. replaced: all drain. ignored: one of the bootstrap has this name',
      },
      reason: { type: 'string', description: 'In words' },
      error: {
        type: 'object',
        description: 'Of the NACK',
        required: ['path', 'reason'],
        additionalProperties: false,
        properties: { path: { type: 'string' }, reason: { type: 'string' } },
      },
      connections: {
        type: 'object',
        description: 'Open now',
        required: ['draining', 'staying'],
        additionalProperties: false,
        properties: { draining: COUNT, staying: COUNT },
      },
      filter_chains: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'change', 'connections'],
          additionalProperties: false,
          properties: {
            name: { type: 'string', description: 'Its name, or its place, as filter_chains[2]' },
            change: { type: 'string', enum: ['kept', 'changed', 'removed', 'added'] },
            connections: COUNT,
          },
        },
      },
      changes: {
        type: 'array',
        description: 'As in /api/history/{id}',
        items: { type: 'object', required: ['path'], properties: { path: { type: 'string' } } },
      },
    },
  },
};

export const LISTENER_PREVIEW_ENDPOINT: ApiEndpoint = {
  path: '/api/listeners/preview',
  method: 'POST',
  // It changes nothing, but reads the files that the listener names.
  mutates: true,
  summary: 'What an update of a listener would do',
  params: [],
  body: {
    type: 'object',
    required: ['listener'],
    additionalProperties: false,
    properties: {
      listener: { description: 'An envoy.config.listener.v3.Listener, as an object or as YAML text' },
    },
  },
  response: { $ref: '#/components/schemas/ListenerPreview' },
  handle: async (_params, context, body) =>
    (await import('./listener_preview_answer.ts')).previewListener(body['listener'], context),
};
