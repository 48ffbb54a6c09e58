// A field that is set and that we do not honour is an error, so nothing a user writes is ever ignored in silence.
// Decoded messages own only the fields that were set, so defaults pass.

import { at, ConfigError } from '../../api/config_error.ts';

/** Throws ConfigError at the first field of `message` that is set and not in `handled`. */
export function rejectOtherFields(message: object, handled: ReadonlySet<string>, path: string): void {
  for (const field of Object.keys(message)) {
    if (handled.has(field)) continue;
    const value = (message as Record<string, unknown>)[field];
    if (isDefault(value)) continue;
    throw new ConfigError(at(path, field), 'this field is not supported');
  }
}

function isDefault(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '' || value === 0n)
    return true;
  return Array.isArray(value) && value.length === 0;
}
