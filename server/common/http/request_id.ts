// Request ids are UUIDs whose 15th character tells other Envoys whether, and why, the request is traced.
// Follows Envoy's source/extensions/request_id/uuid/config.cc and mutateTracingRequestHeader in conn_manager_utility.cc.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StatBlock } from '../../api/stats.ts';
import type { TraceSampling } from '../../api/tracing.ts';
import { HTTP_TRACING_STATS } from '../stats/families/http.ts';
import type { ConnectionManagerConfig } from './conn_manager_config.ts';
import { randomUuid } from './random_uuid.ts';

const STAT = HTTP_TRACING_STATS.offset;
/** Position of the version digit in a UUID's text. */
const TRACE_BYTE_POSITION = 14;
const NOT_TRACED = '4';
const SAMPLED = '9';
const FORCED_BY_CLIENT = 'b';
const FORCED_BY_SERVICE = 'a';

/** Gives the request an id, where it has none of its own that may stay. */
export function setRequestId(
  headers: RequestHeaderMap,
  config: ConnectionManagerConfig,
  edge: boolean,
): void {
  const id = headers.get('x-request-id');
  // The version digit is the one that means `not traced`.
  if (id === undefined || id === '') headers.set('x-request-id', randomUuid());
  else if (!edge) return;
  else if (!config.preserveExternalRequestId) headers.set('x-request-id', randomUuid());
  else if (config.packTraceReason) setTraceReason(headers, id, NOT_TRACED);
}

/**
 * Decides whether the request is traced, counts it in `stats` (of HTTP_TRACING_STATS), and notes it in its id where `pack` says
 * so. True: it is.
 */
export function sampleTrace(
  headers: RequestHeaderMap,
  sampling: TraceSampling,
  { values, base }: StatBlock,
  pack: boolean,
): boolean {
  const id = headers.get('x-request-id') ?? '';
  const reason = traceReason(headers, id, sampling);
  const stat = statOf(reason);
  values[base + stat]++;
  if (pack && reason !== id[TRACE_BYTE_POSITION] && reason !== '') setTraceReason(headers, id, reason);
  return stat !== STAT.not_traceable;
}

/** Every request is traced, whatever its id. */
export function sampleAll({ values, base }: StatBlock): boolean {
  values[base + STAT.random_sampling]++;
  return true;
}

/** One of the digits above; '' leaves the id as it is. */
function traceReason(headers: RequestHeaderMap, id: string, sampling: TraceSampling): string {
  const random = id.length === 36 ? Number.parseInt(id.slice(0, 8), 16) : Number.NaN;
  if (Number.isNaN(random)) return '';
  let reason = id[TRACE_BYTE_POSITION];
  if (reason !== SAMPLED && reason !== FORCED_BY_CLIENT && reason !== FORCED_BY_SERVICE) {
    if (headers.has('x-client-trace-id') && sampling.client.enabled(random)) reason = FORCED_BY_CLIENT;
    else if (headers.has('x-envoy-force-trace')) reason = FORCED_BY_SERVICE;
    else if (sampling.random.enabled(random)) reason = SAMPLED;
    else return '';
  }
  return sampling.overall.enabled(random) ? reason : NOT_TRACED;
}

function statOf(reason: string): number {
  switch (reason) {
    case SAMPLED:
      return STAT.random_sampling;
    case FORCED_BY_CLIENT:
      return STAT.client_enabled;
    case FORCED_BY_SERVICE:
      return STAT.service_forced;
    default:
      return STAT.not_traceable;
  }
}

/** A malformed id is left as it is. */
function setTraceReason(headers: RequestHeaderMap, id: string, reason: string): void {
  if (id.length !== 36) return;
  headers.set('x-request-id', id.slice(0, TRACE_BYTE_POSITION) + reason + id.slice(TRACE_BYTE_POSITION + 1));
}
