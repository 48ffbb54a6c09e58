// envoy.compression.brotli.compressor: brotli by node's zlib. Envoy: source/extensions/compression/brotli/compressor.

import type { BrotliOptions } from 'node:zlib';
import type { Brotli } from '../../../../../xds-protos/generated/envoy/extensions/compression/brotli/compressor/v3.ts';
import type { CompressionLibrary } from '../../../../api/compression.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import { nodeZlib } from '../../../../common/builtins.ts';

/** Source: the fields of the same names in the proto. */
const DEFAULT_QUALITY = 3;
const DEFAULT_WINDOW_BITS = 18;
const DEFAULT_INPUT_BLOCK_BITS = 24;
const DEFAULT_CHUNK_SIZE = 4096;

/** The numbers of brotli/encode.h. */
const MODES: Readonly<Record<string, number>> = {
  DEFAULT: 0,
  GENERIC: 0,
  TEXT: 1,
  FONT: 2,
};

export const brotliCompressorFactory: SettingsFactory<Brotli> = {
  compile(config, _context, path): CompressionLibrary {
    const { constants, createBrotliCompress } = nodeZlib();
    const mode = MODES[config.encoder_mode];
    if (mode === undefined) throw new ConfigError(at(path, 'encoder_mode'), 'unknown value');
    const options: BrotliOptions = {
      chunkSize: config.chunk_size?.value ?? DEFAULT_CHUNK_SIZE,
      flush: constants.BROTLI_OPERATION_FLUSH,
      params: {
        [constants.BROTLI_PARAM_QUALITY]: config.quality?.value ?? DEFAULT_QUALITY,
        [constants.BROTLI_PARAM_MODE]: mode,
        [constants.BROTLI_PARAM_LGWIN]: config.window_bits?.value ?? DEFAULT_WINDOW_BITS,
        [constants.BROTLI_PARAM_LGBLOCK]: config.input_block_bits?.value ?? DEFAULT_INPUT_BLOCK_BITS,
        [constants.BROTLI_PARAM_DISABLE_LITERAL_CONTEXT_MODELING]: config.disable_literal_context_modeling,
      },
    };
    return Object.freeze({
      contentEncoding: 'br',
      statsPrefix: 'brotli.',
      create: () => createBrotliCompress(options),
    });
  },
};
