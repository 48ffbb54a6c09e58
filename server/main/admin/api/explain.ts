// /explain: what happens to a described request or connection. What answers is loaded with the first question.

import type { ApiEndpoint, Schema } from './endpoint.ts';

const TEXT: Schema = { type: 'string' };

const QUESTION: Schema = {
  type: 'object',
  description: 'One of curl, captured and request, with or without connection; or connection alone',
  additionalProperties: false,
  properties: {
    curl: { type: 'string', description: 'A line for curl' },
    captured: { type: 'string', description: 'The id of a request of /api/requests' },
    request: {
      type: 'object',
      additionalProperties: false,
      properties: {
        method: TEXT,
        url: { type: 'string', description: 'Instead of authority and path; says where it goes, too' },
        authority: TEXT,
        path: { type: 'string', description: 'With its query' },
        headers: { type: 'object', description: 'By name: a text, or a list of texts' },
      },
    },
    connection: {
      type: 'object',
      additionalProperties: false,
      properties: {
        listener: { type: 'string', description: 'Its name' },
        destination: { type: 'string', description: '10.0.0.1:80: where the client connects to' },
        source: TEXT,
        server_name: { type: 'string', description: 'SNI' },
        tls: { type: 'boolean' },
        alpn: { type: 'array', items: TEXT },
        protocol: { type: 'string', enum: ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2'] },
        direction: {
          type: 'string',
          enum: ['inbound', 'outbound'],
          description: 'Of redirected connections',
        },
        client_san: { type: 'string', description: "The URI in the client's certificate" },
      },
    },
  },
};

function explain(path: string): ApiEndpoint {
  return {
    path,
    method: 'POST',
    summary: 'What happens to a request or connection, step by step, and why',
    params: [],
    body: QUESTION,
    response: { $ref: '#/components/schemas/Explanation' },
    handle: async (_params, context, body) =>
      (await import('./explain_answers.ts')).answerQuestion(context, body),
  };
}

export const EXPLAIN_ENDPOINTS: readonly ApiEndpoint[] = [explain('/api/explain'), explain('/explain')];
