// xds.type.matcher.v3.Matcher, compiled: a list of predicates or a map by an input's value, leading to actions or further trees. A
// tree inside that finds nothing counts as no match, and the search goes on outside. Envoy: source/common/matcher.

import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type {
  IPMatcher,
  Matcher,
  Matcher_MatcherTree,
  Matcher_OnMatch,
} from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { allOf, anyOf, leaf } from './explain.ts';
import { compileIpMatchTree } from './ip_match_tree.ts';
import { latin1Of } from './latin1.ts';
import { compilePredicate, type MatchInput, type Predicate } from './match_predicate.ts';

export type { MatchInput };

/** What one kind of tree may ask and where it may lead. Both throw ConfigError. */
export interface MatchTreeFactory<Data, Action> {
  input(config: TypedExtensionConfig, path: string): MatchInput<Data>;
  action(config: TypedExtensionConfig, path: string): Action;
}

export interface MatchTree<Data, Action> {
  match(data: Data): Action | undefined;
  explain(data: Data): ExplainNode;
}

/** An action, or a tree to go on with. */
class OnMatch<Data, Action> {
  private readonly action: Action | undefined;
  private readonly tree: MatchTree<Data, Action> | undefined;
  constructor(action: Action | undefined, tree: MatchTree<Data, Action> | undefined) {
    this.action = action;
    this.tree = tree;
  }
  match(data: Data): Action | undefined {
    return this.tree === undefined ? this.action : this.tree.match(data);
  }
  explain(data: Data): ExplainNode {
    return this.tree === undefined ? leaf('action', true, 'the action is taken') : this.tree.explain(data);
  }
}

class ListTree<Data, Action> implements MatchTree<Data, Action> {
  private readonly predicates: readonly Predicate<Data>[];
  private readonly onMatches: readonly OnMatch<Data, Action>[];
  private readonly onNoMatch: OnMatch<Data, Action> | undefined;

  constructor(
    predicates: readonly Predicate<Data>[],
    onMatches: readonly OnMatch<Data, Action>[],
    onNoMatch: OnMatch<Data, Action> | undefined,
  ) {
    this.predicates = predicates;
    this.onMatches = onMatches;
    this.onNoMatch = onNoMatch;
  }

  match(data: Data): Action | undefined {
    for (let i = 0; i < this.predicates.length; i++) {
      const action = this.predicates[i].match(data) ? this.onMatches[i].match(data) : undefined;
      if (action !== undefined) return action;
    }
    return this.onNoMatch?.match(data);
  }

  explain(data: Data): ExplainNode {
    const children: ExplainNode[] = [];
    for (let i = 0; i < this.predicates.length; i++) {
      const predicate = this.predicates[i].explain(data);
      const parts = predicate.matched ? [predicate, this.onMatches[i].explain(data)] : [predicate];
      children.push(allOf(`matcher ${i}`, parts));
      if (children[i].matched) return anyOf('matcher list', children);
    }
    if (this.onNoMatch !== undefined) children.push(allOf('on_no_match', [this.onNoMatch.explain(data)]));
    return anyOf('matcher list', children);
  }
}

class MapTree<Data, Action> implements MatchTree<Data, Action> {
  private readonly input: MatchInput<Data>;
  private readonly map: ReadonlyMap<string, OnMatch<Data, Action>>;
  /** Lengths of the keys, longest first, where they are prefixes; undefined where they are whole values. */
  private readonly prefixLengths: readonly number[] | undefined;
  private readonly onNoMatch: OnMatch<Data, Action> | undefined;

  constructor(
    input: MatchInput<Data>,
    map: ReadonlyMap<string, OnMatch<Data, Action>>,
    isPrefix: boolean,
    onNoMatch: OnMatch<Data, Action> | undefined,
  ) {
    this.input = input;
    this.map = map;
    const lengths = new Set([...map.keys()].map((key) => key.length));
    this.prefixLengths = isPrefix ? [...lengths].sort((a, b) => b - a) : undefined;
    this.onNoMatch = onNoMatch;
  }

  match(data: Data): Action | undefined {
    for (const key of this.candidates(this.input.get(data))) {
      const action = this.map.get(key)?.match(data);
      if (action !== undefined) return action;
    }
    return this.onNoMatch?.match(data);
  }

  private candidates(value: string | undefined): readonly string[] {
    if (value === undefined) return [];
    if (this.prefixLengths === undefined) return [value];
    return this.prefixLengths
      .filter((length) => length <= value.length)
      .map((length) => value.slice(0, length));
  }

