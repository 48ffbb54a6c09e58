// The predicates of a match tree's list: an input against a string matcher, and and, or, not of them. Envoy: source/common/matcher.

import { createRequire } from 'node:module';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type { Matcher_MatcherList_Predicate } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import type { LogContext } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ExplainNode } from '../../api/router.ts';
import { allOf, anyOf, leaf } from './explain.ts';
import { compileStringMatcher, type StringMatcher } from './string_matcher.ts';

const require = createRequire(import.meta.url);

/** How Envoy calls what CEL inputs give. */
export const CEL_DATA = 'cel_data_input';

/** Where a predicate's value comes from. */
export interface MatchInput<Data> {
  readonly name: string;
  /** Latin1 text; undefined where there is none, which nothing matches. */
  get(data: Data): string | undefined;
  /** Of an input that gives metadata in place of text: plain JSON. */
  metadata?(data: Data): unknown;
  /** Of an input that gives what CEL expressions are about. It has no text, and maps and texts may not ask it. */
  attributes?(data: Data): LogContext;
}

/** What a predicate is compiled with. */
export interface PredicateFactory<Data> {
  /** Throws ConfigError for an input that may not be asked here. */
  input(config: TypedExtensionConfig, path: string): MatchInput<Data>;
  readonly context: FactoryContext;
}

export interface Predicate<Data> {
  match(data: Data): boolean;
  explain(data: Data): ExplainNode;
}

class InputPredicate<Data> implements Predicate<Data> {
  private readonly input: MatchInput<Data>;
  private readonly matcher: StringMatcher;
  constructor(input: MatchInput<Data>, matcher: StringMatcher) {
    this.input = input;
    this.matcher = matcher;
  }
  match(data: Data): boolean {
    const value = this.input.get(data);
    return value !== undefined && this.matcher.match(value);
  }
  explain(data: Data): ExplainNode {
    const value = this.input.get(data);
    if (value !== undefined) return this.matcher.explain(value, this.input.name);
    return leaf(`${this.input.name} ${this.matcher.describe()}`, false, 'there is no value');
  }
}

class EveryPredicate<Data> implements Predicate<Data> {
  private readonly parts: readonly Predicate<Data>[];
  constructor(parts: readonly Predicate<Data>[]) {
    this.parts = parts;
  }
  match(data: Data): boolean {
    return this.parts.every((part) => part.match(data));
  }
  explain(data: Data): ExplainNode {
    return allOf(
      'all of',
      this.parts.map((part) => part.explain(data)),
    );
  }
}

class SomePredicate<Data> implements Predicate<Data> {
  private readonly parts: readonly Predicate<Data>[];
  constructor(parts: readonly Predicate<Data>[]) {
    this.parts = parts;
  }
  match(data: Data): boolean {
    return this.parts.some((part) => part.match(data));
  }
  explain(data: Data): ExplainNode {
    return anyOf(
      'any of',
      this.parts.map((part) => part.explain(data)),
    );
  }
}

class NotPredicate<Data> implements Predicate<Data> {
  private readonly part: Predicate<Data>;
  constructor(part: Predicate<Data>) {
    this.part = part;
  }
  match(data: Data): boolean {
    return !this.part.match(data);
  }
  explain(data: Data): ExplainNode {
    const part = this.part.explain(data);
    return { what: 'not', matched: !part.matched, reason: part.reason, children: [part] };
  }
}

export function compilePredicate<Data>(
  config: Matcher_MatcherList_Predicate | undefined,
  factory: PredicateFactory<Data>,
  path: string,
): Predicate<Data> {
  if (config?.single_predicate !== undefined) {
    const inside = at(path, 'single_predicate');
    const { input, value_match: value, custom_match: custom } = config.single_predicate;
    if (input === undefined) throw new ConfigError(at(inside, 'input'), 'value is required');
    const compiled = factory.input(input, at(inside, 'input'));
    if (value !== undefined) {
      if (compiled.attributes !== undefined)
        throw new ConfigError(at(inside, 'input'), `Unsupported data input type: ${CEL_DATA}`);
      return new InputPredicate(compiled, compileStringMatcher(value, at(inside, 'value_match')));
    }
    if (custom === undefined) throw new ConfigError(inside, 'matcher must be specified');
    const { compileInputMatcher } = require('./input_matchers.ts') as typeof import('./input_matchers.ts');
    return compileInputMatcher(custom, compiled, factory.context, at(inside, 'custom_match'));
  }
  const each = (list: readonly Matcher_MatcherList_Predicate[], field: string): Predicate<Data>[] =>
    list.map((one, i) => compilePredicate(one, factory, at(at(path, `${field}.predicate`), i)));
  if (config?.or_matcher !== undefined)
    return new SomePredicate(each(config.or_matcher.predicate, 'or_matcher'));
  if (config?.and_matcher !== undefined)
    return new EveryPredicate(each(config.and_matcher.predicate, 'and_matcher'));
  if (config?.not_matcher !== undefined) {
    return new NotPredicate(compilePredicate(config.not_matcher, factory, at(path, 'not_matcher')));
  }
  throw new ConfigError(path, 'match_type must be specified');
}
