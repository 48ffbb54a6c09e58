// Bytes that a configuration holds or points at. Envoy: source/common/config/datasource.h.

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
    throw new ConfigError(path, `unable to read file: ${source.filename}: ${(error as Error).message}`);
  }
}

/** Throws ConfigError when the source could not be read now. */
export function checkDataSource(source: DataSource | undefined, path: string): void {
  readDataSource(source, path);
}

function fromEnvironment(name: string, path: string): Buffer {
  const value = process.env[name];
  if (value === undefined) throw new ConfigError(path, `Environment variable doesn't exist: ${name}`);
  return Buffer.from(value);
}
