// A Compressor message, compiled: which messages of each direction are compressed.
// Envoy: CompressorFilterConfig in source/extensions/filters/http/compressor/compressor_filter.h.

import type {
  Compressor,
  Compressor_CommonDirectionConfig,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/compressor/v3.ts';
import type { CompressionLibrary } from '../../../../api/compression.ts';
import type { HeaderMap } from '../../../../api/http/header_map.ts';
import type { FactoryContext } from '../../../../api/registry.ts';
import type { StatBlock, StatSchema } from '../../../../api/stats.ts';
import { FeatureFlag } from '../../../../common/runtime/feature_flag.ts';
import { statSchema } from '../../../../common/stats/schema.ts';
import type { Candidate } from './accept_encoding.ts';

/** Of each direction. `total_uncompressed_bytes` counts only what was compressed. */
export const COMPRESSOR_STATS = statSchema('http.compressor', {
  compressed: 'counter',
  not_compressed: 'counter',
  total_uncompressed_bytes: 'counter',
  total_compressed_bytes: 'counter',
  content_length_too_small: 'counter',
});
const STAT = COMPRESSOR_STATS.offset;

/** How accept-encoding was understood. */
export const ACCEPT_ENCODING_STATS = statSchema('http.compressor.accept_encoding', {
  no_accept_header: 'counter',
  header_identity: 'counter',
  header_compressor_used: 'counter',
  header_compressor_overshadowed: 'counter',
  header_wildcard: 'counter',
  header_not_valid: 'counter',
  not_compressed_etag: 'counter',
});

type Block<Schema> = Schema extends StatSchema<infer Name> ? StatBlock<Name> : never;

/** Source: CommonDirectionConfig.min_content_length. 0 means the default, too. */
const DEFAULT_MIN_CONTENT_LENGTH = 30;
/** Source: defaultContentEncoding in compressor_filter.cc. */
const DEFAULT_CONTENT_TYPES: ReadonlySet<string> = new Set([
  'text/html',
  'text/plain',
  'text/css',
  'application/javascript',
  'application/x-javascript',
  'text/javascript',
  'text/x-javascript',
  'text/ecmascript',
  'text/js',
  'text/jscript',
  'text/x-js',
  'application/ecmascript',
  'application/x-json',
  'application/xml',
  'application/json',
  'image/svg+xml',
  'text/xml',
  'application/xhtml+xml',
  'application/grpc-web',
  'application/grpc-web+proto',
]);

export class DirectionConfig {
  private readonly enabled: FeatureFlag;
  private readonly minContentLength: number;
  private readonly contentTypes: ReadonlySet<string>;
  readonly stats: Block<typeof COMPRESSOR_STATS>;

  constructor(
    config: Partial<Compressor_CommonDirectionConfig> | undefined,
    statsPrefix: string,
    context: FactoryContext,
  ) {
    this.enabled = new FeatureFlag(config?.enabled, context.runtime);
    this.minContentLength = config?.min_content_length?.value || DEFAULT_MIN_CONTENT_LENGTH;
    const types = config?.content_type ?? [];
    this.contentTypes =
      types.length === 0 ? DEFAULT_CONTENT_TYPES : new Set(types.map((type) => type.toLowerCase()));
    this.stats = context.stats.block(COMPRESSOR_STATS, statsPrefix);
  }

  compressionEnabled(): boolean {
    return this.enabled.enabled();
  }

  count(offset: number, n = 1): void {
    this.stats.values[this.stats.base + offset] += n;
  }

  /** A message without a content-length may become long. */
  isMinimumContentLength(headers: HeaderMap): boolean {
    const length = headers.get('content-length');
    if (length === undefined) return true;
    const enough = /^\d+$/.test(length) && Number(length) >= this.minContentLength;
    if (!enough) this.count(STAT.content_length_too_small);
    return enough;
  }

  /** `contentType` as `contentTypeOf` gives it. */
  allowsContentType(contentType: string): boolean {
    return this.contentTypes.has(contentType);
  }
}

/** Lower-case and without parameters; undefined when there is none. */
export function contentTypeOf(headers: HeaderMap): string | undefined {
  const value = headers.get('content-type');
  if (value === undefined) return undefined;
  const semicolon = value.indexOf(';');
  return (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toLowerCase();
}

export class CompressorSettings implements Candidate {
  readonly library: CompressionLibrary;
  readonly chooseFirst: boolean;
  /** Undefined: requests are not compressed. */
  readonly request: DirectionConfig | undefined;
  readonly requestStats: Block<typeof COMPRESSOR_STATS>;
  readonly response: DirectionConfig;
  readonly acceptEncodingStats: Block<typeof ACCEPT_ENCODING_STATS>;
  readonly disableOnEtagHeader: boolean;
  readonly weakenEtag: boolean;
  readonly removeAcceptEncodingHeader: boolean;
  readonly uncompressibleResponseCodes: ReadonlySet<number>;

  constructor(config: Compressor, library: CompressionLibrary, context: FactoryContext) {
    const prefix = `${context.httpStatPrefix}compressor.${config.compressor_library?.name}.${library.statsPrefix}`;
    const { request_direction_config: request, response_direction_config: response } = config;
    this.library = library;
    this.chooseFirst = config.choose_first;
    this.request = request && new DirectionConfig(request.common_config, `${prefix}request.`, context);
    this.requestStats = this.request?.stats ?? context.stats.block(COMPRESSOR_STATS, `${prefix}request.`);
    // Without a response_direction_config the message's deprecated fields stand for it, also in the names of stats.
    this.response =
      response === undefined
        ? new DirectionConfig(deprecatedResponseConfig(config), prefix, context)
        : new DirectionConfig(response.common_config, `${prefix}response.`, context);
    this.acceptEncodingStats = context.stats.block(ACCEPT_ENCODING_STATS, prefix);
    const { disable_on_etag_header: onEtag, remove_accept_encoding_header: remove } = response ?? config;
    this.disableOnEtagHeader = onEtag;
    this.removeAcceptEncodingHeader = remove;
    this.weakenEtag = response?.weaken_etag_on_compress ?? false;
    this.uncompressibleResponseCodes = new Set(response?.uncompressible_response_codes);
  }

  get contentEncoding(): string {
    return this.library.contentEncoding;
  }

  allowsContentType(contentType: string): boolean {
    return this.response.allowsContentType(contentType);
  }
}

function deprecatedResponseConfig(config: Compressor): Partial<Compressor_CommonDirectionConfig> {
  return {
    enabled: config.runtime_enabled,
    min_content_length: config.content_length,
    content_type: config.content_type,
  };
}

/** What a route changes. Undefined fields change nothing. */
export interface CompressorRouteSettings {
  readonly responseCompressionEnabled: boolean | undefined;
  readonly removeAcceptEncodingHeader: boolean | undefined;
}
