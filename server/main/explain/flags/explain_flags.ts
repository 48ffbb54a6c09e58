// Explains every response flag of a request, and the details of one that was refused without a flag, from what was kept of it and from
// the live state.

import type { CapturedRequest } from '../../../common/capture/captured_request.ts';
import { RESPONSE_FLAG_NAMES } from '../../../common/stream_info/response_flags.ts';
import { describeCaptured } from '../description.ts';
import { explain } from '../explain.ts';
import { DETAILS, FLAG_TITLES } from './flag_catalog.ts';
import { FlagEvidence, type FlagServices } from './flag_evidence.ts';
import type { Cause, FlagExplanation } from './flag_explanation.ts';
import {
  connectionFailure,
  connectionTermination,
  localReset,
  noHealthyUpstream,
  upstreamProtocolError,
  upstreamReset,
} from './host_causes.ts';
import {
  maxDuration,
  overflow,
  retryLimit,
  slowRequest,
  streamIdle,
  upstreamMaxDuration,
  upstreamTimeout,
} from './limit_causes.ts';
import { localHealth, resolutionFailed } from './local_causes.ts';
import {
  byFilter,
  clientGone,
  clientProtocolError,
  noCluster,
  noFilterConfig,
  noRoute,
} from './request_causes.ts';

const CAUSES: Readonly<Record<string, (evidence: FlagEvidence) => Cause>> = {
  UH: noHealthyUpstream,
  UF: connectionFailure,
  UC: connectionTermination,
  UR: upstreamReset,
  UPE: upstreamProtocolError,
  LR: localReset,
  UO: overflow,
  URX: retryLimit,
  UT: upstreamTimeout,
  SI: streamIdle,
  DT: maxDuration,
  UMSDR: upstreamMaxDuration,
  NR: noRoute,
  NC: noCluster,
  NFCF: noFilterConfig,
  DF: resolutionFailed,
  LH: localHealth,
  DC: clientGone,
  DR: clientGone,
  DPE: clientProtocolError,
  FI: (evidence) =>
    byFilter(
      evidence,
      'fault',
      `The fault filter answered with ${evidence.request.status}, as it is told to`,
      'Take the abort out of the fault configuration (of the listener, or of the route).',
    ),
  DI: (evidence) =>
    byFilter(
      evidence,
      'fault',
      `The fault filter held the request back; it took ${Math.round(evidence.request.duration_ms)} ms in all`,
      'Take the delay out of the fault configuration (of the listener, or of the route).',
    ),
  RL: (evidence) =>
    byFilter(evidence, 'ratelimit', 'A rate limit refused the request', 'Raise the limit, or send less.'),
  RLSE: (evidence) =>
    byFilter(evidence, 'ratelimit', 'The rate limit service could not be asked', 'Look at its cluster.'),
  UAEX: (evidence) =>
    byFilter(evidence, 'ext_authz', 'The authorization service refused the request', 'Its log tells why.'),
};

/** Details that no flag stands for, and that more can be told of than the catalogue does. */
const DETAIL_CAUSES: Readonly<Record<string, (evidence: FlagEvidence) => Cause>> = {
  max_duration_timeout: maxDuration,
  request_header_timeout: (evidence) => slowRequest(evidence, 'request_headers_timeout'),
  request_overall_timeout: (evidence) => slowRequest(evidence, 'request_timeout'),
};

export async function explainFlags(
  request: CapturedRequest,
  services: FlagServices,
): Promise<FlagExplanation[]> {
  const explanation = await explain(services.configuration, describeCaptured(request));
  const evidence = new FlagEvidence(request, services, explanation);
  const explained = request.flags.map((flag) => ofFlag(flag, evidence));
  // A local answer that has a flag is explained by it.
  if (explained.length === 0 && (request.status === 0 || request.status >= 400))
    explained.push(ofDetails(evidence));
  return explained;
}

function ofFlag(flag: string, evidence: FlagEvidence): FlagExplanation {
  const name = RESPONSE_FLAG_NAMES.find(({ short }) => short === flag)?.long ?? flag;
  const title = FLAG_TITLES[flag] ?? name;
  const cause = CAUSES[flag]?.(evidence) ?? other(evidence);
  return { flag, name, title, ...cause };
}

function ofDetails(evidence: FlagEvidence): FlagExplanation {
  const { details, status, host, cluster } = evidence.request;
  const cause = DETAIL_CAUSES[details];
  if (cause !== undefined)
    return { flag: '', name: details, title: DETAILS[details]?.title ?? details, ...cause(evidence) };
  const known = DETAILS[details];
  const title =
    known?.title ??
    (details.startsWith('rbac_access_denied')
      ? 'Access was denied by a policy (RBAC)'
      : 'The proxy answered by itself');
  const who =
    details === 'via_upstream'
      ? `Host ${host} of cluster '${cluster}' answered with ${status}`
      : `The proxy answered with ${status}`;
  const policy = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  const why =
    policy === undefined
      ? details || 'no details were given'
      : policy === 'none'
        ? 'no policy allows the request'
        : `policy '${policy}' denies it`;
  return {
    flag: '',
    name: details,
    title,
    reason: `${who}: ${why}.`,
    evidence:
      details === 'via_upstream'
        ? [{ name: 'host', value: host, link: { kind: 'cluster', name: cluster } }]
        : [],
    advice: [
      known?.advice ??
        (policy === undefined
          ? 'The details name the rule or filter that answered.'
          : 'Look at the RBAC filter of the listener, or at the AuthorizationPolicy that it is made from.'),
    ],
    live: false,
  };
}

function other({ request }: FlagEvidence): Cause {
  const details = request.details === '' ? '' : `: ${request.details}`;
  return {
    reason: `The request ended with ${request.status}${details}.`,
    evidence: [],
    advice: [],
    live: false,
  };
}
