// envoy.compression.zstd.compressor: Zstandard by node's zlib. Envoy: source/extensions/compression/zstd/compressor.

import type { ZstdOptions } from 'node:zlib';
import type { Zstd } from '../../../../../xds-protos/generated/envoy/extensions/compression/zstd/compressor/v3.ts';
import type { CompressionLibrary } from '../../../../api/compression.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import { nodeZlib } from '../../../../common/builtins.ts';
import { readDataSource } from '../../../../common/config/data_source.ts';

/** Source: Zstd.compression_level and chunk_size of the proto. */
const DEFAULT_LEVEL = 3;
const DEFAULT_CHUNK_SIZE = 4096;

/** The numbers of zstd.h; 0 is zstd's own choice by level. */
const STRATEGIES: Readonly<Record<string, number>> = {
  DEFAULT: 0,
  FAST: 1,
  DFAST: 2,
  GREEDY: 3,
  LAZY: 4,
  LAZY2: 5,
  BTLAZY2: 6,
  BTOPT: 7,
  BTULTRA: 8,
  BTULTRA2: 9,
};

export const zstdCompressorFactory: SettingsFactory<Zstd> = {
  compile(config, _context, path): CompressionLibrary {
    const { constants, createZstdCompress } = nodeZlib();
    const strategy = STRATEGIES[config.strategy];
    if (strategy === undefined) throw new ConfigError(at(path, 'strategy'), 'unknown value');
    const dictionary = readDataSource(config.dictionary, at(path, 'dictionary'));
    const options: ZstdOptions = {
      chunkSize: config.chunk_size?.value ?? DEFAULT_CHUNK_SIZE,
      flush: constants.ZSTD_e_flush,
      ...(dictionary && { dictionary }),
      params: {
        [constants.ZSTD_c_compressionLevel]: config.compression_level?.value ?? DEFAULT_LEVEL,
        [constants.ZSTD_c_checksumFlag]: config.enable_checksum,
        [constants.ZSTD_c_strategy]: strategy,
      },
    };
    return Object.freeze({
      contentEncoding: 'zstd',
      statsPrefix: 'zstd.',
      create: () => createZstdCompress(options),
    });
  },
};
