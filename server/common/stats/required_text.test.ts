import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { requiredText } from './required_text.ts';

test('finds the longest text', () => {
  const known = {
    'cluster_manager.(active_clusters|cds.version_text)$': 'cluster_manager',
    '^cluster\\.a\\.upstream_rq_\\d': '',
    '^cluster\\.a\\.upstream_rq': 'upstream_rq',
    'ab|cd': '',
    'abc?d': 'ab',
    'abc{0,3}de+': 'ab',
    '(abc)?d': 'd',
    '(?i)abc': '',
    '((a|b)c|d)': '',
    '': '',
  };
  for (const [pattern, text] of Object.entries(known)) assert.equal(requiredText(pattern), text, pattern);
});

test('is in all that matches', () => {
  const piece = fc.constantFrom(
    ...'aabb01_.+*?|(){},[]^$\\'.split(''),
    '{0,1}',
    '(?i)',
    '\\.',
    '\\x61',
    '\\Q',
  );
  const patterns = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  const names = fc.array(fc.string({ unit: fc.constantFrom(...'abAB01_.{},'.split('')), maxLength: 6 }), {
    maxLength: 20,
  });
  let matched = 0;
  const property = fc.property(patterns, names, (pattern, all) => {
    let regex: RE2JS;
    try {
      regex = RE2JS.compile(pattern);
    } catch {
      return;
    }
    const text = requiredText(pattern);
    for (const name of all) {
      if (!regex.matcher(name).find()) continue;
      if (text !== '') matched++;
      assert.ok(name.includes(text), `${pattern} matches ${name}, which has no ${text}`);
    }
  });
  fc.assert(property, { numRuns: 3000 });
  assert.ok(matched > 50, String(matched));
});
