// A request in the connection manager of its chain: what is refused or changed before it is routed, its virtual host, its route, and
// what the route says. As common/http/active_stream.ts does it, with the same functions.

import type { RouteConfiguration, VirtualHost } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { ConnectionManagerConfig } from '../../common/http/conn_manager_config.ts';
import { mutateRequestHeaders, normalizeHost } from '../../common/http/conn_manager_utility.ts';
import { RequestHeaders } from '../../common/http/header_map.ts';
import { needsNormalization, normalizeRequestPath } from '../../common/http/path_utility.ts';
import { allOf } from '../../common/matcher/explain.ts';
import { latin1Of } from '../../common/matcher/latin1.ts';
import {
  explainRoutes,
  type PossibleRoute,
  type RouteExplanation,
} from '../../common/router/explain_routes.ts';
import type { CompiledRouteConfig } from '../../common/router/route_config.ts';
import type { RequestDescription } from './description.ts';
import { editDistance } from './edit_distance.ts';
import type { ExplainedResponse, ExplainStep, NearestMiss, StepItem } from './explanation.ts';
import { type Candidate, ended, nearestName, passed, rejectedOf } from './steps.ts';

/** Refused before any route was asked, or ready to be routed. */
export interface ReceivedRequest {
  readonly step: ExplainStep;
  readonly response: ExplainedResponse | undefined;
}

export function headersOf({ method, authority, path, headers }: RequestDescription): RequestHeaders {
  const host = authority === undefined ? undefined : latin1Of(authority);
  return new RequestHeaders(method, latin1Of(path), host, '', headers.map(latin1Of));
}

/** Changes `headers` and `info` as the connection manager does. */
export function receiveRequest(
  headers: RequestHeaderMap,
  info: StreamInfo,
  config: ConnectionManagerConfig,
): ReceivedRequest {
  const title = 'Request';
  const items: StepItem[] = [];
  const refuse = (status: number, details: string, reason: string, location?: string): ReceivedRequest => ({
    step: ended('request', title, reason, { items }),
    response: { status, flags: [], details, ...(location !== undefined && { location }) },
  });
  if (headers.host === undefined) return refuse(400, 'missing_host_header', 'it names no host');
  if (headers.path.charCodeAt(0) !== 47 && headers.method !== 'CONNECT') {
    const empty = headers.path === '';
    const details = empty ? 'missing_path_rejected' : 'absolute_path_rejected';
    return refuse(empty ? 400 : 404, details, `the path '${headers.path}' does not begin with a slash`);
  }
  const before = headers.path;
  if (needsNormalization(before, config.pathNormalization)) {
    const { path, redirect } = normalizeRequestPath(before, config.pathNormalization);
    if (path === undefined)
      return refuse(400, 'path_normalization_failed', `the path '${before}' cannot be normalized`);
    headers.path = path;
    items.push({ name: 'path', note: `'${before}' is normalized to '${path}'`, ok: true });
    if (redirect) return refuse(307, 'path_normalization_failed', 'it is sent to the normalized path', path);
  }
  const host = headers.host;
  normalizeHost(headers, config, info.connection);
  if (headers.host !== host)
    items.push({ name: 'host', note: `'${host}' becomes '${headers.host}'`, ok: true });
  mutateRequestHeaders(headers, info, config, info.connection, config.routes.current);
  const internal = headers.get('x-envoy-internal') === 'true';
  const client = `the client is ${info.remoteAddress.ip || info.remoteAddress.text}, ${internal ? 'internal' : 'external'}`;
  items.push({ name: 'client', note: client, ok: true });
  const reason = `${headers.method} ${headers.host ?? ''}${headers.path}`;
  return { step: passed('request', title, reason, 'accepted', { items }), response: undefined };
}

/** What the routes say of the request. */
export interface RoutedRequest {
  readonly steps: readonly ExplainStep[];
  readonly explanation: RouteExplanation;
  /** The most likely one. */
  readonly chosen: PossibleRoute | undefined;
  readonly nearestMiss: NearestMiss | undefined;
}

