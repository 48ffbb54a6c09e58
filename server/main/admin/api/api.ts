// The JSON interface below /api/, for scripts and the dashboard: THE table of its endpoints, and their OpenAPI document.

import type { Json } from '../../../../xds-protos/json.ts';
import { VERSION } from '../../version.ts';
import type { AdminContext } from '../context.ts';
import type { AdminAnswer } from '../handler.ts';
import { isLong, plainPieces } from '../large_json.ts';
import { checkedBody } from './body.ts';
import { CARDINALITY_ENDPOINTS, CARDINALITY_SCHEMAS } from './cardinality.ts';
import { CERTIFICATE_ENDPOINTS, CERTIFICATE_SCHEMAS } from './certificates.ts';
import { CLUSTER_ENDPOINTS, CLUSTER_SCHEMAS } from './clusters.ts';
import { CONNECTION_ENDPOINTS, CONNECTION_SCHEMAS } from './connections.ts';
import { type ApiEndpoint, ApiError, ApiParams, type ApiSender, type Schema } from './endpoint.ts';
import { EXPLAIN_ENDPOINTS } from './explain.ts';
import { HISTORY_ENDPOINTS, HISTORY_SCHEMAS } from './history.ts';
import { HOST_ENDPOINTS, HOST_SCHEMAS } from './hosts.ts';
import { LISTENER_PREVIEW_ENDPOINT, LISTENER_PREVIEW_SCHEMAS } from './listener_preview.ts';
import { LISTENER_ENDPOINTS, LISTENER_SCHEMAS } from './listeners.ts';
import { OVERVIEW_ENDPOINTS, OVERVIEW_SCHEMAS } from './overview.ts';
import { REQUEST_ENDPOINTS } from './requests.ts';
import { RESOURCE_ENDPOINTS, RESOURCE_SCHEMAS } from './resources.ts';
import { ROUTE_ENDPOINTS } from './routes.ts';
import { SERIES_ENDPOINTS, SERIES_SCHEMAS } from './series.ts';
import { SESSION_ENDPOINTS, SESSION_SCHEMAS } from './session.ts';
import { STAT_ENDPOINTS, STAT_SCHEMAS } from './stats.ts';
import { WORKER_ENDPOINTS, WORKER_SCHEMAS } from './workers.ts';
import { XDS_ENDPOINTS, XDS_SCHEMAS } from './xds_streams.ts';

export const API_ENDPOINTS: readonly ApiEndpoint[] = [
  ...RESOURCE_ENDPOINTS,
  ...HISTORY_ENDPOINTS,
  ...XDS_ENDPOINTS,
  ...CARDINALITY_ENDPOINTS,
  ...OVERVIEW_ENDPOINTS,
  ...STAT_ENDPOINTS,
  ...SERIES_ENDPOINTS,
  ...HOST_ENDPOINTS,
  ...REQUEST_ENDPOINTS,
  ...EXPLAIN_ENDPOINTS,
  ...ROUTE_ENDPOINTS,
  ...SESSION_ENDPOINTS,
  ...CONNECTION_ENDPOINTS,
  ...CLUSTER_ENDPOINTS,
  ...LISTENER_ENDPOINTS,
  ...CERTIFICATE_ENDPOINTS,
  ...WORKER_ENDPOINTS,
  LISTENER_PREVIEW_ENDPOINT,
  {
    path: '/api/openapi.json',
    summary: 'This document',
    params: [],
    response: { type: 'object' },
    handle: async () => ({ json: await openApiDocument() }),
  },
];

const ERROR: Schema = {
  type: 'object',
  required: ['error'],
  additionalProperties: false,
  properties: { error: { type: 'string' } },
};

/** What is asked of a path. */
export interface ApiRequest {
  readonly method: string;
  /** Parameters of the path. */
  readonly path: Readonly<Record<string, unknown>>;
  readonly query: URLSearchParams;
  readonly from: ApiSender;
  /** Reads the whole body. Throws ApiError for one that is too long. */
  readBody(): Promise<string>;
}

