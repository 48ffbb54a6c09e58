// Reads a DataSource: bytes in the configuration, in a file or in an environment variable.
// Envoy: source/common/config/datasource.cc.

import { readFileSync } from 'node:fs';
import type { DataSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { ConfigError } from '../../api/config_error.ts';

/** The bytes as they are now; undefined for an absent source. Throws ConfigError when they cannot be read. */
export function readDataSource(source: DataSource | undefined, path: string): Buffer | undefined {
  if (source === undefined) return undefined;
  if (source.inline_string !== undefined) return Buffer.from(source.inline_string);
  if (source.inline_bytes !== undefined) return Buffer.from(source.inline_bytes);
  if (source.environment_variable !== undefined) return fromEnvironment(source.environment_variable, path);
  if (source.filename === undefined)
    throw new ConfigError(path, 'Unexpected DataSource::specifier_case(): 0');
  try {
    return readFileSync(source.filename);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ConfigError(
      path,
      missing ? `Invalid path: ${source.filename}` : `unable to read file: ${source.filename}`,
    );
  }
}

function fromEnvironment(name: string, path: string): Buffer {
  const value = process.env[name];
  if (value === undefined) throw new ConfigError(path, `Environment variable doesn't exist: ${name}`);
  return Buffer.from(value);
}
