// envoy.compression.gzip.compressor: gzip by node's zlib.
// Envoy: source/extensions/compression/gzip/compressor, whose defaults are lighter on memory than zlib's own.

import type { ZlibOptions } from 'node:zlib';
import type { Gzip } from '../../../../../xds-protos/generated/envoy/extensions/compression/gzip/compressor/v3.ts';
import type { CompressionLibrary } from '../../../../api/compression.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import { nodeZlib } from '../../../../common/builtins.ts';

/** Source: Gzip.memory_level, window_bits and chunk_size of the proto. */
const DEFAULT_MEMORY_LEVEL = 5;
const DEFAULT_WINDOW_BITS = 12;
const DEFAULT_CHUNK_SIZE = 4096;

/** The numbers of zlib.h. */
const STRATEGIES: Readonly<Record<string, number>> = {
  DEFAULT_STRATEGY: 0,
  FILTERED: 1,
  HUFFMAN_ONLY: 2,
  RLE: 3,
  FIXED: 4,
};
const LEVELS: Readonly<Record<string, number>> = {
  DEFAULT_COMPRESSION: -1,
  BEST_SPEED: 1,
  COMPRESSION_LEVEL_1: 1,
  COMPRESSION_LEVEL_2: 2,
  COMPRESSION_LEVEL_3: 3,
  COMPRESSION_LEVEL_4: 4,
  COMPRESSION_LEVEL_5: 5,
  COMPRESSION_LEVEL_6: 6,
  COMPRESSION_LEVEL_7: 7,
  COMPRESSION_LEVEL_8: 8,
  COMPRESSION_LEVEL_9: 9,
  BEST_COMPRESSION: 9,
};

export const gzipCompressorFactory: SettingsFactory<Gzip> = {
  compile(config, _context, path): CompressionLibrary {
    const { constants, createGzip } = nodeZlib();
    const level = LEVELS[config.compression_level];
    if (level === undefined) throw new ConfigError(at(path, 'compression_level'), 'unknown value');
    const strategy = STRATEGIES[config.compression_strategy];
    if (strategy === undefined) throw new ConfigError(at(path, 'compression_strategy'), 'unknown value');
    const options: ZlibOptions = {
      level,
      strategy,
      memLevel: config.memory_level?.value ?? DEFAULT_MEMORY_LEVEL,
      windowBits: config.window_bits?.value ?? DEFAULT_WINDOW_BITS,
      chunkSize: config.chunk_size?.value ?? DEFAULT_CHUNK_SIZE,
      flush: constants.Z_SYNC_FLUSH,
    };
    return Object.freeze({
      contentEncoding: 'gzip',
      statsPrefix: 'gzip.',
      create: () => createGzip(options),
    });
  },
};
