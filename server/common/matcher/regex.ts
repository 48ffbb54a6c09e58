// Regular expressions of the configuration. re2js says whether RE2 would take the pattern; the native engine executes it where
// the two mean the same, because it is far faster, and re2js itself where they may not. Envoy: source/common/common/regex.cc.

import type { RE2JS } from 're2js';
import { ConfigError } from '../../api/config_error.ts';
import { re2js } from '../packages.ts';
import { isAscii, latin1Of } from './latin1.ts';
import { toNative } from './re2_syntax.ts';

/** What the two RegexMatcher messages (envoy.type.matcher.v3 and xds.type.matcher.v3) have in common. */
export interface RegexConfig {
  readonly regex: string;
}

/** A compiled pattern. Subjects are latin1 text, read as UTF-8 as RE2 does. */
export class CompiledRegex {
  readonly pattern: string;
  private readonly re2: RE2JS;
  private readonly whole: RegExp | undefined;
  private readonly search: RegExp | undefined;

  /** Throws what re2js throws for a pattern that is not RE2. */
  constructor(pattern: string) {
    this.pattern = pattern;
    this.re2 = re2js().RE2JS.compile(pattern);
    const native = toNative(pattern);
    this.whole = native && new RegExp(`^(?:${native.source})$`);
    this.search = native && !native.repeatsCaptures ? new RegExp(native.source, 'g') : undefined;
  }

  /** Does the pattern match all of `text`? */
  match(text: string): boolean {
    if (this.whole !== undefined && isAscii(text)) return this.whole.test(text);
    return this.re2.matches(utf8Of(text));
  }

  /** ASCII text with which every match begins; '' where the pattern fixes none. */
  requiredPrefix(): string {
    const { prefix } = this.re2.re2Input as { readonly prefix: string };
    return /^[\0-\x7f]*/.exec(prefix)![0];
  }

  /** RE2::GlobalReplace. */
  replaceAll(text: string, substitution: Substitution): string {
    if (substitution.maxGroup > this.re2.groupCount()) return text;
    if (this.search !== undefined && isAscii(text))
      return this.replaceNative(this.search, text, substitution);
    return latin1Of(this.replaceRe2(utf8Of(text), substitution));
  }

  private replaceNative(search: RegExp, text: string, substitution: Substitution): string {
    let result = '';
    let copied = 0;
    let lastEnd = -1;
    search.lastIndex = 0;
    for (let found = search.exec(text); found !== null; found = search.exec(text)) {
      const empty = found[0] === '';
      // RE2 takes no empty match right behind a match.
      if (!(empty && found.index === lastEnd)) {
        result += text.slice(copied, found.index) + substitution.expand(found);
        copied = found.index + found[0].length;
        lastEnd = copied;
      }
      if (empty) search.lastIndex++;
    }
    return result + text.slice(copied);
  }

  private replaceRe2(text: string, substitution: Substitution): string {
    const matcher = this.re2.matcher(text);
    let result = '';
    let copied = 0;
    let lastEnd = -1;
    while (matcher.find()) {
      const start = matcher.start();
      if (start === matcher.end() && start === lastEnd) continue;
      const groups: (string | undefined)[] = [];
      for (let n = 0; n <= matcher.groupCount(); n++) groups.push(matcher.group(n) ?? undefined);
      result += text.slice(copied, start) + substitution.expand(groups);
      copied = lastEnd = matcher.end();
    }
    return result + text.slice(copied);
  }
}

/** A rewrite text: `\0` to `\9` are groups, `\\` is a backslash. RE2 stops at any other escape, and Envoy accepts that. */
export class Substitution {
  private readonly parts: readonly (string | number)[];
  readonly maxGroup: number;

  constructor(text: string) {
    const parts: (string | number)[] = [];
    for (const [part] of latin1Of(text).matchAll(/\\[\s\S]?|[^\\]+/g)) {
      if (part[0] !== '\\') parts.push(part);
      else if (part === '\\\\') parts.push('\\');
      else if (/^\\\d$/.test(part)) parts.push(Number(part[1]));
      else break;
    }
    this.parts = Object.freeze(parts);
    this.maxGroup = parts.reduce<number>(
      (max, part) => (typeof part === 'number' && part > max ? part : max),
      0,
    );
  }

  /** `groups[0]` is the whole match. */
  expand(groups: readonly (string | undefined)[]): string {
    let text = '';
    for (const part of this.parts) text += typeof part === 'string' ? part : (groups[part] ?? '');
    return text;
  }
}

/** Compiles a RegexMatcher. Throws ConfigError for what RE2 refuses. */
export function compileRegex(config: RegexConfig | undefined, path: string): CompiledRegex {
  const pattern = config?.regex ?? '';
  try {
    return new CompiledRegex(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(path, `Invalid regex '${pattern}': ${reason}`);
  }
}

function utf8Of(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}
