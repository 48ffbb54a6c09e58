// UO, URX, UT, SI, DT, UMSDR: limits of number and of time, and where each was set.

import type {
  RetryPolicy,
  Route,
  VirtualHost,
} from '../../../../xds-protos/generated/envoy/config/route/v3.ts';
import { durationMs } from '../../../../xds-protos/well_known.ts';
import type { RequestBreakers } from '../../../common/capture/captured_request.ts';
import type { FlagEvidence } from './flag_evidence.ts';
import type { Cause, Evidence } from './flag_explanation.ts';

/** Names in circuit_breakers.thresholds, and the counter that tells how often each has refused something. */
const BREAKERS = {
  cx: { field: 'max_connections', counter: 'upstream_cx_overflow' },
  pending: { field: 'max_pending_requests', counter: 'upstream_rq_pending_overflow' },
  rq: { field: 'max_requests', counter: 'upstream_rq_pending_overflow' },
  retries: { field: 'max_retries', counter: 'upstream_rq_retry_overflow' },
} as const;

export function overflow(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  const { cluster, breakers } = request;
  const now = evidence.cluster
    ?.resourceManager(evidence.route?.route.route?.priority === 'HIGH' ? 1 : 0)
    .use();
  const byRetry = !request.details.includes('overflow');
  const [name, open] = byRetry ? (['retries', breakers?.retries] as const) : fullest(breakers ?? now);
  const { field, counter } = BREAKERS[name];
  const limit = open === undefined ? '' : ` (${open.used} of ${open.limit} in use when it was refused)`;
  const what = byRetry ? 'Another try was refused' : 'The request was refused';
  return {
    reason: `${what} by the circuit breaker ${field} of cluster '${cluster}'${limit}.`,
    evidence: [
      ...(breakers === undefined ? [] : listed(breakers, 'then')),
      ...(now === undefined ? [] : listed(now, 'now')),
      {
        name: `cluster.${cluster}.${counter}`,
        value: `${evidence.clusterStat(counter)} refused so far`,
        link: { kind: 'cluster', name: cluster },
      },
    ],
    advice: [
      byRetry
        ? `Many requests fail and are tried again: look at what fails first; then at retries, or raise ${field}, or set a retry_budget.`
        : `More goes on at once than the cluster is allowed: are its hosts slow? Raise circuit_breakers.thresholds.${field} if they can carry more (in a mesh: connectionPool of the DestinationRule).`,
    ],
    live: true,
  };
}

function fullest(
  use: RequestBreakers | undefined,
): readonly [keyof typeof BREAKERS, { readonly used: number; readonly limit: number } | undefined] {
  if (use === undefined) return ['pending', undefined];
  const order = ['pending', 'rq', 'cx'] as const;
  const full =
    order.find((name) => use[name].used >= use[name].limit) ??
    order.toSorted((a, b) => use[b].used / use[b].limit - use[a].used / use[a].limit)[0]!;
  return [full, use[full]];
}

function listed(use: RequestBreakers, when: string): Evidence[] {
  return Object.entries(BREAKERS).map(([name, { field }]) => {
    const { used, limit } = use[name as keyof typeof BREAKERS];
    return { name: `${field} ${when}`, value: `${used} of ${limit}` };
  });
}

export function retryLimit(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  const { attempts, attempt_log: log, cluster } = request;
  const policy = retryPolicyOf(evidence.route);
  const from = policy?.from ?? 'x-envoy-max-retries of the request, or the default';
  const outcomes = log.map(({ number, host, outcome, at_ms }) => ({
    name: `attempt ${number}`,
    value: `${host}: ${outcome}, given up after ${Math.round(at_ms)} ms`,
  }));
  const last = request.host === '' ? '' : `; the last, at ${request.host}, ended with ${request.status}`;
  return {
    reason: `All ${attempts} attempts failed${last}. No more are allowed (${policy?.retries ?? attempts - 1} retries, set by ${from}).`,
    evidence: [
      ...outcomes,
      {
        name: 'retries of the cluster so far',
        value: `${evidence.clusterStat('upstream_rq_retry')}, of them ${evidence.clusterStat('upstream_rq_retry_success')} with success`,
        link: { kind: 'cluster', name: cluster },
      },
    ],
    advice: [
      'Look at why each attempt failed: more retries make more load, and help only where another host would do better.',
    ],
    live: true,
  };
}

