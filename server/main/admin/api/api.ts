// The JSON interface below /api/, for scripts and the dashboard: THE table of its endpoints, and their OpenAPI document.

import type { Json } from '../../../../xds-protos/json.ts';
import { VERSION } from '../../version.ts';
import type { AdminContext } from '../context.ts';
import type { AdminAnswer } from '../handler.ts';
import { CARDINALITY_ENDPOINTS, CARDINALITY_SCHEMAS } from './cardinality.ts';
import { type ApiEndpoint, ApiError, ApiParams, type Schema } from './endpoint.ts';
import { HISTORY_ENDPOINTS, HISTORY_SCHEMAS } from './history.ts';
import { RESOURCE_ENDPOINTS, RESOURCE_SCHEMAS } from './resources.ts';
import { SERIES_ENDPOINTS, SERIES_SCHEMAS } from './series.ts';
import { XDS_ENDPOINTS, XDS_SCHEMAS } from './xds_streams.ts';

export const API_ENDPOINTS: readonly ApiEndpoint[] = [
  ...RESOURCE_ENDPOINTS,
  ...HISTORY_ENDPOINTS,
  ...XDS_ENDPOINTS,
  ...CARDINALITY_ENDPOINTS,
  ...SERIES_ENDPOINTS,
  {
    path: '/api/openapi.json',
    summary: 'This document',
    params: [],
    response: { type: 'object' },
    handle: () => ({ json: openApiDocument() }),
  },
];

const ERROR: Schema = {
  type: 'object',
  required: ['error'],
  additionalProperties: false,
  properties: { error: { type: 'string' } },
};

/** Answers a request for an endpoint; errors are `{"error": ...}`. */
export async function apiAnswer(
  endpoint: ApiEndpoint,
  method: string,
  path: Readonly<Record<string, unknown>>,
  query: URLSearchParams,
  context: AdminContext,
): Promise<AdminAnswer> {
  try {
    if (method !== 'GET' && method !== 'HEAD') throw new ApiError(405, `method ${method} is not allowed`);
    const result = await endpoint.handle(new ApiParams(endpoint, path, query), context);
    if ('json' in result) return jsonAnswer(200, result.json);
    return { status: 200, contentType: 'text/event-stream', body: result.events };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return jsonAnswer(error.status, { error: error.message });
  }
}

export function unknownApiPath(): AdminAnswer {
  return jsonAnswer(404, { error: 'no such path, see /api/openapi.json' });
}

function jsonAnswer(status: number, json: Json): AdminAnswer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(json)}\n` };
}

/** https://spec.openapis.org/oas/v3.1.0 */
export function openApiDocument(): Json {
  const paths = API_ENDPOINTS.map(({ path, summary, params, response }) => [
    path,
    {
      get: {
        summary,
        parameters: params.map((param) => ({ ...param, required: param.in === 'path' })),
        responses: {
          200: { description: 'OK', content: content(response) },
          400: { description: 'A parameter is wrong', content: content(ERROR) },
          404: { description: 'There is no such thing', content: content(ERROR) },
        },
      },
    },
  ]);
  const document = {
    openapi: '3.1.0',
    info: { title: 'Pilotfish', version: VERSION },
    paths: Object.fromEntries(paths),
    components: {
      schemas: {
        ...RESOURCE_SCHEMAS,
        ...HISTORY_SCHEMAS,
        ...XDS_SCHEMAS,
        ...CARDINALITY_SCHEMAS,
        ...SERIES_SCHEMAS,
      },
    },
  };
  return document as unknown as Json;
}

function content(schema: Schema | undefined): object {
  return schema === undefined ? { 'text/event-stream': {} } : { 'application/json': { schema } };
}
