// Which route of a route configuration a request takes, and why the others do not take it: the cold twin of RouteConfig.route.
// Where chance decides (runtime fractions, weights) it tells all that can happen and how likely each is. Loaded when somebody asks.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { CompiledRoute, RouteRule } from './route.ts';
import type { CompiledRouteConfig } from './route_config.ts';
import type { RuntimeFraction } from './runtime_fraction.ts';
import type { VirtualHost } from './virtual_host.ts';
import { WeightedChoice } from './weighted_clusters.ts';

/** A rule that was asked. */
export interface ConsideredRule {
  /** Its place in the list. */
  readonly index: number;
  readonly rule: RouteRule;
  /** All its conditions, as when chance is on its side. */
  readonly node: ExplainNode;
  /** 0 to 1: how likely it is to match when it is asked. */
  readonly chance: number;
}

/** A route that the request may take. */
export interface PossibleRoute {
  readonly index: number;
  readonly rule: RouteRule | undefined;
  readonly route: CompiledRoute;
  /** 0 to 1, of all requests like this one. */
  readonly share: number;
}

export interface RouteExplanation {
  readonly virtualHost: VirtualHost | undefined;
  /** Why it is that one, or none. */
  readonly hostReason: string;
  /** require_tls sends it to https before routes are asked. */
  readonly redirectedToTls: boolean;
  /** Where the virtual host has a match tree instead of a list. */
  readonly tree: ExplainNode | undefined;
  /** Where in the tree the routes are that it leads to; '' without one. */
  readonly place: string;
  readonly considered: readonly ConsideredRule[];
  readonly possible: readonly PossibleRoute[];
}

/** Random values modulo 100, 10,000 and 1,000,000 are least and greatest here: what these agree on is not left to chance. */
const LUCKY = 0;
const UNLUCKY = 999_999;
/** With a stride that has no factor in common with the denominators, so many values meet each remainder equally often. */
const SAMPLES = 10_000;
const STRIDE = 7919;
/** A match is cheap; so many of them take a few ms. */
const RULES_PER_TURN = 1000;

/** `pause` lets the event loop run; it is called now and then in long lists. */
export async function explainRoutes(
  config: CompiledRouteConfig,
  headers: RequestHeaderMap,
  info: StreamInfo,
  pause: () => Promise<void>,
): Promise<RouteExplanation> {
  const virtualHost = config.domains.find(headers.host);
  const hostReason = config.domains.reason(headers.host);
  const nothing = { redirectedToTls: false, tree: undefined, place: '', considered: [], possible: [] };
  if (virtualHost === undefined) return { virtualHost, hostReason, ...nothing };
  if (virtualHost.requireTls !== 'NONE' && virtualHost.needsTls(headers)) {
    const redirect = { index: -1, rule: undefined, route: virtualHost.sslRedirect, share: 1 };
    return { virtualHost, hostReason, ...nothing, redirectedToTls: true, possible: [redirect] };
  }
  const { matcher } = virtualHost;
  const tree = matcher?.explain({ headers, info });
  const routes = matcher === undefined ? virtualHost.routes : matcher.match({ headers, info });
  const walked = await walk(routes?.rules ?? [], config.pathOf(headers), headers, info, pause);
  return { virtualHost, hostReason, redirectedToTls: false, tree, place: routes?.place ?? '', ...walked };
}

/** Every rule up to and with the one that matches for sure. */
async function walk(
  rules: readonly RouteRule[],
  path: string,
  headers: RequestHeaderMap,
  info: StreamInfo,
  pause: () => Promise<void>,
): Promise<Pick<RouteExplanation, 'considered' | 'possible'>> {
  const considered: ConsideredRule[] = [];
  const possible: PossibleRoute[] = [];
  let left = 1;
  for (let index = 0; index < rules.length && left > 0; index++) {
    if (index % RULES_PER_TURN === RULES_PER_TURN - 1) await pause();
    const rule = rules[index] as RouteRule;
    const chance = chanceOf(rule, path, headers, info);
    const what = rule.name === '' ? `route ${index}` : `route ${index} '${rule.name}'`;
    const node = rule.match.explain(path, headers, info, LUCKY, what);
    considered.push({ index, rule, node, chance });
    for (const { route, share } of targetsOf(rule, headers, info)) {
      if (chance * share > 0) possible.push({ index, rule, route, share: left * chance * share });
    }
    left *= 1 - chance;
  }
  return { considered, possible };
}

function chanceOf({ match }: RouteRule, path: string, headers: RequestHeaderMap, info: StreamInfo): number {
  const lucky = match.match(path, headers, info, LUCKY);
  if (match.runtimeFraction === undefined) return lucky ? 1 : 0;
  return lucky === match.match(path, headers, info, UNLUCKY)
    ? lucky
      ? 1
      : 0
    : fractionOf(match.runtimeFraction);
}

function fractionOf(fraction: RuntimeFraction): number {
  let on = 0;
  for (let i = 0; i < SAMPLES; i++) if (fraction.enabled((i * STRIDE) % (UNLUCKY + 1))) on++;
  return on / SAMPLES;
}

interface Target {
  readonly route: CompiledRoute;
  readonly share: number;
}

function targetsOf(rule: RouteRule, headers: RequestHeaderMap, info: StreamInfo): readonly Target[] {
  const { route, choice } = rule;
  if (choice instanceof WeightedChoice) return weightedTargets<CompiledRoute>(choice, headers, info);
  const target = route ?? choice?.choose(headers, info, LUCKY);
  return target === undefined ? [] : [{ route: target, share: 1 }];
}

/** The shares of weighted clusters; all for one where a header or a hash decides, which ask no chance. */
export function weightedTargets<T>(
  choice: WeightedChoice<T>,
  headers: RequestHeaderMap,
  info: StreamInfo,
): readonly { readonly route: T; readonly share: number }[] {
  const sums = choice.currentSums();
  const total = sums.at(-1) ?? 0;
  if (total === 0) return [];
  const first = choice.choose(headers, info, 0) as T;
  const last = choice.choose(headers, info, total - 1) as T;
  if (first === last) return [{ route: first, share: 1 }];
  return choice.entries
    .map((route, i) => ({ route, share: ((sums[i] as number) - (sums[i - 1] ?? 0)) / total }))
    .filter(({ share }) => share > 0);
}
