// THE list: one line per extension, sorted by its path. What is not here does not exist.

import type { ExtensionFactory } from '../api/registry.ts';

/** Every extension of this build. */
export const ALL_EXTENSIONS: readonly ExtensionFactory[] = [];
