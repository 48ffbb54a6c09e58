// envoy.filters.http.compressor. Envoy: source/extensions/filters/http/compressor/config.cc,
// api/envoy/extensions/filters/http/compressor/v3/compressor.proto.

import type {
  Compressor,
  CompressorPerRoute,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/compressor/v3.ts';
import type { CompressionLibrary } from '../../../../api/compression.ts';
import { at } from '../../../../api/config_error.ts';
import type { FactoryContext, HttpFilterFactory } from '../../../../api/registry.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { CompressorFilter } from './compressor.ts';
import { type CompressorRouteSettings, CompressorSettings } from './compressor_settings.ts';

const RESPONSE_HANDLED = new Set([
  'common_config',
  'disable_on_etag_header',
  'remove_accept_encoding_header',
  'uncompressible_response_codes',
  'weaken_etag_on_compress',
]);
const OVERRIDES_HANDLED = new Set(['response_direction_config']);

export const compressorFactory: HttpFilterFactory<Compressor, CompressorPerRoute> = {
  compile(config, context, path) {
    const { response_direction_config: response } = config;
    if (response !== undefined) {
      rejectOtherFields(response, RESPONSE_HANDLED, at(path, 'response_direction_config'));
    }
    const settings = new CompressorSettings(config, compileLibrary(config, context, path), context);
    return Object.freeze({ isTerminal: false, createFilter: () => new CompressorFilter(settings) });
  },
  compileRoute({ overrides }, _context, path): CompressorRouteSettings {
    if (overrides === undefined) {
      return { responseCompressionEnabled: false, removeAcceptEncodingHeader: undefined };
    }
    rejectOtherFields(overrides, OVERRIDES_HANDLED, at(path, 'overrides'));
    const { response_direction_config: response } = overrides;
    return {
      responseCompressionEnabled: response === undefined ? undefined : true,
      removeAcceptEncodingHeader: response?.remove_accept_encoding_header?.value,
    };
  },
};

function compileLibrary(config: Compressor, context: FactoryContext, path: string): CompressionLibrary {
  const inside = at(path, 'compressor_library.typed_config');
  const { name = '', typed_config } = config.compressor_library ?? {};
  const resolved = context.registry.resolve('envoy.compression.compressor', name, typed_config, inside);
  return resolved.factory.compile(resolved.config, context, inside) as CompressionLibrary;
}
