// Packages that are loaded when they are first needed: most configurations have no YAML and no regular expression that says
// so at the start, and each costs a megabyte or two in every thread that loads it.

import { createRequire } from 'node:module';
import type * as Re2js from 're2js';
import type * as Yaml from 'yaml';

const require = createRequire(import.meta.url);

/** RE2's syntax and semantics. */
export function re2js(): typeof Re2js {
  return require('re2js');
}

/** YAML with the places of what is in it. */
export function yaml(): typeof Yaml {
  return require('yaml');
}