/** `message` is what `config` was compiled from. */
export async function routeRequest(
  config: CompiledRouteConfig,
  message: RouteConfiguration,
  headers: RequestHeaderMap,
  info: StreamInfo,
  pause: () => Promise<void>,
): Promise<RoutedRequest> {
  const explanation = await explainRoutes(config, headers, info, pause);
  const { virtualHost, hostReason, possible, tree, redirectedToTls } = explanation;
  const link = { kind: 'route', name: config.name } as const;
  if (virtualHost === undefined) {
    const nearest = nearestDomain(message, headers.host ?? '', config);
    const reason = `${hostReason} in route configuration '${config.name}'${discovery(message, headers)}`;
    const step = ended('virtual_host', 'Virtual host', reason, {
      ...rejectedOf(domainCandidates(message, headers.host ?? '', undefined)),
      ...(nearest !== undefined && { nearest_miss: nearest }),
      link,
    });
    return { steps: [step], explanation, chosen: undefined, nearestMiss: nearest };
  }
  const hostStep = passed('virtual_host', 'Virtual host', virtualHost.name, hostReason, {
    ...rejectedOf(domainCandidates(message, headers.host ?? '', virtualHost.name)),
    link,
  });
  if (redirectedToTls) {
    const proto = headers.get('x-forwarded-proto') ?? '';
    const reason = `require_tls ${virtualHost.requireTls}: the request came by ${proto}, and is sent to https`;
    const step = passed('route', 'Route', 'redirect to https', reason);
    return { steps: [hostStep, step], explanation, chosen: possible[0], nearestMiss: undefined };
  }
  const chosen = possible.toSorted((a, b) => b.share - a.share)[0];
  const candidates = routeCandidates(explanation, headers.path);
  const rejected = rejectedOf(candidates.filter(({ node }) => !node.matched));
  const listed = tree === undefined ? {} : { tree };
  if (chosen === undefined) {
    const miss = nearestRoute(candidates, config.pathOf(headers));
    const why = tree !== undefined && !tree.matched ? 'the match tree leads nowhere' : 'no route matches';
    const reason = `${why} in virtual host '${virtualHost.name}'${discovery(message, headers)}`;
    const step = ended('route', 'Route', reason, {
      ...rejected,
      ...listed,
      ...(miss !== undefined && { nearest_miss: miss }),
    });
    return { steps: [hostStep, step], explanation, chosen, nearestMiss: miss };
  }
  const { index, rule } = chosen;
  const considered = explanation.considered.find((each) => each.index === index);
  const name = rule?.name || `route ${index}`;
  const certain = possible.length === 1 && chosen.share === 1;
  const chance = certain ? '' : `, in ${percent(chosen.share)} of requests like this one`;
  const items = certain ? {} : { items: alternatives(possible) };
  const reason = `the first that matches${chance}: ${describeConditions(considered?.node.children.map(({ what }) => what) ?? [])}`;
  const step = passed('route', 'Route', name, reason, {
    ...rejected,
    tree: reasons(tree, considered?.node),
    ...items,
  });
  return { steps: [hostStep, step], explanation, chosen, nearestMiss: undefined };
}

/** What happens next where virtual hosts may be had by VHDS. */
function discovery({ name, vhds }: RouteConfiguration, { host = '' }: RequestHeaderMap): string {
  if (vhds === undefined) return '';
  return `; the on_demand filter, where there is one, asks the control plane for '${name}/${host.toLowerCase()}'`;
}

function describeConditions(conditions: readonly string[]): string {
  return conditions.length === 0 ? 'without conditions' : conditions.join(', ');
}

/** Why it is this route: what the match tree says, if there is one, and what the route asks for. */
function reasons(tree: ExplainNode | undefined, route: ExplainNode | undefined): ExplainNode {
  if (tree === undefined || route === undefined) return (route ?? tree) as ExplainNode;
  return allOf('the match tree leads to a list of routes', [tree, route]);
}

/** All that can happen, with how likely it is. */
function alternatives(possible: readonly PossibleRoute[]): StepItem[] {
  let left = 1;
  const items = possible.map(({ index, rule, route, share }) => {
    left -= share;
    const name = route.routeEntry?.clusterName(new RequestHeaders(), 0);
    const cluster = name === undefined ? '' : ` to ${name || 'the cluster that a header names'}`;
    return { name: rule?.name || `route ${index}`, note: `${percent(share)}${cluster}`, ok: true };
  });
  if (left < 1e-9) return items;
  return [...items, { name: 'no route', note: `${percent(left)}: the answer is 404`, ok: false }];
}

// ---- near misses --------------------------------------------------------------------------------------------------------

/** So many domains are measured; more are not looked through by people either. */
const MAX_DOMAINS = 20_000;

interface Domain {
  readonly virtualHost: VirtualHost;
  readonly domain: string;
}

