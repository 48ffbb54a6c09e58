// docs/conformance.md says which test holds which behaviour: the files that it links exist, and so do the tests that it names.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const FILE = path.join(import.meta.dirname, '..', 'docs', 'conformance.md');
const text = readFileSync(FILE, 'utf8');

/** Files that rows of tables link, each with the names of tests that follow its link. */
function linkedTests(): { file: string; names: string[] }[] {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && line.includes('](../'));
  return rows.flatMap((row) =>
    [...row.matchAll(/\]\((\.\.\/[^)]+)\)([^[]*)/g)].map(([, file, after]) => ({
      file: path.join(path.dirname(FILE), file),
      names: [...after.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    })),
  );
}

/** As a text of its own, the end of a template, or the name of a property. */
function hasName(source: string, name: string): boolean {
  const quoted = ["'", '"', '`'].some((quote) => source.includes(`${quote}${name}${quote}`));
  return (
    quoted || source.includes(`: ${name}\``) || new RegExp(`^\\s+${RegExp.escape(name)}: `, 'm').test(source)
  );
}

test('the tests that the table of conformance names are there', () => {
  const linked = linkedTests();
  const missing: string[] = [];
  for (const { file, names } of linked) {
    const where = path.relative(path.dirname(FILE), file);
    if (!existsSync(file)) {
      missing.push(where);
      continue;
    }
    const source = readFileSync(file, 'utf8');
    for (const name of names) if (!hasName(source, name)) missing.push(`${where}: ${name}`);
  }
  assert.deepEqual(missing, []);
  assert.ok(linked.length > 100, `${linked.length} links`);
});

test('each row of the table of conformance links a test, or says that it is open', () => {
  const section = text.slice(text.indexOf('## Traffic management'), text.indexOf('## Chaos'));
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| ') && line !== '| what | compared in |');
  assert.ok(rows.length > 80, `${rows.length} rows`);
  assert.deepEqual(
    rows.filter((row) => !/\]\(\.\.\/(tests|server)\/|\| open: /.test(row)),
    [],
  );
});
