import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalPath,
  type EscapedSlashesAction,
  getPortStart,
  mergeSlashes,
  normalizeRequestPath,
  stripPort,
  stripTrailingHostDot,
} from './path_utility.ts';

describe('path normalization', () => {
  // What Envoy 1.40 forwards.
  const cases: [string, string | undefined][] = [
    ['/a/../b', '/b'],
    ['/a/%2e%2E/b', '/b'],
    ['/%41%7e%2D', '/A~-'],
    ['/a\\b', '/a/b'],
    ['/a/.', '/a/'],
    ['/a/..', '/'],
    ['/..', '/'],
    ['/a%2Fb', '/a%2Fb'],
    ['/%c3%a9', '/%c3%a9'],
    ['/a|b^c', '/a%7Cb%5Ec'],
    ['/a"<>`{}', '/a%22%3C%3E%60%7B%7D'],
    ['/a/..;x=1/b', '/b'],
    ['/a/.;x', '/a/'],
    ['/a/%2e%2e;/b', '/a/..;/b'],
    ['/a\\..;x\\b', '/a/..;x/b'],
    ['/x?a/../b', '/x?a/../b'],
    ['//a/..', '//'],
    ['/a/.../b', '/a/.../b'],
    ['/%zz', '/%zz'],
    ['/a%00', undefined],
    ['*', undefined],
  ];
  for (const [path, expected] of cases) test(path, () => assert.equal(canonicalPath(path), expected));

  test('normalizing twice changes nothing more, and leaves no dot segment', () => {
    const path = fc.string({
      unit: fc.constantFrom('/', '.', '%2e', 'a', '\\', ';', '%2F', '?', '|', '%', '\xff'),
    });
    fc.assert(
      fc.property(path, (rest) => {
        const once = canonicalPath(`/${rest}`)!;
        assert.doesNotMatch(once.split('?')[0], /\/\.\.?(\/|$)/);
        // `%2e%2e;` becomes `..;`, which only a second pass would take for `..`: so it is in Envoy.
        if (!once.includes(';')) assert.equal(canonicalPath(once), once);
      }),
    );
  });

  test('merged slashes', () => {
    assert.equal(mergeSlashes('//a///b//?c//d'), '/a/b/?c//d');
    assert.equal(mergeSlashes('//'), '//');
  });

  test('escaped slashes', () => {
    const act = (escapedSlashes: EscapedSlashesAction): unknown =>
      normalizeRequestPath('/a%2f%2e%2e%5Cb?%2F', {
        escapedSlashes,
        normalizePath: true,
        mergeSlashes: true,
      });
    assert.deepEqual(act('KEEP_UNCHANGED'), { path: '/a%2f..%5Cb?%2F', redirect: false });
    assert.deepEqual(act('REJECT_REQUEST'), {
      path: undefined,
      redirect: false,
      refused: '/a/%2e%2e\\b?%2F',
    });
    assert.deepEqual(act('UNESCAPE_AND_REDIRECT'), { path: '/b?%2F', redirect: true });
    assert.deepEqual(act('UNESCAPE_AND_FORWARD'), { path: '/b?%2F', redirect: false });
  });
});

test('ports and dots of hosts', () => {
  assert.deepEqual(['a:1', 'a', '[::1]', '[::1]:2', ':3'].map(getPortStart), [1, -1, -1, 5, 0]);
  assert.equal(stripPort('a:80', undefined), 'a');
  assert.equal(stripPort('a:80', 81), 'a:80');
  assert.equal(stripPort('[::1]:80', 80), '[::1]');
  assert.equal(stripPort('a:x', undefined), 'a:x');
  assert.equal(stripTrailingHostDot('a.com.:80'), 'a.com:80');
  assert.equal(stripTrailingHostDot('a.com.'), 'a.com');
  assert.equal(stripTrailingHostDot('a.com'), 'a.com');
});
