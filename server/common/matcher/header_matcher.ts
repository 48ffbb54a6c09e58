// HeaderMatcher of envoy.config.route.v3, compiled. Of a repeated header each value is
// asked alone and one match is enough. Envoy: source/common/http/header_utility.cc.

import type { HeaderMatcher as HeaderMatcherConfig } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { HeaderMap } from '../../api/http/header_map.ts';
import type { ExplainNode } from '../../api/router.ts';
import { leaf } from './explain.ts';
import { latin1Of } from './latin1.ts';
import {
  compileStringMatcher,
  containsMatcher,
  exactMatcher,
  prefixMatcher,
  regexMatcher,
  type StringMatcher,
  suffixMatcher,
} from './string_matcher.ts';

const PRESENT = 0;
const TEXT = 1;
const RANGE = 2;

interface Test {
  readonly kind: number;
  readonly present: boolean;
  readonly text: StringMatcher | undefined;
  /** Half-open. Exact up to 2^53, where bigint would cost an allocation per request. */
  readonly start: number;
  readonly end: number;
}

export class HeaderMatcher {
  /** Lower-case. */
  readonly name: string;
  private readonly kind: number;
  private readonly present: boolean;
  private readonly text: StringMatcher | undefined;
  private readonly start: number;
  private readonly end: number;
  private readonly invert: boolean;
  private readonly treatMissingAsEmpty: boolean;

  constructor(name: string, test: Test, invert: boolean, treatMissingAsEmpty: boolean) {
    this.name = name;
    this.kind = test.kind;
    this.present = test.present;
    this.text = test.text;
    this.start = test.start;
    this.end = test.end;
    this.invert = invert;
    this.treatMissingAsEmpty = treatMissingAsEmpty;
  }

  /** The value that one of the header's must have; undefined where it is not one, or where an absent header matches. */
  get exactValue(): string | undefined {
    if (this.kind !== TEXT || this.invert) return undefined;
    const value = this.text!.exactText;
    return value === '' && this.treatMissingAsEmpty ? undefined : value;
  }

  match(headers: HeaderMap): boolean {
    const first = headers.get(this.name);
    if (this.kind === PRESENT) {
      return ((first !== undefined || this.treatMissingAsEmpty) === this.present) !== this.invert;
    }
    // Without treat_missing_header_as_empty an absent header never matches, not even inverted.
    if (first === undefined) return this.treatMissingAsEmpty && this.matchValue('') !== this.invert;
    return (this.matchValue(first) || this.matchRepeated(headers)) !== this.invert;
  }

  private matchRepeated(headers: HeaderMap): boolean {
    const list = headers.list;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === this.name && this.matchValue(list[i + 1])) return true;
    }
    return false;
  }

  private matchValue(value: string): boolean {
    if (this.kind === TEXT) return this.text!.match(value);
    const number = decimal(value);
    return number >= this.start && number < this.end;
  }

  explain(headers: HeaderMap): ExplainNode {
    const value = headers.getAll(this.name);
    const found = value === undefined ? 'the header is absent' : `the value is '${value}'`;
    return leaf(this.describe(), this.match(headers), found);
  }

  private describe(): string {
    const not = this.invert ? 'not: ' : '';
    if (this.kind === PRESENT) return `${not}header ${this.name} is ${this.present ? 'present' : 'absent'}`;
    if (this.kind === TEXT) return `${not}header ${this.name} ${this.text!.describe()}`;
    return `${not}header ${this.name} is in [${this.start}, ${this.end})`;
  }
}

/** A signed decimal with surrounding white space allowed, as absl::SimpleAtoi takes it; NaN for anything else. */
function decimal(value: string): number {
  return /^[ \t]*[-+]?\d+[ \t]*$/.test(value) ? Number(value) : Number.NaN;
}

/** Do all of them match? True for none. */
export function matchHeaders(matchers: readonly HeaderMatcher[], headers: HeaderMap): boolean {
  for (let i = 0; i < matchers.length; i++) {
    if (!matchers[i].match(headers)) return false;
  }
  return true;
}

/** Does one of them match? False for none. */
export function matchAnyHeader(matchers: readonly HeaderMatcher[], headers: HeaderMap): boolean {
  for (let i = 0; i < matchers.length; i++) {
    if (matchers[i].match(headers)) return true;
  }
  return false;
}

export function compileHeaderMatcher(config: HeaderMatcherConfig, path: string): HeaderMatcher {
  return new HeaderMatcher(
    headerName(config.name),
    compileTest(config, path),
    config.invert_match,
    config.treat_missing_header_as_empty,
  );
}

export function compileHeaderMatchers(
  configs: readonly HeaderMatcherConfig[],
  path: string,
): readonly HeaderMatcher[] {
  return Object.freeze(configs.map((config, i) => compileHeaderMatcher(config, at(path, i))));
}

function compileTest(config: HeaderMatcherConfig, path: string): Test {
  if (config.range_match !== undefined) {
    const { start, end } = config.range_match;
    if (end < start) throw new ConfigError(at(path, 'range_match'), `end ${end} is below start ${start}`);
    return { kind: RANGE, present: true, text: undefined, start: Number(start), end: Number(end) };
  }
  const text = textMatcher(config, path);
  const present = config.present_match ?? true;
  return { kind: text === undefined ? PRESENT : TEXT, present, text, start: 0, end: 0 };
}

function textMatcher(config: HeaderMatcherConfig, path: string): StringMatcher | undefined {
  if (config.string_match !== undefined) {
    return compileStringMatcher(config.string_match, at(path, 'string_match'));
  }
  // The deprecated forms. An empty exact_match is only a check of presence.
  if (config.exact_match !== undefined)
    return config.exact_match === '' ? undefined : exactMatcher(config.exact_match);
  if (config.safe_regex_match !== undefined) {
    return regexMatcher(config.safe_regex_match, at(path, 'safe_regex_match'));
  }
  if (config.prefix_match !== undefined) return prefixMatcher(config.prefix_match);
  if (config.suffix_match !== undefined) return suffixMatcher(config.suffix_match);
  if (config.contains_match !== undefined) return containsMatcher(config.contains_match);
  return undefined;
}

/** The name as headers spell it. */
export function headerName(name: string): string {
  return latin1Of(name).toLowerCase();
}
