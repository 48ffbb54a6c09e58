// A long list of routes, compiled: which of them can match a path at all. Exact paths are a map; what a path must begin with (prefixes,
// and the fixed beginnings of regular expressions and templates) is a tree that shares common beginnings.
// It finds candidates only: each is still asked by its own match(), and of those that match the first in the configured order wins, as
// Envoy's walk over all of them has it (getRouteFromRoutes in source/common/router/config_impl.cc).

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { PathKind } from '../matcher/path_matcher.ts';
import { lowerCase } from '../matcher/string_matcher.ts';
import { RouteCandidates } from './route_candidates.ts';
import type { RouteMatch } from './route_match.ts';

/** Routes whose paths begin alike, up to here. */
class PrefixNode {
  /** What comes after the parent's text. */
  label: string;
  /** The lowest place here and below: there is no need to go on where it comes too late. */
  lowest: number;
  readonly candidates: RouteCandidates;
  /** By the first character of their labels. */
  children: Map<number, PrefixNode> | undefined;

  constructor(label: string, lowest: number) {
    this.label = label;
    this.lowest = lowest;
    this.candidates = new RouteCandidates();
    this.children = undefined;
  }
}

/** Literals and the places of their routes. Compressed: a node has places, or more than one child. */
class PrefixTree {
  private readonly root = new PrefixNode('', 0);
  size = 0;

  /** Places must come in ascending order. */
  add(literal: string, place: number, matches: readonly RouteMatch[]): void {
    this.size++;
    let node = this.root;
    let at = 0;
    while (at < literal.length) {
      const child = node.children?.get(literal.charCodeAt(at));
      if (child === undefined) {
        const leaf = new PrefixNode(literal.slice(at), place);
        adopt(node, leaf);
        node = leaf;
        break;
      }
      const shared = sharedLength(child.label, literal, at);
      node = shared === child.label.length ? child : split(node, child, shared);
      at += shared;
    }
    node.candidates.add(place, matches);
  }

  /** The lowest place below `best` whose route matches, or `best`. */
  find(
    path: string,
    best: number,
    matches: readonly RouteMatch[],
    sent: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): number {
    let node = this.root;
    let found = best;
    let at = 0;
    for (;;) {
      found = node.candidates.find(found, matches, sent, headers, info, streamId);
      if (node.children === undefined || at === path.length) return found;
      const child = node.children.get(path.charCodeAt(at));
      if (child === undefined || child.lowest >= found || !path.startsWith(child.label, at)) return found;
      at += child.label.length;
      node = child;
    }
  }
}

function adopt(parent: PrefixNode, child: PrefixNode): void {
  parent.children ??= new Map();
  parent.children.set(child.label.charCodeAt(0), child);
}

/** Puts a node between the two, after `length` characters of the child's label. */
function split(parent: PrefixNode, child: PrefixNode, length: number): PrefixNode {
  const middle = new PrefixNode(child.label.slice(0, length), child.lowest);
  child.label = child.label.slice(length);
  adopt(middle, child);
  adopt(parent, middle);
  return middle;
}

/** How many characters of `label` are in `text` from `at` on. */
function sharedLength(label: string, text: string, at: number): number {
  const most = Math.min(label.length, text.length - at);
  let length = 0;
  while (length < most && label.charCodeAt(length) === text.charCodeAt(at + length)) length++;
  return length;
}

export class RouteIndex {
  private readonly matches: readonly RouteMatch[];
  private readonly byExactPath = new Map<string, RouteCandidates>();
  private readonly byPrefix = new PrefixTree();
  /** Those of any case, in lower case. */
  private readonly byLowerCasePrefix = new PrefixTree();

  constructor(matches: readonly RouteMatch[]) {
    this.matches = matches;
    for (let place = 0; place < matches.length; place++) {
      const { path } = matches[place];
      if (!path.caseSensitive) this.byLowerCasePrefix.add(path.requiredPrefix(), place, matches);
      else if (path.kind !== PathKind.Exact) this.byPrefix.add(path.requiredPrefix(), place, matches);
      else {
        let candidates = this.byExactPath.get(path.text);
        if (candidates === undefined) this.byExactPath.set(path.text, (candidates = new RouteCandidates()));
        candidates.add(place, matches);
      }
    }
  }

  /** The place of the first route that matches, or the number of routes. `path` as in RouteMatch.match. */
  find(path: string, headers: RequestHeaderMap, info: StreamInfo, streamId: number): number {
    const { matches } = this;
    let found = matches.length;
    const exact = this.byExactPath.get(path);
    if (exact !== undefined) found = exact.find(found, matches, path, headers, info, streamId);
    found = this.byPrefix.find(path, found, matches, path, headers, info, streamId);
    if (this.byLowerCasePrefix.size === 0) return found;
    return this.byLowerCasePrefix.find(lowerCase(path), found, matches, path, headers, info, streamId);
  }
}