function retryPolicyOf(
  found: { readonly route: Route; readonly virtualHost: VirtualHost } | undefined,
): { readonly retries: number; readonly from: string } | undefined {
  const ofRoute: RetryPolicy | undefined = found?.route.route?.retry_policy;
  const policy = ofRoute ?? found?.virtualHost.retry_policy;
  if (policy === undefined || found === undefined) return undefined;
  const from =
    ofRoute === undefined
      ? `retry_policy of virtual host '${found.virtualHost.name}'`
      : `retry_policy of route '${found.route.name}'`;
  // Source: RetryPolicy.num_retries.
  return { retries: policy.num_retries?.value ?? 1, from };
}

export function upstreamTimeout(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  const { details, cluster, host } = request;
  const perTry = details.startsWith('upstream_per_try');
  const limit = perTry ? perTryLimit(evidence, details.includes('idle')) : routeLimit(evidence);
  const waited = evidence.phaseMs('wait_for_response');
  const connecting = request.phases.some(({ name }) => name === 'send_request')
    ? ''
    : ' No connection was ready by then: it waited for one.';
  return {
    reason: `${host === '' ? `Cluster '${cluster}'` : `Host ${host} of cluster '${cluster}'`} did not answer within ${limit.text}.${connecting}`,
    evidence: [
      { name: 'limit', value: limit.text, link: { kind: 'cluster', name: cluster } },
      ...(waited === undefined ? [] : [{ name: 'waited for the response', value: `${waited} ms` }]),
      { name: 'duration of the request', value: `${Math.round(request.duration_ms)} ms` },
      { name: 'attempts', value: `${request.attempts}` },
      {
        name: 'timeouts of the cluster so far',
        value: `${evidence.clusterStat(perTry ? 'upstream_rq_per_try_timeout' : 'upstream_rq_timeout')}`,
      },
    ],
    advice: [
      `If the upstream may take longer, raise ${limit.where}; else look why ${host || 'it'} is slow: compare with other hosts of the cluster.`,
    ],
    live: true,
  };
}

interface Limit {
  readonly text: string;
  readonly where: string;
}

function routeLimit(evidence: FlagEvidence): Limit {
  const found = evidence.route;
  const name = found?.route.name || evidence.explanation.result.route || '';
  const configured = found?.route.route?.timeout;
  // Source: RouteAction.timeout, 15 s.
  const routeMs = durationMs(configured) ?? 15_000;
  const told = Number(evidence.requestHeader('x-envoy-expected-rq-timeout-ms') ?? Number.NaN);
  const elapsed = Math.round(evidence.request.duration_ms);
  // The route's own would have ended it later (or never): a header of the request has set another one.
  if (evidence.request.attempts <= 1 && Number.isFinite(told) && told !== routeMs)
    return {
      text: `${told} ms, which a header of the request asked for (x-envoy-upstream-rq-timeout-ms or grpc-timeout)`,
      where: 'the header that the client sends',
    };
  if (configured === undefined)
    return {
      text: `${routeMs} ms, the default of RouteAction.timeout (route '${name}' sets none)`,
      where: `timeout of route '${name}'`,
    };
  const text = routeMs === 0 ? `${elapsed} ms` : `${routeMs} ms, timeout of route '${name}'`;
  return { text, where: `timeout of route '${name}'` };
}

function perTryLimit(evidence: FlagEvidence, idle: boolean): Limit {
  const found = evidence.route;
  const policy = found?.route.route?.retry_policy ?? found?.virtualHost.retry_policy;
  const field = idle ? 'per_try_idle_timeout' : 'per_try_timeout';
  const ms = durationMs(policy?.[field]);
  if (ms === undefined)
    return {
      text: 'the per-try timeout that a header of the request asked for (x-envoy-upstream-rq-per-try-timeout-ms)',
      where: 'that header',
    };
  return {
    text: `${ms} ms, retry_policy.${field} of route '${found?.route.name ?? ''}'`,
    where: `retry_policy.${field}`,
  };
}

