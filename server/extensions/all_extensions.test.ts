import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasType } from '../../xds-protos/load.ts';
import { ExtensionRegistry } from '../common/registry.ts';
import { ALL_EXTENSIONS } from './all_extensions.ts';

describe('every line of the list', () => {
  for (const { category, name, configTypes, routeConfigTypes, load } of ALL_EXTENSIONS) {
    test(`${category} ${name}`, () => {
      assert.equal(typeof load().compile, 'function');
      assert.equal(load(), load());
      for (const type of [...configTypes, ...(routeConfigTypes ?? [])]) assert.ok(hasType(type), type);
      if (routeConfigTypes !== undefined)
        assert.equal(typeof (load() as { compileRoute?: unknown }).compileRoute, 'function');
    });
  }

  test('claims types of its own', () => {
    assert.equal(new ExtensionRegistry(ALL_EXTENSIONS).all, ALL_EXTENSIONS);
  });
});
