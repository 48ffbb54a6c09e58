// Lets the server's code for explanations run in the browser, where a /config_dump file is explained: what it needs of node is in
// src/explainer/node_builtins.ts, and what it loads when a configuration names it is in the bundle.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'vite';

const ROOT = path.join(import.meta.dirname, '..');
const BUILTINS = path.join(import.meta.dirname, 'src', 'explainer', 'node_builtins.ts');
const CREATE_REQUIRE = 'const require = createRequire(import.meta.url);';

export function serverCode(): Plugin {
  return {
    name: 'server-code',
    enforce: 'pre',
    resolveId: (source) => (source.startsWith('node:') ? BUILTINS : undefined),
    load(id) {
      if (id !== path.join(ROOT, 'server', 'common', 'version.ts')) return undefined;
      const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
        version: string;
      };
      return `export const VERSION = ${JSON.stringify(version)};`;
    },
    transform(code, id) {
      if (!id.startsWith(path.join(ROOT, 'server')) || !code.includes(CREATE_REQUIRE)) return undefined;
      // The bundler's own `require`, then: what it brings is in the bundle, and runs with the first call.
      return code.replace(CREATE_REQUIRE, '');
    },
  };
}
