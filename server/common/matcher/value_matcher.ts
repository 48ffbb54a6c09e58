// ValueMatcher and MetadataMatcher of envoy.type.matcher.v3: plain JSON values of dynamic or endpoint metadata against a pattern.
// Envoy: source/common/common/matchers.cc.

import type {
  MetadataMatcher as MetadataMatcherConfig,
  ValueMatcher as ValueMatcherConfig,
} from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { leaf } from './explain.ts';
import { compileStringMatcher, type StringMatcher } from './string_matcher.ts';

/** Metadata by filter namespace, as plain JSON. */
export interface MetadataSource {
  get(namespace: string): Readonly<Record<string, unknown>> | undefined;
}

export interface ValueMatcher {
  /** `value` is undefined where the metadata has none. */
  match(value: unknown): boolean;
  describe(): string;
}

class NullMatcher implements ValueMatcher {
  match(value: unknown): boolean {
    return value === null;
  }
  describe(): string {
    return 'is null';
  }
}

class NumberMatcher implements ValueMatcher {
  private readonly start: number;
  private readonly end: number;
  private readonly exact: number | undefined;
  constructor(start: number, end: number, exact: number | undefined) {
    this.start = start;
    this.end = end;
    this.exact = exact;
  }
  match(value: unknown): boolean {
    if (typeof value !== 'number') return false;
    return this.exact === undefined ? value >= this.start && value < this.end : value === this.exact;
  }
  describe(): string {
    return this.exact === undefined ? `is in [${this.start}, ${this.end})` : `is ${this.exact}`;
  }
}

class TextMatcher implements ValueMatcher {
  private readonly text: StringMatcher;
  constructor(text: StringMatcher) {
    this.text = text;
  }
  match(value: unknown): boolean {
    return typeof value === 'string' && this.text.match(value);
  }
  describe(): string {
    return this.text.describe();
  }
}

class BoolMatcher implements ValueMatcher {
  private readonly expected: boolean;
  constructor(expected: boolean) {
    this.expected = expected;
  }
  match(value: unknown): boolean {
    return value === this.expected;
  }
  describe(): string {
    return `is ${this.expected}`;
  }
}

class PresentMatcher implements ValueMatcher {
  private readonly present: boolean;
  constructor(present: boolean) {
    this.present = present;
  }
  match(value: unknown): boolean {
    return this.present && value !== undefined;
  }
  describe(): string {
    return this.present ? 'is present' : 'never matches';
  }
}

class ListMatcher implements ValueMatcher {
  private readonly oneOf: ValueMatcher;
  constructor(oneOf: ValueMatcher) {
    this.oneOf = oneOf;
  }
  match(value: unknown): boolean {
    return Array.isArray(value) && value.some((element) => this.oneOf.match(element));
  }
  describe(): string {
    return `has an element that ${this.oneOf.describe()}`;
  }
}

class OrMatcher implements ValueMatcher {
  private readonly matchers: readonly ValueMatcher[];
  constructor(matchers: readonly ValueMatcher[]) {
    this.matchers = matchers;
  }
  match(value: unknown): boolean {
    return this.matchers.some((matcher) => matcher.match(value));
  }
  describe(): string {
    return this.matchers.map((matcher) => matcher.describe()).join(' or ');
  }
}

export function compileValueMatcher(config: ValueMatcherConfig | undefined, path: string): ValueMatcher {
  if (config?.null_match !== undefined) return new NullMatcher();
  if (config?.double_match !== undefined) {
    const { range, exact } = config.double_match;
    return new NumberMatcher(range?.start ?? 0, range?.end ?? 0, exact);
  }
  if (config?.string_match !== undefined) {
    return new TextMatcher(compileStringMatcher(config.string_match, at(path, 'string_match')));
  }
  if (config?.bool_match !== undefined) return new BoolMatcher(config.bool_match);
  if (config?.present_match !== undefined) return new PresentMatcher(config.present_match);
  if (config?.list_match !== undefined) {
    return new ListMatcher(compileValueMatcher(config.list_match.one_of, at(path, 'list_match.one_of')));
  }
  if (config?.or_match !== undefined) {
    const inner = at(path, 'or_match.value_matchers');
    return new OrMatcher(
      config.or_match.value_matchers.map((one, i) => compileValueMatcher(one, at(inner, i))),
    );
  }
  throw new ConfigError(path, 'match_pattern must be specified');
}

export class MetadataMatcher {
  private readonly namespace: string;
  private readonly keys: readonly string[];
  private readonly value: ValueMatcher;
  private readonly invert: boolean;

  constructor(namespace: string, keys: readonly string[], value: ValueMatcher, invert: boolean) {
    this.namespace = namespace;
    this.keys = keys;
    this.value = value;
    this.invert = invert;
  }

  match(metadata: MetadataSource | undefined): boolean {
    return this.value.match(this.find(metadata)) !== this.invert;
  }

  explain(metadata: MetadataSource | undefined): ExplainNode {
    const what = `${this.invert ? 'not: ' : ''}metadata ${this.namespace} ${this.keys.join('.')} ${this.value.describe()}`;
    const value = this.find(metadata);
    const found = value === undefined ? 'there is no such value' : `the value is ${JSON.stringify(value)}`;
    return leaf(what, this.match(metadata), found);
  }

  private find(metadata: MetadataSource | undefined): unknown {
    let value: unknown = metadata?.get(this.namespace);
    for (const key of this.keys) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string, unknown>)[key];
    }
    return value;
  }
}

export function compileMetadataMatcher(config: MetadataMatcherConfig, path: string): MetadataMatcher {
  const keys = config.path.map((segment) => segment.key ?? '');
  return new MetadataMatcher(
    config.filter,
    keys,
    compileValueMatcher(config.value, at(path, 'value')),
    config.invert,
  );
}
