// A match tree by ranges of IP addresses: xds.type.matcher.v3.IPMatcher, a custom_match. The narrowest range that leads to an action
// wins; of equally narrow ones the first.
// Envoy: source/extensions/common/matcher/ip_range_matcher.h (formerly trie_matcher.h).

import type { IPMatcher } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { CidrRange, parseIp } from '../network/address.ts';
import { allOf, anyOf, leaf } from './explain.ts';
import type { MatchInput } from './match_predicate.ts';
import type { MatchTree } from './match_tree.ts';

interface RangeMatcher<Data, Action> {
  readonly range: CidrRange;
  readonly onMatch: MatchTree<Data, Action>;
  /** Not asked where a narrower one holds the address, too. */
  readonly exclusive: boolean;
}

export class IpMatchTree<Data, Action> implements MatchTree<Data, Action> {
  private readonly input: MatchInput<Data>;
  /** The narrowest first. */
  private readonly ranges: readonly RangeMatcher<Data, Action>[];
  private readonly onNoMatch: MatchTree<Data, Action> | undefined;

  constructor(
    input: MatchInput<Data>,
    ranges: readonly RangeMatcher<Data, Action>[],
    onNoMatch: MatchTree<Data, Action> | undefined,
  ) {
    this.input = input;
    this.ranges = [...ranges].sort((a, b) => b.range.length - a.range.length);
    this.onNoMatch = onNoMatch;
  }

  match(data: Data): Action | undefined {
    const ip = parseIp(this.input.get(data) ?? '');
    if (ip !== undefined) {
      let narrowest = true;
      for (const { range, onMatch, exclusive } of this.ranges) {
        if (!range.contains(ip) || (exclusive && !narrowest)) continue;
        const action = onMatch.match(data);
        if (action !== undefined) return action;
        narrowest = false;
      }
    }
    return this.onNoMatch?.match(data);
  }

  explain(data: Data): ExplainNode {
    const value = this.input.get(data);
    const ip = parseIp(value ?? '');
    const children: ExplainNode[] = [];
    for (const { range, onMatch, exclusive } of this.ranges) {
      if (ip === undefined || !range.contains(ip) || (exclusive && children.length > 0)) continue;
      const node = allOf(`${this.input.name} in ${range.text}`, [onMatch.explain(data)]);
      children.push(node);
      if (node.matched) return anyOf('IP matcher', children);
    }
    if (children.length === 0)
      children.push(leaf(`ranges by ${this.input.name}`, false, `the value is ${value ?? 'absent'}`));
    if (this.onNoMatch !== undefined) children.push(allOf('on_no_match', [this.onNoMatch.explain(data)]));
    return anyOf('IP matcher', children);
  }
}

/** `compileOnMatch` compiles what a range leads to. Throws ConfigError. */
export function compileIpMatchTree<Data, Action>(
  config: IPMatcher,
  input: MatchInput<Data>,
  compileOnMatch: (
    config: IPMatcher['range_matchers'][number]['on_match'],
    path: string,
  ) => MatchTree<Data, Action>,
  onNoMatch: MatchTree<Data, Action> | undefined,
  path: string,
): MatchTree<Data, Action> {
  const all = config.range_matchers.flatMap(({ ranges, on_match, exclusive }, i) => {
    const inside = at(at(path, 'range_matchers'), i);
    const onMatch = compileOnMatch(on_match, at(inside, 'on_match'));
    if (ranges.length === 0) throw new ConfigError(at(inside, 'ranges'), 'at least one range is required');
    return ranges.map((range, n) => ({
      range: CidrRange.compile(range, at(at(inside, 'ranges'), n)),
      onMatch,
      exclusive,
    }));
  });
  return new IpMatchTree(input, all, onNoMatch);
}
