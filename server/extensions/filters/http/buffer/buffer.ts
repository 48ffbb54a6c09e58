// Holds a request until the whole of it has come, and says how long it is. Envoy: source/extensions/filters/http/buffer/buffer_filter.cc,
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/buffer_filter

import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';

export interface BufferSettings {
  /** A longer request is answered with 413; undefined = the filter is off. */
  readonly maxRequestBytes: number | undefined;
}

export class BufferFilter implements HttpFilter {
  private readonly settings: BufferSettings;
  private decoder!: StreamDecoderFilterCallbacks;
  /** Of a request that is held. */
  private headers: RequestHeaderMap | undefined = undefined;
  /** Bytes of body so far. */
  private length = 0;

  constructor(settings: BufferSettings) {
    this.settings = settings;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.decoder = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap, endStream: boolean): FilterHeadersStatus {
    if (endStream) return FilterHeadersStatus.Continue;
    const { maxRequestBytes } = this.decoder.perFilterConfig<BufferSettings>() ?? this.settings;
    if (maxRequestBytes === undefined) return FilterHeadersStatus.Continue;
    this.decoder.setDecoderBufferLimit(maxRequestBytes);
    this.headers = headers;
    return FilterHeadersStatus.StopIteration;
  }

  decodeData(_bytes: Uint8Array, start: number, end: number, endStream: boolean): FilterDataStatus {
    if (this.headers === undefined) return FilterDataStatus.Continue;
    this.length += end - start;
    // What is held beyond the limit is refused, even when it has come in one piece.
    if (!endStream || this.length > this.decoder.decoderBufferLimit()) {
      return FilterDataStatus.StopIterationAndBuffer;
    }
    this.addContentLength(this.headers);
    return FilterDataStatus.Continue;
  }

  decodeTrailers(): FilterTrailersStatus {
    if (this.headers !== undefined) this.addContentLength(this.headers);
    return FilterTrailersStatus.Continue;
  }

  private addContentLength(headers: RequestHeaderMap): void {
    if (!headers.has('content-length')) headers.set('content-length', String(this.length));
  }
}
