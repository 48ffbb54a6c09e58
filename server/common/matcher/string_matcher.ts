// StringMatcher of envoy.type.matcher.v3 and of xds.type.matcher.v3, compiled to a kind and a literal.
// Envoy: source/common/common/matchers.cc.

import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { leaf } from './explain.ts';
import { latin1Of } from './latin1.ts';
import { type CompiledRegex, compileRegex, type RegexConfig } from './regex.ts';

export interface StringMatcherConfig {
  readonly exact?: string | undefined;
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
  readonly contains?: string | undefined;
  readonly safe_regex?: RegexConfig | undefined;
  readonly custom?: object | undefined;
  readonly ignore_case: boolean;
}

const EXACT = 0;
const PREFIX = 1;
const SUFFIX = 2;
const CONTAINS = 3;
const REGEX = 4;
const KIND_NAMES = ['is', 'starts with', 'ends with', 'contains', 'matches regex'];

export class StringMatcher {
  private readonly kind: number;
  private readonly literal: string;
  private readonly ignoreCase: boolean;
  private readonly regex: CompiledRegex | undefined;

  constructor(kind: number, literal: string, ignoreCase: boolean, regex?: CompiledRegex) {
    this.kind = kind;
    this.literal = ignoreCase && regex === undefined ? lowerCase(literal) : literal;
    // Envoy documents ignore_case as having no effect on a regex.
    this.ignoreCase = ignoreCase && regex === undefined;
    this.regex = regex;
  }

  /** The only text that matches; undefined where there are others. */
  get exactText(): string | undefined {
    return this.kind === EXACT && !this.ignoreCase ? this.literal : undefined;
  }

  match(text: string): boolean {
    const value = this.ignoreCase ? lowerCase(text) : text;
    switch (this.kind) {
      case EXACT:
        return value === this.literal;
      case PREFIX:
        return value.startsWith(this.literal);
      case SUFFIX:
        return value.endsWith(this.literal);
      case CONTAINS:
        return value.includes(this.literal);
      default:
        return this.regex!.match(value);
    }
  }

  /** `what` names the thing whose text this is. */
  explain(text: string, what: string): ExplainNode {
    const matched = this.match(text);
    return leaf(`${what} ${this.describe()}`, matched, `the value is '${text}'`);
  }

  /** For people, e.g. `starts with '/a'`. */
  describe(): string {
    return `${KIND_NAMES[this.kind]} '${this.literal}'${this.ignoreCase ? ' (any case)' : ''}`;
  }
}

/** ASCII only, as Envoy does: latin1 letters above 0x7f are bytes of something else. */
export function lowerCase(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, toLowerCase) : text;
}

function toLowerCase(text: string): string {
  return text.toLowerCase();
}

export function compileStringMatcher(config: StringMatcherConfig, path: string): StringMatcher {
  const ignoreCase = config.ignore_case;
  if (config.exact !== undefined) return new StringMatcher(EXACT, latin1Of(config.exact), ignoreCase);
  if (config.prefix !== undefined) return new StringMatcher(PREFIX, latin1Of(config.prefix), ignoreCase);
  if (config.suffix !== undefined) return new StringMatcher(SUFFIX, latin1Of(config.suffix), ignoreCase);
  if (config.contains !== undefined)
    return new StringMatcher(CONTAINS, latin1Of(config.contains), ignoreCase);
  if (config.safe_regex !== undefined) {
    const regex = compileRegex(config.safe_regex, at(path, 'safe_regex'));
    return new StringMatcher(REGEX, regex.pattern, ignoreCase, regex);
  }
  if (config.custom !== undefined)
    throw new ConfigError(at(path, 'custom'), 'custom string matchers are not supported');
  throw new ConfigError(path, 'match_pattern must be specified');
}

export function exactMatcher(text: string): StringMatcher {
  return new StringMatcher(EXACT, latin1Of(text), false);
}
export function prefixMatcher(text: string): StringMatcher {
  return new StringMatcher(PREFIX, latin1Of(text), false);
}
export function suffixMatcher(text: string): StringMatcher {
  return new StringMatcher(SUFFIX, latin1Of(text), false);
}
export function containsMatcher(text: string): StringMatcher {
  return new StringMatcher(CONTAINS, latin1Of(text), false);
}
export function regexMatcher(config: RegexConfig, path: string): StringMatcher {
  const regex = compileRegex(config, path);
  return new StringMatcher(REGEX, regex.pattern, false, regex);
}
