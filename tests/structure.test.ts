// The rules of the layout, so that they hold without anybody remembering them: imports go one way, every extension is in
// the list, files stay small, nothing is exported by default.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');
const MAX_LINES = 500;

/** A layer may import from itself and from those before it; worker and main never from each other. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  api: ['api'],
  common: ['api', 'common'],
  extensions: ['api', 'common', 'extensions'],
  worker: ['api', 'common', 'extensions', 'worker', 'messages.ts'],
  main: ['api', 'common', 'extensions', 'main', 'messages.ts'],
  'messages.ts': ['api', 'common'],
  'worker.ts': ['worker', 'messages.ts'],
  'main.ts': ['main'],
};
/** Packages that only some layers may know. */
const MAIN_ONLY = ['express', '@grpc/grpc-js'];

function sources(...patterns: string[]): string[] {
  const all = globSync(patterns, { cwd: ROOT, exclude: (name) => String(name).includes('generated') });
  return all.map((file) => file.replaceAll(path.sep, '/')).sort();
}

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** What a module imports, as written. */
function imports(file: string): string[] {
  const text = read(file);
  const found = text.matchAll(
    /^(?:import|export)\s[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'|(?:import|require)\('([^']+)'\)/gm,
  );
  return [...found].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
}

/** The layer below server/ that a file is in: `api`, `common`, `main.ts`. */
function layerOf(file: string): string {
  return file.split('/')[1] as string;
}

const server = sources('server/**/*.ts').filter((file) => !file.endsWith('.test.ts'));
const everything = [
  ...sources('server/**/*.ts', 'tests/**/*.ts', 'xds-protos/**/*.ts'),
  ...sources('admin-ui/src/**/*.{ts,tsx}'),
];

test('imports go api ← common ← extensions ← worker | main', () => {
  const wrong: string[] = [];
  for (const file of server) {
    for (const imported of imports(file)) {
      if (!imported.startsWith('.')) continue;
      const target = path.posix.join(path.posix.dirname(file), imported);
      if (target.startsWith('tests/')) wrong.push(`${file} imports ${target}`);
      if (!target.startsWith('server/')) continue;
      if (!MAY_IMPORT[layerOf(file)]?.includes(layerOf(target))) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('only main knows express and grpc-js', () => {
  const wrong = server.filter(
    (file) => layerOf(file) !== 'main' && imports(file).some((imported) => MAIN_ONLY.includes(imported)),
  );
  assert.deepEqual(wrong, []);
});

test('the development package with the protos is never imported', () => {
  const wrong = server.filter((file) => imports(file).some((name) => name.startsWith('@grpc/grpc-js-xds')));
  assert.deepEqual(wrong, []);
});

test('no module reads all exports of a built-in that has lazy ones', () => {
  // They load webcrypto, certificates and undici: megabytes in a process whose memory is compared. common/builtins.ts has them.
  const lazy = /^import (?!type)[^;]*? from 'node:(http|http2|crypto|tls|zlib)'/m;
  const allowed = ['server/main/demo/backends.ts'];
  assert.deepEqual(
    server.filter((file) => lazy.test(read(file)) && !allowed.includes(file)),
    [],
  );
});

test('what compiles a configuration does not load what only workers run', () => {
  // Main compiles, too, and would hold codecs and filters for nothing: common/data_path.ts.
  const dataPath =
    /^import (?!type)[^;]*? from '([^']*\/conn_manager|[^']*\/server_connection|\.\/router|\.\/tcp_proxy)\.ts'/m;
  const compiling = ['http/router', 'network/http_connection_manager', 'network/tcp_proxy'];
  assert.deepEqual(
    compiling.filter((folder) => dataPath.test(read(`server/extensions/filters/${folder}/config.ts`))),
    [],
  );
});

test('every extension is in the list', () => {
  const listed = imports('server/extensions/all_extensions.ts')
    .filter((imported) => imported.endsWith('/config.ts'))
    .map((imported) => path.posix.join('server/extensions', imported));
  assert.deepEqual([...new Set(listed)].sort(), sources('server/extensions/**/config.ts'));
});

test('links in the documents lead somewhere', () => {
  const dead: string[] = [];
  for (const file of sources('*.md', 'docs/**/*.md', 'server/**/*.md', 'xds-protos/*.md')) {
    for (const [, link] of read(file).matchAll(/\]\(([^)#:]+)\)/g)) {
      if (!existsSync(path.join(ROOT, path.dirname(file), link as string))) dead.push(`${file}: ${link}`);
    }
  }
  assert.deepEqual(dead, []);
});

describe('files', () => {
  test(`have at most ${MAX_LINES} lines`, () => {
    const long = everything
      .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES);
    assert.deepEqual(long, []);
  });

  test('export nothing by default', () => {
    assert.deepEqual(
      everything.filter((file) => /^export default\b/m.test(read(file))),
      [],
    );
  });

  test('of the server begin with what they are', () => {
    assert.deepEqual(
      server.filter((file) => !read(file).startsWith('//')),
      [],
    );
  });

  test('of the server are latin1: other text takes two bytes a character in every thread', () => {
    assert.deepEqual(
      server.filter((file) => /[^\0-\xff]/.test(read(file))),
      [],
    );
  });

  test('are not named utils or helpers', () => {
    assert.deepEqual(
      everything.filter((file) => /(^|\/)[^/]*(utils?|helpers?)\.ts$/.test(file)),
      [],
    );
  });
});