export function streamIdle(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  const { manager, route: found } = evidence;
  const ofRoute = durationMs(found?.route.route?.idle_timeout);
  // Source: HttpConnectionManager.stream_idle_timeout, 5 min.
  const ofManager = durationMs(manager?.stream_idle_timeout) ?? 300_000;
  const where =
    ofRoute === undefined
      ? `stream_idle_timeout of the connection manager${manager?.stream_idle_timeout === undefined ? ' (its default)' : ''}`
      : `idle_timeout of route '${found?.route.name ?? ''}'`;
  const started = request.phases.some(({ name }) => name === 'receive_response');
  return {
    reason: `Nothing was sent or received on the stream for ${ofRoute ?? ofManager} ms (${where}), ${started ? 'in the middle of the response' : 'before there was a response'}.`,
    evidence: [
      { name: 'limit', value: `${ofRoute ?? ofManager} ms, ${where}` },
      { name: 'bytes received and sent', value: `${request.bytes_received} and ${request.bytes_sent}` },
    ],
    advice: [
      `Streams that may be silent for long (server-sent events, long polls, gRPC watches) need a longer ${where}, or 0 for none; or a heartbeat.`,
    ],
    live: true,
  };
}

export function maxDuration(evidence: FlagEvidence): Cause {
  const { manager, route: found, request } = evidence;
  const ofRoute = durationMs(found?.route.route?.max_stream_duration?.max_stream_duration);
  const ofManager = durationMs(manager?.common_http_protocol_options?.max_stream_duration);
  const where =
    ofRoute === undefined
      ? 'common_http_protocol_options.max_stream_duration of the connection manager'
      : `max_stream_duration of route '${found?.route.name ?? ''}'`;
  const limit = ofRoute ?? ofManager;
  return {
    reason: `The request lasted ${Math.round(request.duration_ms)} ms, longer than it may${limit === undefined ? '' : `: ${limit} ms, ${where}`}.`,
    evidence: [
      {
        name: 'limit',
        value:
          limit === undefined
            ? 'the grpc-timeout of the request, or a limit that is gone'
            : `${limit} ms, ${where}`,
      },
    ],
    advice: [`Raise ${where}, or set it to 0s for streams that never end.`],
    live: true,
  };
}

/** The client was too slow with its request. */
export function slowRequest(
  { request, manager }: FlagEvidence,
  field: 'request_timeout' | 'request_headers_timeout',
): Cause {
  const limit = durationMs(manager?.[field]);
  const what = field === 'request_timeout' ? 'all of its request' : 'the head of its request';
  return {
    reason: `The client ${request.client} did not send ${what} within ${limit === undefined ? 'the time it has' : `${limit} ms`} (${field} of the connection manager).`,
    evidence: [
      { name: field, value: limit === undefined ? 'not set any more' : `${limit} ms` },
      { name: 'bytes of the body that came', value: `${request.bytes_received}` },
    ],
    advice: [
      `If slow clients or large uploads are to be served, raise ${field}; else look at the client or the network.`,
    ],
    live: true,
  };
}

export function upstreamMaxDuration(evidence: FlagEvidence): Cause {
  const { request, cluster } = evidence;
  const limit = cluster?.features.maxStreamDurationMs;
  return {
    reason: `The stream to cluster '${request.cluster}' lasted longer than max_stream_duration${limit ? ` (${limit} ms)` : ''} allows.`,
    evidence: [
      {
        name: 'max_stream_duration of the cluster',
        value: limit ? `${limit} ms` : 'none: x-envoy-upstream-stream-duration-ms of the request',
        link: { kind: 'cluster', name: request.cluster },
      },
    ],
    advice: ['Raise common_http_protocol_options.max_stream_duration of the cluster.'],
    live: true,
  };
}
