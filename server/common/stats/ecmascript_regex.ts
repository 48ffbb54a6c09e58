// The regexes of stats_tags are not RE2's but those of C++'s std::regex: ECMAScript (so lookahead is allowed) with POSIX classes
// and without what JavaScript got later. Envoy: source/common/stats/tag_extractor_impl.cc, TagExtractorStdRegexImpl.

import { ConfigError } from '../../api/config_error.ts';
import { POSIX_CLASSES } from '../matcher/re2_syntax.ts';

const CLASSES: Readonly<Record<string, string>> = { ...POSIX_CLASSES, d: '\\d', s: '\\s', w: '\\w' };
/** An escape, a POSIX class, or a single character that begins or ends something. */
const TOKEN = /\\[\s\S]?|\[:([\w^]*):\]|\(\?.?|\[|\]/g;

/** Compiles with the positions of groups. Throws ConfigError as Envoy words it. */
export function compileEcmascriptRegex(pattern: string, path: string): RegExp {
  const fail = (reason: string): never => {
    throw new ConfigError(path, `Invalid regex '${pattern}': ${reason}`);
  };
  let inClass = false;
  const source = pattern.replace(TOKEN, (token: string, name: string | undefined) => {
    if (token.startsWith('\\')) {
      if (/^\\(?:[A-Za-z]|$)/.test(token) && !/^\\[bBcdDfnrstSuvwWx]/.test(token)) {
        fail('The expression contained an invalid escaped character, or a trailing escape.');
      }
      return token;
    }
    if (token.startsWith('(?')) {
      if (!inClass && !/[:=!]$/.test(token)) {
        fail('One of *?+{ was not preceded by a valid regular expression.');
      }
      return token;
    }
    if (name !== undefined && inClass) {
      return CLASSES[name] ?? fail('The expression contained an invalid character class name.');
    }
    if (token === ']') inClass = false;
    else if (inClass) return '\\[';
    // Outside of a class `[:a:]` is a class of its own, which ends with it.
    else inClass = name === undefined;
    return token;
  });
  try {
    return new RegExp(source, 'd');
  } catch (error) {
    return fail((error as Error).message);
  }
}
