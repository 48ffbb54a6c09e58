// The routes in the match tree of a virtual host, with the place of each. Envoy: VirtualHost.matcher.

import type { Route, RouteList } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type {
  IPMatcher,
  Matcher,
  Matcher_MatcherTree,
  Matcher_OnMatch,
  ServerNameMatcher,
} from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at } from '../../api/config_error.ts';

/** What one action of a tree leads to. */
export interface PlacedRoutes {
  /** From the virtual host on: `matcher.matcher_list.matchers[0].on_match.action`. */
  readonly place: string;
  readonly routes: readonly Route[];
}

/** In the order in which they are written. */
export function* routesInTree(tree: Matcher, place = 'matcher'): Generator<PlacedRoutes> {
  for (const [i, { on_match }] of (tree.matcher_list?.matchers ?? []).entries())
    yield* routesOf(on_match, at(at(at(place, 'matcher_list.matchers'), i), 'on_match'));
  if (tree.matcher_tree !== undefined) yield* routesInMap(tree.matcher_tree, at(place, 'matcher_tree'));
  yield* routesOf(tree.on_no_match, at(place, 'on_no_match'));
}

function* routesInMap(tree: Matcher_MatcherTree, place: string): Generator<PlacedRoutes> {
  const { exact_match_map: exact, prefix_match_map: prefix, custom_match: custom } = tree;
  const field = exact === undefined ? 'prefix_match_map' : 'exact_match_map';
  for (const [key, onMatch] of Object.entries((exact ?? prefix)?.map ?? {}))
    yield* routesOf(onMatch, `${at(place, field)}.map["${key}"]`);
  if (custom?.typed_config === undefined) return;
  const inside = at(place, 'custom_match.typed_config');
  const { typeName, message } = decodeAny(custom.typed_config);
  const isIp = typeName === 'xds.type.matcher.v3.IPMatcher';
  const list = isIp
    ? (message as unknown as IPMatcher).range_matchers
    : (message as unknown as ServerNameMatcher).domain_matchers;
  for (const [i, { on_match }] of list.entries()) {
    const matchers = at(inside, isIp ? 'range_matchers' : 'domain_matchers');
    yield* routesOf(on_match, at(at(matchers, i), 'on_match'));
  }
}

function* routesOf(onMatch: Matcher_OnMatch | undefined, place: string): Generator<PlacedRoutes> {
  if (onMatch?.matcher !== undefined) yield* routesInTree(onMatch.matcher, at(place, 'matcher'));
  if (onMatch?.action !== undefined)
    yield { place: at(place, 'action'), routes: routesOfAction(onMatch.action) };
}

function routesOfAction({ typed_config: typed }: TypedExtensionConfig): readonly Route[] {
  if (typed === undefined) return [];
  const { typeName, message } = decodeAny(typed);
  if (typeName === 'envoy.config.route.v3.Route') return [message as unknown as Route];
  return (message as unknown as RouteList).routes;
}
