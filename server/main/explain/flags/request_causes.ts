// NR, NC, NFCF, DC, DR, DPE, IH, and what filters do (FI, DI, RL, UAEX, ...): what was wrong with the request, or with what is
// configured for it.

import type { FlagEvidence } from './flag_evidence.ts';
import type { Cause, Evidence } from './flag_explanation.ts';

export function noRoute(evidence: FlagEvidence): Cause {
  const { request, explanation } = evidence;
  const step = explanation.steps.find((each) => !each.ok);
  const routes = explanation.result.route_config;
  const miss = explanation.nearest_miss;
  const now =
    explanation.outcome === 'no_route' || explanation.outcome === 'no_filter_chain'
      ? ''
      : ' Since then the configuration has changed: now it would find one.';
  const asked =
    request.protocol === 'TCP'
      ? `The connection of ${request.client} to ${request.local}`
      : `${request.method} ${request.authority}${request.path}`;
  const nearest: Evidence[] = (step?.rejected ?? [])
    .slice(0, 5)
    .map(({ name, first_failed: { what, reason } }) => ({
      name: `not '${name}'`,
      value: `${what}: ${reason}`,
    }));
  return {
    reason: `${asked}: ${step?.reason ?? 'there was no route'}.${miss === undefined ? '' : ` Nearest: ${miss.hint}.`}${now}`,
    evidence: [
      {
        name: 'route configuration',
        value: routes ?? 'none',
        ...(routes !== undefined && { link: { kind: 'route', name: routes } as const }),
      },
      { name: 'virtual host', value: explanation.result.virtual_host ?? 'none' },
      ...nearest,
    ],
    advice: [
      explanation.outcome === 'no_filter_chain'
        ? 'No filter chain is for such a connection: compare server name, protocol and addresses with filter_chain_match, or add a default_filter_chain.'
        : explanation.result.virtual_host === undefined
          ? `No virtual host is for '${request.authority}': was the right host asked for? Or add it to the domains of a virtual host (in a mesh: hosts of the VirtualService or Service).`
          : 'The virtual host has routes, but none for this request: add one, or a last one with prefix /.',
    ],
    live: true,
  };
}

export function noCluster(evidence: FlagEvidence): Cause {
  const { explanation } = evidence;
  const name = explanation.result.cluster ?? '';
  const status = evidence.resource('cluster', name);
  const waiting = [...evidence.services.unreadyTargets()].find((each) => each.name === `cluster ${name}`);
  const miss = explanation.nearest_miss;
  const refused = status?.failure;
  let why = 'it was never configured, or has been removed';
  if (refused !== undefined)
    why = `it was refused: ${refused.path === '' ? '' : `${refused.path}: `}${refused.reason}`;
  else if (waiting !== undefined) why = `it is warming, and waits for ${waiting.targetNames.join(', ')}`;
  else if (status?.active !== undefined) why = 'it was not there then; now it is';
  const nearest = refused === undefined && miss !== undefined ? ` The nearest name is '${miss.name}'.` : '';
  return {
    reason: `The route sends the request to cluster '${name}', and there is none: ${why}.${nearest}`,
    evidence: [
      {
        name: 'cluster',
        value: name === '' ? 'the header that should name it is not there' : name,
        link: { kind: 'cluster', name },
      },
    ],
    advice: [
      refused === undefined
        ? 'Correct the name in the route, or configure the cluster.'
        : 'Correct the field of the cluster that was refused.',
    ],
    live: true,
  };
}

export function noFilterConfig(evidence: FlagEvidence): Cause {
  const missing =
    evidence.explanation.steps.find((each) => each.step === 'http_filters')?.items?.filter(({ ok }) => !ok) ??
    [];
  const names = missing.map(({ name }) => `'${name}'`).join(', ');
  return {
    reason: `The configuration of HTTP filter ${names || 'that is discovered'} has not come from the control plane (ECDS), and it has no default.`,
    evidence: missing.map(({ name, note }) => ({ name, value: note })),
    advice: [
      'Does the control plane serve the TypedExtensionConfig of this name? A default_config lets requests through until then.',
    ],
    live: true,
  };
}

export function clientGone(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  const { phases } = request;
  const waiting = phases.some(({ name }) => name === 'send_response')
    ? 'while the response was being sent'
    : phases.some(({ name }) => name === 'wait_for_response')
      ? `while host ${request.host} of cluster '${request.cluster}' had not answered yet`
      : 'before the request had been sent on';
  return {
    reason: `The client ${request.client} went away after ${Math.round(request.duration_ms)} ms, ${waiting}.`,
    evidence: [
      { name: 'client', value: request.client },
      { name: 'bytes sent to it', value: `${request.bytes_sent}` },
      { name: 'details', value: request.details },
    ],
    advice: [
      "Does the client's own timeout end here? If it did not want to wait for this answer, look why it was slow: the phases tell where the time went.",
    ],
    live: false,
  };
}

export function clientProtocolError(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  return {
    reason: `What the client ${request.client} sent is no proper ${request.protocol || 'HTTP'}: ${request.details}.`,
    evidence: [
      { name: 'client', value: request.client },
      { name: 'details', value: request.details },
    ],
    advice: [
      'The details name the rule that was broken. Requests that other proxies let through (both lengths, bare line feeds, folded headers) are refused here as in Envoy.',
    ],
    live: false,
  };
}

/** What a filter did on purpose. */
export function byFilter(evidence: FlagEvidence, filter: string, what: string, advice: string): Cause {
  const { request, explanation } = evidence;
  const found =
    explanation.steps
      .find((each) => each.step === 'http_filters')
      ?.items?.filter(({ name }) => name.includes(filter)) ?? [];
  return {
    reason: `${what}${request.details === '' ? '' : ` (${request.details})`}.`,
    evidence: found.map(({ name, note }) => ({ name: `HTTP filter ${name}`, value: note })),
    advice: [advice],
    live: false,
  };
}