function domainsOf(message: RouteConfiguration): Domain[] {
  return message.virtual_hosts
    .flatMap((virtualHost) => virtualHost.domains.map((domain) => ({ virtualHost, domain })))
    .slice(0, MAX_DOMAINS);
}

/** How far a host is from a domain; a wildcard is measured by the part that it asks for. */
function domainDistance({ domain }: Domain, host: string): number {
  const wanted = domain.toLowerCase();
  if (wanted === '*') return 0;
  if (wanted.startsWith('*')) return editDistance(host.slice(-(wanted.length - 1)), wanted.slice(1));
  if (wanted.endsWith('*')) return editDistance(host.slice(0, wanted.length - 1), wanted.slice(0, -1));
  return editDistance(host, wanted);
}

function domainCandidates(
  message: RouteConfiguration,
  given: string,
  chosen: string | undefined,
): Candidate[] {
  const host = given.toLowerCase();
  const nearest = new Map<VirtualHost, { readonly domain: string; readonly distance: number }>();
  for (const each of domainsOf(message)) {
    if (each.virtualHost.name === chosen) continue;
    const distance = domainDistance(each, host);
    const before = nearest.get(each.virtualHost);
    if (before === undefined || distance < before.distance)
      nearest.set(each.virtualHost, { domain: each.domain, distance });
  }
  return [...nearest].map(([{ name, domains }, { domain, distance }]) => {
    const reason =
      distance === 0
        ? 'it matches, but less closely than the chosen one'
        : `the host is '${host}', ${distance} edits away`;
    const what =
      domains.length === 1
        ? `the host is '${domain}'`
        : `the host is '${domain}' or ${domains.length - 1} more`;
    const condition = { what, matched: false, reason, children: [] };
    return {
      name,
      distance,
      node: { what: `virtual host '${name}'`, matched: false, reason, children: [condition] },
    };
  });
}

/** The domain that was probably meant. */
function nearestDomain(
  message: RouteConfiguration,
  given: string,
  config: CompiledRouteConfig,
): NearestMiss | undefined {
  const host = given.toLowerCase();
  const withoutPort = host.replace(/:\d+$/, '');
  if (withoutPort !== host && config.domains.find(withoutPort) !== undefined) {
    const { name } = config.domains.find(withoutPort)!;
    const hint = `'${withoutPort}' would match, '${host}' with its port does not: set ignore_port_in_host_matching, or list the domain with the port`;
    return {
      name,
      what: 'host',
      wanted: withoutPort,
      got: host,
      distance: host.length - withoutPort.length,
      hint,
    };
  }
  const all = domainsOf(message);
  let best: { readonly found: Domain; readonly distance: number } | undefined;
  for (const each of all) {
    const distance = domainDistance(each, host);
    if (best === undefined || distance < best.distance) best = { found: each, distance };
  }
  if (best === undefined) return undefined;
  const { domain, virtualHost } = best.found;
  return nearestName('host', virtualHost.name, domain, host, best.distance);
}

const PATH_TEXT = /^path (?:starts with|is|is or is below) '(.*)'(?: \(any case\))?$/;

function routeCandidates({ considered }: RouteExplanation, path: string): Candidate[] {
  return considered.map(({ index, rule, node, chance }) => {
    const text = PATH_TEXT.exec(node.children[0]?.what ?? '')?.[1];
    const distance =
      text === undefined ? undefined : editDistance(path.slice(0, Math.max(text.length, 1)), text);
    const lost = chance > 0 ? node : { ...node, matched: false };
    return { name: rule.name || `route ${index}`, node: lost, ...(distance !== undefined && { distance }) };
  });
}

/** The route that was probably meant: the fewest conditions that fail, then the nearest path. */
function nearestRoute(candidates: readonly Candidate[], path: string): NearestMiss | undefined {
  const { rejected } = rejectedOf(candidates);
  const best = rejected[0];
  if (best === undefined) return undefined;
  const { what, reason } = best.first_failed;
  const text = PATH_TEXT.exec(what)?.[1];
  if (text !== undefined) {
    const got = what.startsWith('path starts with') ? path.slice(0, text.length) : path;
    return {
      ...nearestName(what, best.name, text, got, best.distance ?? 0),
      hint: `route '${best.name}': ${what}, but ${reason}`,
    };
  }
  const hint = `route '${best.name}' matches but for one condition: ${what}; ${reason}`;
  return { name: best.name, what, wanted: what, got: reason, distance: best.distance ?? 0, hint };
}

export function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
