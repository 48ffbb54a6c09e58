import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { ConfigError } from '../../api/config_error.ts';
import { CompiledRegex, compileRegex, Substitution } from './regex.ts';

describe('regular expressions', () => {
  const matches: [string, string, boolean][] = [
    ['a|b', 'b', true],
    ['a|b', 'ab', false],
    ['(?i)abc', 'aBC', true],
    ['a(?i)b', 'AB', false],
    ['(?s).', '\n', true],
    ['.', '\n', false],
    ['.', '\r', true],
    ['[[:alpha:]]+', 'abC', true],
    ['\\s', '\v', false],
    ['[^\\S]', '\t', true],
    ['\\Qa.b\\E', 'a.b', true],
    ['\\Aab\\z', 'ab', true],
    ['\\x{41}\\x42', 'AB', true],
    ['(?P<n>a)', 'a', true],
    // `é` and `.` as the bytes that headers carry.
    ['caf.', 'caf\xc3\xa9', true],
    ['café', 'caf\xc3\xa9', true],
    ['\\pL+', 'caf\xc3\xa9', true],
  ];
  for (const [pattern, text, expected] of matches) {
    test(`${pattern} on ${JSON.stringify(text)}`, () =>
      assert.equal(new CompiledRegex(pattern).match(text), expected));
  }

  test('what RE2 refuses is an error', () => {
    for (const pattern of ['(a', 'a(?=b)', '(a)\\1', 'a**', '[b-a]', '\\q']) {
      assert.throws(() => compileRegex({ regex: pattern }, 'here'), ConfigError, pattern);
    }
  });

  const replacements: [string, string, string, string][] = [
    ['b*', 'X', 'abc', 'XaXcX'],
    ['(a)(b)?', '[\\2\\1\\\\]', 'aab', '[a\\][ba\\]'],
    ['a', '\\1', 'a', 'a'],
    ['^/v(\\d)/(.*)$', '/\\2/\\1', '/v1/x', '/x/1'],
    ['(?:(a)|b)*', '<\\1>', 'ab', '<a>'],
    ['é', 'e', 'caf\xc3\xa9!', 'cafe!'],
  ];
  for (const [pattern, substitution, text, expected] of replacements) {
    test(`${pattern} with ${substitution}`, () => {
      assert.equal(new CompiledRegex(pattern).replaceAll(text, new Substitution(substitution)), expected);
    });
  }

  test('native execution agrees with re2js', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\s',
      '\\w',
      '(a|b)',
      '(?:ab)',
      '(?i:A)',
      '(?i)',
      '(?s)',
      'a*',
      'b+?',
      'a{1,2}',
      '[[:digit:]x]',
      '\\.',
      '|',
      '^',
      '$',
      '\\b',
      '(a)*',
      '((a)b)*',
      '[\\d\\]-]',
    );
    const pattern = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', 'A', '1', '.', ' ', '\n', '\v', ']', '-', 'x'),
      maxLength: 6,
    });
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        let re2: RE2JS;
        try {
          re2 = RE2JS.compile(source);
        } catch {
          return;
        }
        assert.equal(new CompiledRegex(source).match(subject), re2.matches(subject), source);
      }),
      { numRuns: 2000 },
    );
  });
});
