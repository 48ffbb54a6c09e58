// A long list of routes, compiled: which of them can match a path at all. Exact paths are a map; what a path must begin with (prefixes,
// and the fixed beginnings of regular expressions and templates) is a tree that shares common beginnings.
// Where finding a route there says all that the route asks for, it is not asked itself; others are asked by their own match(). Of
// those that match the first in the configured order wins, as Envoy's walk over all of them has it (getRouteFromRoutes in
// source/common/router/config_impl.cc).

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { PathKind } from '../matcher/path_matcher.ts';
import { lowerCase } from '../matcher/string_matcher.ts';
import { PrefixTree, PrefixTreeBuilder, whatIsKnown } from './prefix_tree.ts';
import { RouteCandidates } from './route_candidates.ts';
import type { RouteMatch } from './route_match.ts';

export class RouteIndex {
  private readonly matches: readonly RouteMatch[];
  /** The place of the first route of a path that asks for nothing else, or those that are to be asked. */
  private readonly byExactPath: ReadonlyMap<string, number | RouteCandidates>;
  private readonly byPrefix: PrefixTree;
  /** Those of any case, in lower case; undefined without any. */
  private readonly byLowerCasePrefix: PrefixTree | undefined;

  constructor(matches: readonly RouteMatch[]) {
    const exact = new Map<string, number | RouteCandidates>();
    const prefixes = new PrefixTreeBuilder();
    const lowerCasePrefixes = new PrefixTreeBuilder();
    for (let place = 0; place < matches.length; place++) {
      const { path } = matches[place];
      if (!path.caseSensitive) lowerCasePrefixes.add(path.requiredPrefix(), place);
      else if (path.kind !== PathKind.Exact) prefixes.add(path.requiredPrefix(), place);
      else addExact(exact, path.text, place, matches);
    }
    const known = whatIsKnown(matches);
    this.matches = matches;
    this.byExactPath = exact;
    this.byPrefix = new PrefixTree(prefixes, matches, known);
    this.byLowerCasePrefix =
      lowerCasePrefixes.size === 0 ? undefined : new PrefixTree(lowerCasePrefixes, matches, known);
  }

  /** The place of the first route that matches, or the number of routes. `path` as in RouteMatch.match. */
  find(path: string, headers: RequestHeaderMap, info: StreamInfo, streamId: number): number {
    const { matches } = this;
    let found = matches.length;
    const exact = this.byExactPath.get(path);
    if (typeof exact === 'number') found = exact;
    else if (exact !== undefined) found = exact.find(found, matches, path, headers, info, streamId);
    found = this.byPrefix.find(path, found, path, headers, info, streamId);
    if (this.byLowerCasePrefix === undefined) return found;
    return this.byLowerCasePrefix.find(lowerCase(path), found, path, headers, info, streamId);
  }
}

function addExact(
  exact: Map<string, number | RouteCandidates>,
  path: string,
  place: number,
  matches: readonly RouteMatch[],
): void {
  const before = exact.get(path);
  // The first takes all requests.
  if (typeof before === 'number') return;
  if (before === undefined && matches[place].pathOnly && path !== '') {
    exact.set(path, place);
    return;
  }
  const candidates = before ?? new RouteCandidates();
  candidates.add(place, matches);
  exact.set(path, candidates);
}
