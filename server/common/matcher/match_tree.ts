// xds.type.matcher.v3.Matcher, compiled: a list of predicates or a map by an input's value, leading to actions or further trees. A
// tree inside that finds nothing counts as no match, and the search goes on outside. Envoy: source/common/matcher.

import { createRequire } from 'node:module';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type {
  IPMatcher,
  Matcher,
  Matcher_MatcherTree,
  Matcher_OnMatch,
  ServerNameMatcher,
} from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { allOf, anyOf, leaf } from './explain.ts';
import { compileIpMatchTree } from './ip_match_tree.ts';
import { latin1Of } from './latin1.ts';
import {
  CEL_DATA,
  compilePredicate,
  type MatchInput,
  type Predicate,
  type PredicateFactory,
} from './match_predicate.ts';

export type { MatchInput };

const require = createRequire(import.meta.url);

/** What one kind of tree may ask and where it may lead. Its methods throw ConfigError. */
export interface MatchTreeFactory<Data, Action> extends PredicateFactory<Data> {
  /** Refuses what may not stand in such a tree. */
  checkOnMatch?(config: Matcher_OnMatch, path: string): void;
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
  /** The search goes on as if it were not there. */
  private readonly keepMatching: boolean;
  constructor(action: Action | undefined, tree: MatchTree<Data, Action> | undefined, keepMatching: boolean) {
    this.action = action;
    this.tree = tree;
    this.keepMatching = keepMatching;
  }
  match(data: Data): Action | undefined {
    if (this.keepMatching) return undefined;
    return this.tree === undefined ? this.action : this.tree.match(data);
  }
  explain(data: Data): ExplainNode {
    if (this.keepMatching) return leaf('action', false, 'keep_matching: the search goes on');
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
      matchers.map((one, i) => compilePredicate(one.predicate, factory, at(at(inside, i), 'predicate'))),
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
  return new MapTree(textInput(input, factory, 'map matcher', path), map, exact === undefined, onNoMatch);
}

/** For a tree that asks for text; `what` is how Envoy calls it. */
function textInput<Data, Action>(
  config: TypedExtensionConfig,
  factory: MatchTreeFactory<Data, Action>,
  what: string,
  path: string,
): MatchInput<Data> {
  const where = at(path, 'input');
  const input = factory.input(config, where);
  if (input.attributes === undefined) return input;
  const reason = `Unsupported data input type: ${CEL_DATA}, currently only string type is supported in ${what}`;
  throw new ConfigError(where, reason);
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
  const inside = at(where, 'typed_config');
  const onMatch = (config: Matcher_OnMatch | undefined, place: string): OnMatch<Data, Action> =>
    compileOnMatch(config, factory, place);
  if (typeName === 'xds.type.matcher.v3.IPMatcher') {
    const ip = message as unknown as IPMatcher;
    const address = textInput(input, factory, 'IP range matcher', path);
    return compileIpMatchTree(ip, address, onMatch, onNoMatch, inside);
  }
  if (typeName === 'xds.type.matcher.v3.ServerNameMatcher') {
    const { compileDomainMatchTree } =
      require('./domain_match_tree.ts') as typeof import('./domain_match_tree.ts');
    const names = message as unknown as ServerNameMatcher;
    const domain = textInput(input, factory, 'domain matcher', path);
    return compileDomainMatchTree(names, domain, onMatch, onNoMatch, inside);
  }
  throw new ConfigError(
    where,
    `Didn't find a registered implementation for '${custom.name}' with type URL: '${typeName}'`,
  );
}

function compileOnMatch<Data, Action>(
  config: Matcher_OnMatch | undefined,
  factory: MatchTreeFactory<Data, Action>,
  path: string,
): OnMatch<Data, Action> {
  if (config !== undefined) factory.checkOnMatch?.(config, path);
  if (config?.matcher !== undefined) {
    const tree = compileMatchTree(config.matcher, factory, at(path, 'matcher'));
    return new OnMatch<Data, Action>(undefined, tree, config.keep_matching);
  }
  if (config?.action !== undefined) {
    const action = factory.action(config.action, at(path, 'action'));
    return new OnMatch<Data, Action>(action, undefined, config.keep_matching);
  }
  throw new ConfigError(path, 'on_match must be specified');
}
