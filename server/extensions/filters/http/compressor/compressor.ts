// Compresses responses for clients that accept it, and requests where configured.
// Envoy: source/extensions/filters/http/compressor/compressor_filter.cc,
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/compressor_filter

import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
  type StreamEncoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { HeaderMap, RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import type { FilterStateObject } from '../../../../api/stream_info.ts';
import {
  BodyTransform,
  type ByteTracker,
  RequestBody,
  ResponseBody,
} from '../../../../common/compression/body_transform.ts';
import { hasToken, isUpgrade } from '../../../../common/http/headers.ts';
import { chooseEncoding, type EncodingChoice } from './accept_encoding.ts';
import {
  ACCEPT_ENCODING_STATS,
  COMPRESSOR_STATS,
  type CompressorRouteSettings,
  type CompressorSettings,
  contentTypeOf,
} from './compressor_settings.ts';

const STAT = COMPRESSOR_STATS.offset;
const ACCEPT_STAT = ACCEPT_ENCODING_STATS.offset;
/** transfer-encodings (by other names than our own) of bodies that are compressed already. */
const COMPRESSED_TRANSFER_ENCODINGS: ReadonlySet<string> = new Set([
  'gzip',
  'br',
  'deflate',
  'compress',
  'zstd',
]);

/** The compressors of a stream's chain, and what one of them has chosen for all: every one must know of the others. */
class ChainCompressors implements FilterStateObject {
  /** The object's name in filter state. */
  static readonly key = 'compressors';
  readonly settings: CompressorSettings[] = [];
  choice: EncodingChoice | undefined = undefined;

  serializeAsString(): string {
    return this.settings.map((one) => one.contentEncoding).join(',');
  }
}

export class CompressorFilter implements HttpFilter {
  private readonly settings: CompressorSettings;
  private decoder!: StreamDecoderFilterCallbacks;
  private encoder!: StreamEncoderFilterCallbacks;
  private chain!: ChainCompressors;
  private acceptEncoding: string | undefined = undefined;
  private requestBody: BodyTransform | undefined = undefined;
  private responseBody: BodyTransform | undefined = undefined;

  constructor(settings: CompressorSettings) {
    this.settings = settings;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.decoder = callbacks;
    const { filterState } = callbacks.streamInfo;
    let chain = filterState.get(ChainCompressors.key) as ChainCompressors | undefined;
    if (chain === undefined) filterState.set(ChainCompressors.key, (chain = new ChainCompressors()));
    chain.settings.push(this.settings);
    this.chain = chain;
  }

  setEncoderFilterCallbacks(callbacks: StreamEncoderFilterCallbacks): void {
    this.encoder = callbacks;
  }

  // ---- request -------------------------------------------------------------------------------------------------------

  decodeHeaders(headers: RequestHeaderMap, endStream: boolean): FilterHeadersStatus {
    const { settings } = this;
    this.acceptEncoding = headers.getAll('accept-encoding');
    if (this.acceptEncoding !== undefined) {
      const route = this.decoder.perFilterConfig<CompressorRouteSettings>();
      const remove = route?.removeAcceptEncodingHeader ?? settings.removeAcceptEncodingHeader;
      if (remove && this.responseCompressionEnabled(route)) headers.remove('accept-encoding');
    }

    const { request, requestStats } = settings;
    const compress =
      !endStream &&
      request?.compressionEnabled() &&
      !isUpgrade(headers) &&
      request.isMinimumContentLength(headers) &&
      this.isContentTypeAllowed(headers, request) &&
      !headers.has('content-encoding') &&
      this.isTransferEncodingAllowed(headers);
    requestStats.values[requestStats.base + (compress ? STAT.compressed : STAT.not_compressed)]++;
    if (compress) {
      headers.remove('content-length');
      headers.set('content-encoding', settings.contentEncoding);
      const direction = new RequestBody(this.decoder);
      this.requestBody = new BodyTransform(settings.library.create(), direction, new Tracker(requestStats));
    }
    return FilterHeadersStatus.Continue;
  }

  decodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus {
    return this.requestBody?.write(bytes, start, end, endStream) ?? FilterDataStatus.Continue;
  }

  decodeTrailers(): FilterTrailersStatus {
    return this.requestBody?.onTrailers() ?? FilterTrailersStatus.Continue;
  }

  // ---- response ------------------------------------------------------------------------------------------------------

  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): FilterHeadersStatus {
    // A local reply may take the place of a response that had not left yet.
    this.responseBody?.destroy();
    this.responseBody = undefined;
    const { settings } = this;
    const { response } = settings;
    const route = this.decoder.perFilterConfig<CompressorRouteSettings>();
    const isCandidate = this.responseCompressionEnabled(route) && response.isMinimumContentLength(headers);
    const isCompressible =
      isCandidate &&
      !isUpgrade(headers) &&
      this.isContentTypeAllowed(headers, response) &&
      !hasNoTransform(headers) &&
      this.isEtagAllowed(headers) &&
      !headers.has('content-encoding') &&
      !settings.uncompressibleResponseCodes.has(headers.status);
    const compress =
      !endStream &&
      isCandidate &&
      this.isAcceptEncodingAllowed(headers) &&
      isCompressible &&
      this.isTransferEncodingAllowed(headers);
    response.count(compress ? STAT.compressed : STAT.not_compressed);
    if (compress) {
      this.sanitizeEtag(headers);
      headers.remove('content-length');
      headers.set('content-encoding', settings.contentEncoding);
      const direction = new ResponseBody(this.encoder);
      this.responseBody = new BodyTransform(
        settings.library.create(),
        direction,
        new Tracker(response.stats),
      );
    }
    // A cache must know that the answer depends on accept-encoding even where this client gets it as it is.
    if (isCompressible) insertVary(headers);
    return FilterHeadersStatus.Continue;
  }

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus {
    return this.responseBody?.write(bytes, start, end, endStream) ?? FilterDataStatus.Continue;
  }

  encodeTrailers(): FilterTrailersStatus {
    return this.responseBody?.onTrailers() ?? FilterTrailersStatus.Continue;
  }

  onDestroy(): void {
    this.requestBody?.destroy();
    this.responseBody?.destroy();
  }

  // ---- decisions -----------------------------------------------------------------------------------------------------

  private responseCompressionEnabled(route: CompressorRouteSettings | undefined): boolean {
    return route?.responseCompressionEnabled ?? this.settings.response.compressionEnabled();
  }

  /** Decides (once per stream, for all compressors) and counts how the header was understood. */
  private isAcceptEncodingAllowed(headers: ResponseHeaderMap): boolean {
    const { acceptEncoding, chain } = this;
    if (acceptEncoding === undefined) {
      this.countAcceptEncoding(ACCEPT_STAT.no_accept_header);
      return false;
    }
    chain.choice ??= chooseEncoding(acceptEncoding, contentTypeOf(headers) ?? '', chain.settings);
    const { encoding, reason } = chain.choice;
    const chosen = encoding.toLowerCase() === this.settings.contentEncoding;
    switch (reason) {
      case 'compressor':
        this.countAcceptEncoding(
          chosen ? ACCEPT_STAT.header_compressor_used : ACCEPT_STAT.header_compressor_overshadowed,
        );
        break;
      case 'identity':
        this.countAcceptEncoding(ACCEPT_STAT.header_identity);
        break;
      case 'wildcard':
        this.countAcceptEncoding(ACCEPT_STAT.header_wildcard);
        break;
      case 'not_valid':
        this.countAcceptEncoding(ACCEPT_STAT.header_not_valid);
        break;
    }
    return chosen;
  }

  private countAcceptEncoding(offset: number): void {
    const { values, base } = this.settings.acceptEncodingStats;
    values[base + offset]++;
  }

  private isContentTypeAllowed(
    headers: HeaderMap,
    direction: { allowsContentType(type: string): boolean },
  ): boolean {
    const type = contentTypeOf(headers);
    return type === undefined || direction.allowsContentType(type);
  }

  private isEtagAllowed(headers: ResponseHeaderMap): boolean {
    const { disableOnEtagHeader, weakenEtag } = this.settings;
    if (!disableOnEtagHeader || weakenEtag || !headers.has('etag')) return true;
    this.countAcceptEncoding(ACCEPT_STAT.not_compressed_etag);
    return false;
  }

  /** A strong etag names exact bytes, which compression changes. */
  private sanitizeEtag(headers: ResponseHeaderMap): void {
    const etag = headers.get('etag');
    if (etag === undefined || /^w\//i.test(etag)) return;
    if (this.settings.weakenEtag) headers.set('etag', `W/${etag}`);
    else headers.remove('etag');
  }

  private isTransferEncodingAllowed(headers: HeaderMap): boolean {
    const value = headers.getAll('transfer-encoding');
    if (value === undefined) return true;
    return !value
      .split(',')
      .map((part) => part.trim().toLowerCase())
      .some((part) => COMPRESSED_TRANSFER_ENCODINGS.has(part) || part === this.settings.contentEncoding);
  }
}

function hasNoTransform(headers: HeaderMap): boolean {
  const value = headers.getAll('cache-control');
  return value !== undefined && hasToken(value, 'no-transform');
}

/** As Envoy, which knows the name in this spelling only. */
function insertVary(headers: ResponseHeaderMap): void {
  const vary = headers.getAll('vary');
  if (vary === undefined) headers.set('vary', 'Accept-Encoding');
  else if (!vary.split(',').some((part) => part.trim() === 'Accept-Encoding')) {
    headers.set('vary', `${vary}, Accept-Encoding`);
  }
}

/** Counts what goes in and comes out of a compressor. */
class Tracker implements ByteTracker {
  private readonly stats: StatBlock<keyof typeof STAT>;

  constructor(stats: StatBlock<keyof typeof STAT>) {
    this.stats = stats;
  }

  onInput(bytes: number): void {
    this.stats.values[this.stats.base + STAT.total_uncompressed_bytes] += bytes;
  }

  onOutput(bytes: number): void {
    this.stats.values[this.stats.base + STAT.total_compressed_bytes] += bytes;
  }
}
