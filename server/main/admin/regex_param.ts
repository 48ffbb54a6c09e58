// Regular expressions in parameters. RE2 syntax, with the words Envoy's RE2 has for what is wrong.

import type { RE2JS } from 're2js';
import { toNative } from '../../common/matcher/re2_syntax.ts';
import { re2js } from '../../common/packages.ts';

/** re2js names errors as Go does; RE2 itself differs in these. */
const RE2_WORDS: Readonly<Record<string, string>> = {
  'missing closing ]': 'missing ]',
  'missing closing )': 'missing )',
  'missing argument to repetition operator': 'no argument for repetition operator',
  'invalid nested repetition operator': 'bad repetition operator',
  'invalid repeat count': 'invalid repetition size',
  'invalid named capture': 'invalid named capture group',
  'invalid or unsupported Perl syntax': 'invalid perl operator',
  'trailing backslash at end of expression': 'trailing \\',
};

export class RegexParamError extends Error {}

/** Finds the pattern anywhere in a text. Throws RegexParamError with RE2's message. */
export function compileSearch(pattern: string): (text: string) => boolean {
  const re2 = compile(pattern);
  const native = toNative(pattern);
  if (native === undefined) return (text) => re2.matcher(text).find();
  const regex = new RegExp(native.source);
  return (text) => regex.test(text);
}

/** Matches whole texts. Throws RegexParamError with RE2's message. */
export function compileFullMatch(pattern: string): (text: string) => boolean {
  const re2 = compile(pattern);
  return (text) => re2.matches(text);
}

function compile(pattern: string): RE2JS {
  try {
    return re2js().RE2JS.compile(pattern);
  } catch (error) {
    const [, what = '', where = ''] =
      /^error parsing regexp: (.*?)(?:: `(.*)`)?$/s.exec((error as Error).message) ?? [];
    throw new RegexParamError(`${RE2_WORDS[what] ?? what}${where === '' ? '' : `: ${where}`}`);
  }
}
