// The answers of /api/requests and /api/capture.

import type { Json } from '../../../../xds-protos/json.ts';
import type { CapturedRequest, CaptureFilter } from '../../../common/capture/captured_request.ts';
import { RESPONSE_FLAG_NAMES } from '../../../common/stream_info/response_flags.ts';
import { curlLine } from '../../capture/curl_line.ts';
import type { CaptureState } from '../../capture/request_captures.ts';
import { explainFlags } from '../../explain/flags/explain_flags.ts';
import { FLAG_TITLES } from '../../explain/flags/flag_catalog.ts';
import type { AdminContext } from '../context.ts';
import { ApiError, type ApiParams, type ApiResult } from './endpoint.ts';
import { eventStream } from './event_stream.ts';
import { pageOf } from './listing.ts';

/** Where it is not said. */
const DEFAULT_SECONDS = 60;
const DEFAULT_PER_SECOND = 20;

/** The fields of a list, in their order. */
const SUMMARY_FIELDS = [
  'id',
  'set',
  'worker',
  'at',
  'duration_ms',
  'method',
  'authority',
  'path',
  'protocol',
  'request_id',
  'listener',
  'filter_chain',
  'virtual_host',
  'route',
  'cluster',
  'host',
  'status',
  'flags',
  'details',
  'attempts',
  'bytes_received',
  'bytes_sent',
] as const satisfies readonly (keyof CapturedRequest)[];

export async function listRequests(params: ApiParams, context: AdminContext): Promise<ApiResult> {
  const [set, flag, cluster, status] = ['set', 'flag', 'cluster', 'status'].map((name) => params.text(name));
  const all = await (await context.requests()).all();
  const found = all.filter(
    (request) =>
      (set === undefined || request.set === set) &&
      (flag === undefined || request.flags.includes(flag)) &&
      (cluster === undefined || request.cluster === cluster) &&
      (status === undefined || String(request.status) === status),
  );
  const page = pageOf(
    found.map((request) => ({ request, name: searchedText(request) })),
    params,
    ({ request }, by) => request[by as 'at' | 'duration_ms' | 'status'],
  );
  return { json: { ...page, items: page.items.map(({ request }) => summaryOf(request)) } };
}

function searchedText(request: CapturedRequest): string {
  const { method, authority, path, route, cluster, host, flags, details, request_id } = request;
  return [method, authority, path, route, cluster, host, ...flags, details, request_id].join(' ');
}

function summaryOf(request: CapturedRequest): Json {
  return Object.fromEntries(SUMMARY_FIELDS.map((field) => [field, request[field]])) as Json;
}

export async function oneRequest(params: ApiParams, context: AdminContext): Promise<ApiResult> {
  const request = await findRequest(params.text('id') as string, context);
  const configuration = await context.configuration();
  const explanations = await explainFlags(request, {
    configuration,
    resources: (kind) => context.resources.all(kind),
    unreadyTargets: () => context.unreadyTargets(),
    stat: (name) => context.stats.value(name),
  });
  return { json: { ...request, curl: curlLine(request), explanations } as unknown as Json };
}

export function listFlags(): ApiResult {
  const items = RESPONSE_FLAG_NAMES.map(({ short, long }) => ({
    flag: short,
    name: long,
    description: FLAG_TITLES[short] as string,
  }));
  return { json: { items } };
}

/** Throws ApiError when it is not kept any more. */
export async function findRequest(id: string, context: AdminContext): Promise<CapturedRequest> {
  const request = (await (await context.requests()).all()).find((each) => each.id === id);
  if (request === undefined) throw new ApiError(404, `no request ${id}, or none any more`);
  return request;
}

export async function requestEvents(context: AdminContext): Promise<ApiResult> {
  const requests = await context.requests();
  return {
    events: eventStream((push) =>
      requests.subscribe((event) => {
        if (event.type === 'capture') push({ event: 'capture', data: JSON.stringify(event.state) });
        else push({ event: 'request', id: event.request.id, data: JSON.stringify(summaryOf(event.request)) });
      }),
    ),
  };
}

export async function captureState(context: AdminContext): Promise<ApiResult> {
  return { json: stateJson((await context.requests()).state) };
}

export async function watchRequests(
  context: AdminContext,
  body: Readonly<Record<string, Json>>,
): Promise<ApiResult> {
  const requests = await context.requests();
  requests.watch({
    seconds: (body.seconds as number | undefined) ?? DEFAULT_SECONDS,
    maxPerSecond: (body.max_per_second as number | undefined) ?? DEFAULT_PER_SECOND,
    samplePercent: (body.sample_percent as number | undefined) ?? 100,
    filter: (body.filter as CaptureFilter | undefined) ?? {},
  });
  return { json: stateJson(requests.state) };
}

function stateJson(state: CaptureState): Json {
  return state as unknown as Json;
}
