// The YAML that the dashboard shows is what a YAML reader takes for the same configuration.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { toYaml, yamlLines } from '../../admin-ui/src/components/yaml.ts';

test('any configuration reads back', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text);
      assert.deepEqual(parse(toYaml(value)), value);
    }),
    { numRuns: 1000 },
  );
});

test('each line has the path of its field', () => {
  assert.deepEqual(yamlLines({ a: [{ b: 1, c: 'x' }], d: {} }), [
    { text: 'a:', path: 'a' },
    { text: '  - b: 1', path: 'a[0].b' },
    { text: '    c: x', path: 'a[0].c' },
    { text: 'd: {}', path: 'd' },
  ]);
});
