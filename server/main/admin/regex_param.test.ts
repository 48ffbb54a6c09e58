import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileFullMatch, compileSearch } from './regex_param.ts';

test('errors are in the words of RE2', () => {
  // As Envoy 1.40 answered.
  const recorded = {
    '(': 'missing ): (',
    ')': 'unexpected ): )',
    '[a': 'missing ]: [a',
    '*': 'no argument for repetition operator: *',
    'a**': 'bad repetition operator: **',
    'x{1001}': 'invalid repetition size: {1001}',
    '(?P<n': 'invalid named capture group: (?P<n',
    '(?=a)': 'invalid perl operator: (?=',
    '\\': 'trailing \\',
    '[z-a]': 'invalid character class range: z-a',
    '\\8': 'invalid escape sequence: \\8',
  };
  for (const [pattern, message] of Object.entries(recorded)) {
    assert.throws(() => compileSearch(pattern), { message });
    assert.throws(() => compileFullMatch(pattern), { message });
  }
});

test('a search finds a part, a full match wants all', () => {
  assert.equal(compileSearch('b+')('abbc'), true);
  assert.equal(compileFullMatch('b+')('abbc'), false);
  assert.equal(compileFullMatch('ab+c')('abbc'), true);
});
