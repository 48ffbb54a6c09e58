// Literals that paths begin with, and the places of their routes, as one tree in flat memory: a thousand routes are a few pages that stay in
// the processor's caches. As objects (nodes, their texts, maps of children) what the requests to 10,000 routes touched was 7 MB, and
// finding a route cost five times as much as among ten.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { PathKind } from '../matcher/path_matcher.ts';
import { RouteCandidates } from './route_candidates.ts';
import type { RouteMatch } from './route_match.ts';

const SLASH = 47;

/** What is known of a route when its literal has been found at the beginning of the path. */
const Known = {
  /** Nothing: it is asked. */
  Nothing: 0,
  Matches: 1,
  /** It matches at the end of the path, and before a slash. */
  Separated: 2,
  /** It matches at the end of the path. */
  Whole: 3,
} as const;

/** Of each route by its place, a byte. */
export function whatIsKnown(matches: readonly RouteMatch[]): Uint8Array {
  return Uint8Array.from(matches, ({ path, pathOnly }) => {
    if (!pathOnly || path.requiredPrefix() === '') return Known.Nothing;
    switch (path.kind) {
      case PathKind.Root:
      case PathKind.Prefix:
        return Known.Matches;
      case PathKind.SeparatedPrefix:
        return Known.Separated;
      case PathKind.Exact:
        return Known.Whole;
      default:
        return Known.Nothing;
    }
  });
}

/** While it is built: routes whose paths begin alike, up to here. */
class Branch {
  /** What comes after the parent's text. */
  label: string;
  /** The lowest place here and below. */
  lowest: number;
  readonly places: number[] = [];
  /** By the first characters of their labels. */
  readonly children = new Map<number, Branch>();

  constructor(label: string, lowest: number) {
    this.label = label;
    this.lowest = lowest;
  }
}

/** Compressed: a branch has places, or more than one child. */
export class PrefixTreeBuilder {
  readonly root = new Branch('', 0);
  size = 0;

  /** Places must come in ascending order. */
  add(literal: string, place: number): void {
    this.size++;
    let branch = this.root;
    let at = 0;
    while (at < literal.length) {
      const child = branch.children.get(literal.charCodeAt(at));
      if (child === undefined) {
        const leaf = new Branch(literal.slice(at), place);
        branch.children.set(leaf.label.charCodeAt(0), leaf);
        branch = leaf;
        break;
      }
      const shared = sharedLength(child.label, literal, at);
      branch = shared === child.label.length ? child : split(branch, child, shared);
      at += shared;
    }
    branch.places.push(place);
  }
}

/** Puts a branch between the two, after `length` characters of the child's label. */
function split(parent: Branch, child: Branch, length: number): Branch {
  const middle = new Branch(child.label.slice(0, length), child.lowest);
  child.label = child.label.slice(length);
  middle.children.set(child.label.charCodeAt(0), child);
  parent.children.set(middle.label.charCodeAt(0), middle);
  return middle;
}

/** How many characters of `label` are in `text` from `at` on. */
function sharedLength(label: string, text: string, at: number): number {
  const most = Math.min(label.length, text.length - at);
  let length = 0;
  while (length < most && label.charCodeAt(length) === text.charCodeAt(at + length)) length++;
  return length;
}

/** Numbers of a node, one after the other. */
const STRIDE = 8;
/** Where its label begins and how long it is. */
const LABEL = 0;
const LABEL_LENGTH = 1;
/** Its children stand side by side, ordered by the first characters of their labels. */
const FIRST_CHILD = 2;
const CHILDREN = 3;
/** There is no need to go on where this comes too late. */
const LOWEST = 4;
/** A place; NO_PLACE; or, for several routes, below that the index of their candidates: -2 is the first. */
const PLACE = 5;
const INITIAL = 6;
const NO_PLACE = -1;

export class PrefixTree {
  private readonly nodes: Int32Array;
  private readonly labels: Uint16Array;
  private readonly several: readonly RouteCandidates[];
  private readonly matches: readonly RouteMatch[];
  private readonly known: Uint8Array;

  /** `known` is `whatIsKnown` of `matches`. */
  constructor({ root }: PrefixTreeBuilder, matches: readonly RouteMatch[], known: Uint8Array) {
    const order: Branch[] = [root];
    const numbers: number[] = [];
    const labels: number[] = [];
    const several: RouteCandidates[] = [];
    for (let i = 0; i < order.length; i++) {
      const { label, lowest, places, children } = order[i] as Branch;
      const firstChild = order.length;
      for (const [, child] of [...children].sort(([a], [b]) => a - b)) order.push(child);
      let place = places[0] ?? NO_PLACE;
      if (places.length > 1) {
        const candidates = new RouteCandidates();
        for (const each of places) candidates.add(each, matches);
        several.push(candidates);
        place = NO_PLACE - several.length;
      }
      const initial = label === '' ? 0 : label.charCodeAt(0);
      numbers.push(labels.length, label.length, firstChild, children.size, lowest, place, initial, 0);
      for (let n = 0; n < label.length; n++) labels.push(label.charCodeAt(n));
    }
    this.nodes = Int32Array.from(numbers);
    this.labels = Uint16Array.from(labels);
    this.several = several;
    this.matches = matches;
    this.known = known;
  }

  /** The lowest place below `best` whose route matches, or `best`. `path` is in lower case where the literals are; `sent` is not. */
  find(
    path: string,
    best: number,
    sent: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): number {
    const { nodes, labels } = this;
    const { length } = path;
    let found = best;
    let at = 0;
    for (let node = 0; ; ) {
      const place = nodes[node + PLACE];
      if (place >= 0) {
        if (place < found && this.matchesHere(place, path, at, sent, headers, info, streamId)) found = place;
      } else if (place !== NO_PLACE)
        found = this.several[-2 - place].find(found, this.matches, sent, headers, info, streamId);
      if (at === length) return found;
      const child = this.childOf(node, path.charCodeAt(at));
      if (child < 0 || nodes[child + LOWEST] >= found) return found;
      const label = nodes[child + LABEL];
      const labelLength = nodes[child + LABEL_LENGTH];
      if (at + labelLength > length) return found;
      for (let i = 1; i < labelLength; i++) if (labels[label + i] !== path.charCodeAt(at + i)) return found;
      at += labelLength;
      node = child;
    }
  }

  /** -1 where there is none. */
  private childOf(node: number, initial: number): number {
    const { nodes } = this;
    let low = nodes[node + FIRST_CHILD] * STRIDE;
    let count = nodes[node + CHILDREN];
    while (count > 0) {
      const half = count >> 1;
      const middle = low + half * STRIDE;
      const other = nodes[middle + INITIAL];
      if (other === initial) return middle;
      if (other < initial) {
        low = middle + STRIDE;
        count -= half + 1;
      } else count = half;
    }
    return -1;
  }

  /** Does the route match, whose literal ends `at` here? */
  private matchesHere(
    place: number,
    path: string,
    at: number,
    sent: string,
    headers: RequestHeaderMap,
    info: StreamInfo,
    streamId: number,
  ): boolean {
    switch (this.known[place]) {
      case Known.Matches:
        return true;
      case Known.Separated:
        return at === path.length || path.charCodeAt(at) === SLASH;
      case Known.Whole:
        return at === path.length;
      default:
        return this.matches[place].match(sent, headers, info, streamId);
    }
  }
}
