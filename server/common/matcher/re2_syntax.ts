// RE2 syntax to native RegExp source, for patterns that are in effect ASCII. What has no exact native form (\pL, \C, non-ASCII
// literals, the m and U flags) is answered with undefined, and re2js then executes the pattern itself.
// https://github.com/google/re2/wiki/Syntax

import { isAscii } from './latin1.ts';

// RE2's \s has no vertical tab and no NBSP, unlike JavaScript's. The second column is for use inside a class.
const SPACE = '\\t\\n\\f\\r ';
const NOT_SPACE = '\\x00-\\x08\\x0b\\x0e-\\x1f!-\\xff';

/** Ranges for use inside a class, by name. */
export const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t-\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  '^space': '\\x00-\\x08\\x0e-\\x1f!-\\xff',
  '^digit': '\\x00-\\/:-\\xff',
  '^alpha': '\\x00-@\\[-`{-\\xff',
  '^word': '\\x00-\\/:-@\\[-^`{-\\xff',
};

interface Group {
  /** Closing parentheses that flags opened inside: `a(?i)b` is written `a(?i:b)`. */
  extra: number;
  dotAll: boolean;
  /** Captures opened before what is inside it. */
  readonly capturesBefore: number;
}

export interface NativePattern {
  readonly source: string;
  /** A repeated group holds a capture. JavaScript clears it at every turn and RE2 does not, so substitutions may differ. */
  readonly repeatsCaptures: boolean;
}

/** `pattern` has passed RE2's own parser. */
export function toNative(pattern: string): NativePattern | undefined {
  if (!isAscii(pattern)) return undefined;
  const groups: Group[] = [{ extra: 0, dotAll: false, capturesBefore: 0 }];
  let captures = 0;
  let repeatsCaptures = false;
  let source = '';
  let at = 0;
  while (at < pattern.length) {
    const group = groups[groups.length - 1];
    const char = pattern[at];
    if (char === '\\') {
      if (pattern[at + 1] === 'Q') {
        const end = pattern.indexOf('\\E', at);
        source += literal(pattern.slice(at + 2, end < 0 ? undefined : end));
        at = end < 0 ? pattern.length : end + 2;
        continue;
      }
      const escaped = readEscape(pattern, at, false);
      if (escaped === undefined) return undefined;
      source += escaped.text;
      at = escaped.end;
    } else if (char === '[') {
      const set = characterClass(pattern, at);
      if (set === undefined) return undefined;
      source += set.text;
      at = set.end;
    } else if (char === '.') {
      source += group.dotAll ? '[^]' : '[^\\n]';
      at++;
    } else if (char === '(') {
      const open = /^\((?:\?(?:P?<(\w+)>|([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])))?/.exec(pattern.slice(at))!;
      const [text, name, on = '', off = '', end] = open;
      if (end === undefined) {
        // A plain or a named capture. Names have no use here.
        captures++;
        groups.push({ extra: 0, dotAll: group.dotAll, capturesBefore: captures });
        source += '(';
        if (text.startsWith('(?') && name === undefined) return undefined;
      } else {
        if (/[^is]/.test(on + off)) return undefined;
        const dotAll = off.includes('s') ? false : on.includes('s') || group.dotAll;
        const flags = (on.includes('i') ? 'i' : '') + (off.includes('i') ? '-i' : '');
        source += `(?${flags}:`;
        if (end === ':') groups.push({ extra: 0, dotAll, capturesBefore: captures });
        else {
          group.extra++;
          group.dotAll = dotAll;
        }
      }
      at += text.length;
    } else if (char === ')') {
      groups.pop();
      source += ')'.repeat(group.extra + 1);
      at++;
      // Its own capture is the last turn's in both engines; one inside it is what differs.
      if (/^[*+?{]/.test(pattern.slice(at, at + 1)) && captures > group.capturesBefore)
        repeatsCaptures = true;
    } else if (char === '|' && group.extra > 0) {
      // The flags reach beyond the alternation bar: `a(?i)b|c` is (a(?i:b))|(?i:c).
      return undefined;
    } else {
      source += char === '/' ? '\\/' : char;
      at++;
    }
  }
  source += ')'.repeat(groups[0].extra);
  return { source, repeatsCaptures };
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function readEscape(
  pattern: string,
  at: number,
  inClass: boolean,
): { text: string; end: number } | undefined {
  const next = pattern[at + 1];
  const end = at + 2;
  switch (next) {
    case 's':
      return { text: inClass ? SPACE : `[${SPACE}]`, end };
    case 'S':
      return { text: inClass ? NOT_SPACE : `[${NOT_SPACE}]`, end };
    case 'a':
      return { text: '\\x07', end };
    case 'A':
      return { text: '(?<![^])', end };
    case 'z':
      return { text: '(?![^])', end };
    case 'x': {
      const hex = /^\\x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/.exec(pattern.slice(at));
      if (hex === null) return undefined;
      const code = Number.parseInt(hex[1] ?? hex[2], 16);
      return code < 0x80
        ? { text: `\\x${code.toString(16).padStart(2, '0')}`, end: at + hex[0].length }
        : undefined;
    }
    default:
      // Classes and escapes that mean the same in both, or a quoted punctuation mark.
      return /[dDwWbBfnrtv]/.test(next) || /[^0-9A-Za-z]/.test(next) ? { text: `\\${next}`, end } : undefined;
  }
}

function characterClass(pattern: string, start: number): { text: string; end: number } | undefined {
  let at = start + 1;
  let text = '[';
  if (pattern[at] === '^') {
    text += '^';
    at++;
  }
  for (let first = true; first || pattern[at] !== ']'; first = false) {
    if (at >= pattern.length) return undefined;
    if (pattern.startsWith('[:', at)) {
      const close = pattern.indexOf(':]', at);
      const set = POSIX_CLASSES[pattern.slice(at + 2, close)];
      if (set === undefined) return undefined;
      text += set;
      at = close + 2;
    } else if (pattern[at] === '\\') {
      if (pattern[at + 1] === 'Q') return undefined;
      const escaped = readEscape(pattern, at, true);
      if (escaped === undefined) return undefined;
      text += escaped.text;
      at = escaped.end;
    } else {
      text += pattern[at] === '[' || pattern[at] === ']' ? `\\${pattern[at]}` : pattern[at];
      at++;
    }
  }
  return { text: `${text}]`, end: at + 1 };
}