/** The endpoints by their paths: one that is read and one that is posted to may have the same. */
export function endpointsByPath(): ReadonlyMap<string, readonly ApiEndpoint[]> {
  const byPath = new Map<string, ApiEndpoint[]>();
  // What is named in full goes before what has a parameter in its place: /listeners/preview is no listener.
  const parameters = (path: string): number => path.split('{').length;
  for (const endpoint of [...API_ENDPOINTS].sort((a, b) => parameters(a.path) - parameters(b.path))) {
    const before = byPath.get(endpoint.path);
    if (before === undefined) byPath.set(endpoint.path, [endpoint]);
    else before.push(endpoint);
  }
  // Where a literal path is one of a parameter's, too, the literal one is meant.
  return new Map([...byPath].sort(([a], [b]) => Number(a.includes('{')) - Number(b.includes('{'))));
}

/** Answers a request for one of the `endpoints` of a path; errors are `{"error": ...}`. */
export async function apiAnswer(
  endpoints: readonly ApiEndpoint[],
  { method, path, query, from, readBody }: ApiRequest,
  context: AdminContext,
): Promise<AdminAnswer> {
  try {
    const wanted = method === 'HEAD' ? 'GET' : method;
    const endpoint = endpoints.find((each) => (each.method ?? 'GET') === wanted);
    if (endpoint === undefined) throw new ApiError(405, `method ${method} is not allowed`);
    const refusal = endpoint.mutates && from.access.writeRefusal(from.caller);
    if (refusal !== undefined) throw new ApiError(refusal.status, refusal.reason);
    const params = new ApiParams(endpoint, path, query);
    const body = endpoint.body === undefined ? {} : checkedBody(endpoint.body, await readBody());
    const result = await endpoint.handle(params, context, body, from);
    if ('json' in result) return { ...jsonAnswer(200, result.json), headers: result.headers };
    return { status: 200, contentType: 'text/event-stream', body: result.events };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return apiFailure(error.status, error.message);
  }
}

export function apiFailure(status: number, error: string): AdminAnswer {
  return jsonAnswer(status, { error });
}

export function unknownApiPath(): AdminAnswer {
  return apiFailure(404, 'no such path, see /api/openapi.json');
}

function jsonAnswer(status: number, json: Json): AdminAnswer {
  const body = isLong(json) ? lineOf(plainPieces(json)) : `${JSON.stringify(json)}\n`;
  return { status, contentType: 'application/json', body };
}

function* lineOf(pieces: Iterable<string>): Generator<string> {
  yield* pieces;
  yield '\n';
}

/** https://spec.openapis.org/oas/v3.1.0 */
export async function openApiDocument(): Promise<Json> {
  const { CAPTURE_SCHEMAS } = await import('./request_schemas.ts');
  const { EXPLAIN_SCHEMAS } = await import('./explain_schemas.ts');
  const paths = [...endpointsByPath()].map(([path, endpoints]) => [
    path,
    Object.fromEntries(
      endpoints.map((endpoint) => [endpoint.method?.toLowerCase() ?? 'get', operation(endpoint)]),
    ),
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
        ...STAT_SCHEMAS,
        ...HOST_SCHEMAS,
        ...OVERVIEW_SCHEMAS,
        ...CAPTURE_SCHEMAS,
        ...EXPLAIN_SCHEMAS,
        ...SESSION_SCHEMAS,
        ...CONNECTION_SCHEMAS,
        ...LISTENER_PREVIEW_SCHEMAS,
        ...CLUSTER_SCHEMAS,
        ...LISTENER_SCHEMAS,
        ...CERTIFICATE_SCHEMAS,
        ...WORKER_SCHEMAS,
      },
    },
  };
  return document as unknown as Json;
}

function operation({ summary, params, body, mutates, response }: ApiEndpoint): object {
  return {
    summary,
    parameters: params.map((param) => ({ ...param, required: param.in === 'path' })),
    ...(body !== undefined && { requestBody: { required: true, content: content(body) } }),
    responses: {
      200: { description: 'OK', content: content(response) },
      400: { description: 'A parameter is wrong', content: content(ERROR) },
      401: { description: 'Credentials are needed', content: content(ERROR) },
      ...(mutates && { 403: { description: 'The role may not', content: content(ERROR) } }),
      404: { description: 'There is no such thing', content: content(ERROR) },
    },
  };
}

function content(schema: Schema | undefined): object {
  return schema === undefined ? { 'text/event-stream': {} } : { 'application/json': { schema } };
}