  explain(data: Data): ExplainNode {
    const value = this.input.get(data);
    const children: ExplainNode[] = [];
    for (const key of this.candidates(value)) {
      const onMatch = this.map.get(key);
      if (onMatch !== undefined) children.push(allOf(`${this.input.name} '${key}'`, [onMatch.explain(data)]));
      if (children.at(-1)?.matched) return anyOf('matcher tree', children);
    }
    if (children.length === 0) {
      children.push(
        leaf(
          `map by ${this.input.name}`,
          false,
          `the value is ${value === undefined ? 'absent' : `'${value}'`}`,
        ),
      );
    }
    if (this.onNoMatch !== undefined) children.push(allOf('on_no_match', [this.onNoMatch.explain(data)]));
    return anyOf('matcher tree', children);
  }
}

export function compileMatchTree<Data, Action>(
  config: Matcher,
  factory: MatchTreeFactory<Data, Action>,
  path: string,
): MatchTree<Data, Action> {
  const onNoMatch =
    config.on_no_match && compileOnMatch(config.on_no_match, factory, at(path, 'on_no_match'));
  if (config.matcher_list !== undefined) {
    const inside = at(path, 'matcher_list.matchers');
    const { matchers } = config.matcher_list;
    return new ListTree(
      matchers.map((one, i) =>
        compilePredicate(one.predicate, factory.input, at(at(inside, i), 'predicate')),
      ),
      matchers.map((one, i) => compileOnMatch(one.on_match, factory, at(at(inside, i), 'on_match'))),
      onNoMatch,
    );
  }
  if (config.matcher_tree !== undefined) {
    return compileMap(config.matcher_tree, factory, onNoMatch, at(path, 'matcher_tree'));
  }
  return new ListTree([], [], onNoMatch);
}

function compileMap<Data, Action>(
  config: Matcher_MatcherTree,
  factory: MatchTreeFactory<Data, Action>,
  onNoMatch: OnMatch<Data, Action> | undefined,
  path: string,
): MatchTree<Data, Action> {
  const { exact_match_map: exact, prefix_match_map: prefix, input } = config;
  if (input === undefined) throw new ConfigError(at(path, 'input'), 'value is required');
  const given = exact ?? prefix;
  if (given === undefined) return compileCustomMatch(config, factory, input, onNoMatch, path);
  const field = at(path, exact === undefined ? 'prefix_match_map.map' : 'exact_match_map.map');
  const map = new Map<string, OnMatch<Data, Action>>();
  for (const key of Object.keys(given.map)) {
    map.set(latin1Of(key), compileOnMatch(given.map[key], factory, `${field}["${key}"]`));
  }
  return new MapTree(factory.input(input, at(path, 'input')), map, exact === undefined, onNoMatch);
}

function compileCustomMatch<Data, Action>(
  { custom_match: custom }: Matcher_MatcherTree,
  factory: MatchTreeFactory<Data, Action>,
  input: TypedExtensionConfig,
  onNoMatch: OnMatch<Data, Action> | undefined,
  path: string,
): MatchTree<Data, Action> {
  const where = at(path, 'custom_match');
  if (custom?.typed_config === undefined) throw new ConfigError(path, 'tree_type must be specified');
  const { typeName, message } = decodeAny(custom.typed_config, at(where, 'typed_config'));
  if (typeName !== 'xds.type.matcher.v3.IPMatcher') {
    throw new ConfigError(
      where,
      `Didn't find a registered implementation for '${custom.name}' with type URL: '${typeName}'`,
    );
  }
  return compileIpMatchTree(
    message as unknown as IPMatcher,
    factory.input(input, at(path, 'input')),
    (config, inside) => compileOnMatch(config, factory, inside),
    onNoMatch,
    at(where, 'typed_config'),
  );
}

function compileOnMatch<Data, Action>(
  config: Matcher_OnMatch | undefined,
  factory: MatchTreeFactory<Data, Action>,
  path: string,
): OnMatch<Data, Action> {
  if (config?.matcher !== undefined) {
    return new OnMatch<Data, Action>(
      undefined,
      compileMatchTree(config.matcher, factory, at(path, 'matcher')),
    );
  }
  if (config?.action !== undefined) {
    return new OnMatch<Data, Action>(factory.action(config.action, at(path, 'action')), undefined);
  }
  throw new ConfigError(path, 'on_match must be specified');
}
