// The HTTP filter chain of one stream: requests walk the filters forwards, responses backwards; a filter may stop the walk
// and let it go on later, with the body buffered (bounded) or the other side paused meanwhile.
// Follows Envoy's source/common/http/filter_manager.cc; the stream itself (active_stream.ts) supplies the two ends.

import {
  type DownstreamWatermarkCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type LocalReplyOptions,
} from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import type { Route, RouteDiscoveryWaiter } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { Cluster } from '../../api/upstream/cluster.ts';
import { BodyBuffer } from '../buffer/body_buffer.ts';
import { ActiveFilter, type FilterManagerCallbacks } from './active_filter.ts';
import type { HttpFilterEntry } from './conn_manager_config.ts';

export abstract class FilterManager implements FilterManagerCallbacks {
  abstract readonly streamInfo: StreamInfo;
  abstract readonly streamId: number;
  abstract route(): Route | undefined;
  abstract clusterInfo(): Cluster | undefined;
  abstract clearRouteCache(): void;
  abstract requestRouteConfigUpdate(waiter: RouteDiscoveryWaiter): (() => void) | undefined;
  abstract refreshRouteConfig(): void;
  abstract resetStream(details: string): void;
  abstract recreateStream(response: ResponseHeaderMap, body: Uint8Array | undefined): boolean;
  abstract encodeInformationalHeaders(headers: ResponseHeaderMap): void;

  requestHeaders!: RequestHeaderMap;
  requestTrailers: TrailerMap | undefined = undefined;
  responseHeaders: ResponseHeaderMap | undefined = undefined;
  responseTrailers: TrailerMap | undefined = undefined;
  /** The codec has given us the whole request. */
  requestComplete = false;
  /** The terminal filter (or a local reply) has given us the whole response. */
  responseComplete = false;
  /** The stream is over; late calls of filters are ignored. */
  destroyed = false;
  filters: ActiveFilter[] = [];
  /** Body held because a filter stopped the walk. */
  decodingData: BodyBuffer | undefined = undefined;
  encodingData: BodyBuffer | undefined = undefined;
  private decodingPaused = false;
  private encodingPaused = false;
  /** A filter keeps body to itself and will inject what it makes of it: the end has come to us, but not to those behind it. */
  private decodingWithheld = false;
  private encodingWithheld = false;
  private watermarkCallbacks: DownstreamWatermarkCallbacks | undefined = undefined;
  private moreWatermarkCallbacks: DownstreamWatermarkCallbacks[] | undefined = undefined;
  /** How many have asked to pause the response: the connection, its stream, and filters that hold it back. */
  private highWatermarks = 0;

  /** Bytes of body that are held back at most. */
  abstract bufferLimit: number;
  abstract sendLocalReply(code: number, body: string, details: string, options?: LocalReplyOptions): void;
  protected abstract countDataTooLarge(stat: 'downstream_rq_too_large' | 'rs_too_large'): void;
  /** The response reaches the downstream end. */
  protected abstract encodeHeadersToCodec(headers: ResponseHeaderMap, endStream: boolean): void;
  protected abstract encodeDataToCodec(
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void;
  protected abstract encodeTrailersToCodec(trailers: TrailerMap): void;
  /** Stops or resumes reading the request body. */
  abstract readDisable(disable: boolean): void;

  protected createFilterChain(
    entries: readonly HttpFilterEntry[],
    disabled: (name: string) => boolean | undefined,
  ): boolean {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      if (disabled(entry.name) ?? entry.disabled) continue;
      const config = entry.provider.current;
      if (config === undefined) return false;
      const filter = config.createFilter();
      const active = new ActiveFilter(this, filter, entry.name, this.filters.length);
      this.filters.push(active);
      filter.setDecoderFilterCallbacks?.(active);
      filter.setEncoderFilterCallbacks?.(active);
    }
    return true;
  }

  // ---- request: forwards -------------------------------------------------------------------------------------------

  protected decodeHeaders(from: number): void {
    const filters = this.filters;
    for (let i = from; i < filters.length; i++) {
      const one = filters[i];
      if (one.filter.decodeHeaders !== undefined) {
        const status = one.filter.decodeHeaders(this.requestHeaders, this.requestEndsWithHeaders());
        if (this.destroyed || this.responseComplete) return;
        if (status !== FilterHeadersStatus.Continue) {
          one.decodeStopped = true;
          one.decodeStoppedAll = status !== FilterHeadersStatus.StopIteration;
          one.decodeWatermark = status !== FilterHeadersStatus.StopAllIterationAndBuffer;
          return;
        }
      }
      one.decodeHeadersPassed = true;
    }
  }

  private requestEndsWithHeaders(): boolean {
    return (
      this.requestComplete &&
      !this.decodingWithheld &&
      this.decodingData === undefined &&
      this.requestTrailers === undefined
    );
  }

  protected decodeData(
    from: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    const filters = this.filters;
    for (let i = from; i < filters.length; i++) {
      const one = filters[i];
      const filter = one.filter;
      if (one.decodeStopped && (one.decodeStoppedAll || filter.decodeData === undefined)) {
        this.holdDecodingData(one, bytes, start, end);
        return;
      }
      if (filter.decodeData === undefined) continue;
      const status = filter.decodeData(bytes, start, end, endStream && this.requestTrailers === undefined);
      if (this.destroyed || this.responseComplete) return;
      if (status === FilterDataStatus.Continue) {
        if (!one.decodeStopped) continue;
        this.holdDecodingData(one, bytes, start, end);
        this.continueDecoding(one);
        return;
      }
      one.decodeStopped = true;
      one.decodeStoppedAll = false;
      one.decodeWatermark = status === FilterDataStatus.StopIterationAndWatermark;
      if (status !== FilterDataStatus.StopIterationNoBuffer) this.holdDecodingData(one, bytes, start, end);
      else if (i < filters.length - 1) this.decodingWithheld = true;
      return;
    }
  }

  /** Body bytes that a filter sends on at a time of its own. */
  injectDecodedData(
    one: ActiveFilter,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    if (this.destroyed || this.responseComplete) return;
    if (endStream) this.decodingWithheld = false;
    this.decodeData(one.index + 1, bytes, start, end, endStream);
  }

  protected decodeTrailers(from: number): void {
    const filters = this.filters;
    for (let i = from; i < filters.length; i++) {
      const one = filters[i];
      if (
        one.decodeStopped &&
        (one.decodeStoppedAll || one.filter.decodeTrailers === undefined) &&
        i < filters.length - 1
      )
        return;
      if (one.filter.decodeTrailers === undefined) continue;
      const status = one.filter.decodeTrailers(this.requestTrailers!);
      if (this.destroyed || this.responseComplete) return;
      if (status === FilterTrailersStatus.StopIteration) {
        one.decodeStopped = true;
        return;
      }
      if (one.decodeStopped) {
        this.continueDecoding(one);
        return;
      }
    }
  }

  continueDecoding(one: ActiveFilter): void {
    if (!one.decodeStopped || this.destroyed || this.responseComplete) return;
    one.decodeStopped = false;
    one.decodeStoppedAll = false;
    if (this.decodingPaused) {
      this.decodingPaused = false;
      this.readDisable(false);
    }
    const next = one.index + 1;
    if (!one.decodeHeadersPassed) {
      one.decodeHeadersPassed = true;
      this.decodeHeaders(next);
    }
    const data = this.decodingData;
    if (data !== undefined && !this.decodeStoppedFrom(next, true)) {
      this.decodingData = undefined;
      const bytes = data.take();
      this.decodeData(next, bytes, 0, bytes.length, this.requestComplete && !this.decodingWithheld);
    }
    if (this.requestTrailers !== undefined && !this.destroyed && !this.responseComplete)
      this.decodeTrailers(next);
  }

  /** Has a filter behind stopped at the headers, so that the held body must stay where it is? */
  private decodeStoppedFrom(index: number, all: boolean): boolean {
    for (let i = index; i < this.filters.length; i++) {
      const one = this.filters[i];
      if (one.decodeStopped && (!all || one.decodeStoppedAll || one.filter.decodeData === undefined))
        return true;
    }
    return false;
  }

  private holdDecodingData(one: ActiveFilter, bytes: Uint8Array, start: number, end: number): void {
    const data = (this.decodingData ??= new BodyBuffer());
    data.add(bytes, start, end);
    if (this.bufferLimit === 0 || data.length <= this.bufferLimit) return;
    if (!one.decodeWatermark) {
      this.countDataTooLarge('downstream_rq_too_large');
      this.sendLocalReply(413, 'Payload Too Large', 'request_payload_too_large');
    } else if (!this.decodingPaused) {
      this.decodingPaused = true;
      this.readDisable(true);
    }
  }

  // ---- response: backwards -----------------------------------------------------------------------------------------

  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): void {
    if (this.destroyed) return;
    this.responseHeaders = headers;
    this.encodingWithheld = false;
    if (endStream) this.responseComplete = true;
    this.encodeHeadersFrom(this.filters.length - 1);
  }

  encodeData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.destroyed) return;
    if (endStream) this.responseComplete = true;
    this.encodeDataFrom(this.filters.length - 1, bytes, start, end, endStream);
  }

  encodeTrailers(trailers: TrailerMap): void {
    if (this.destroyed) return;
    this.responseTrailers = trailers;
    this.responseComplete = true;
    this.encodeTrailersFrom(this.filters.length - 1);
  }

  private encodeHeadersFrom(from: number): void {
    const headers = this.responseHeaders!;
    for (let i = from; i >= 0; i--) {
      const one = this.filters[i];
      if (one.filter.encodeHeaders !== undefined) {
        const status = one.filter.encodeHeaders(headers, this.responseEndsWithHeaders());
        if (this.destroyed || this.responseHeaders !== headers) return;
        if (status !== FilterHeadersStatus.Continue) {
          one.encodeStopped = true;
          one.encodeStoppedAll = status !== FilterHeadersStatus.StopIteration;
          one.encodeWatermark = status !== FilterHeadersStatus.StopAllIterationAndBuffer;
          return;
        }
      }
      one.encodeHeadersPassed = true;
    }
    this.encodeHeadersToCodec(headers, this.responseEndsWithHeaders());
  }

  private responseEndsWithHeaders(): boolean {
    return (
      this.responseComplete &&
      !this.encodingWithheld &&
      this.encodingData === undefined &&
      this.responseTrailers === undefined
    );
  }

  private encodeDataFrom(
    from: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    for (let i = from; i >= 0; i--) {
      const one = this.filters[i];
      const filter = one.filter;
      if (one.encodeStopped && (one.encodeStoppedAll || filter.encodeData === undefined)) {
        this.holdEncodingData(one, bytes, start, end);
        return;
      }
      if (filter.encodeData === undefined) continue;
      const status = filter.encodeData(bytes, start, end, endStream && this.responseTrailers === undefined);
      if (this.destroyed) return;
      if (status === FilterDataStatus.Continue) {
        if (!one.encodeStopped) continue;
        this.holdEncodingData(one, bytes, start, end);
        this.continueEncoding(one);
        return;
      }
      one.encodeStopped = true;
      one.encodeStoppedAll = false;
      one.encodeWatermark = status === FilterDataStatus.StopIterationAndWatermark;
      if (status !== FilterDataStatus.StopIterationNoBuffer) this.holdEncodingData(one, bytes, start, end);
      else this.encodingWithheld = true;
      return;
    }
    this.encodeDataToCodec(bytes, start, end, endStream && this.responseTrailers === undefined);
  }

  /** Body bytes that a filter sends on at a time of its own. */
  injectEncodedData(
    one: ActiveFilter,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    if (this.destroyed) return;
    if (endStream) this.encodingWithheld = false;
    this.encodeDataFrom(one.index - 1, bytes, start, end, endStream);
  }

  pauseEncoding(pause: boolean): void {
    if (!this.destroyed) this.pauseResponse(pause);
  }

  private encodeTrailersFrom(from: number): void {
    for (let i = from; i >= 0; i--) {
      const one = this.filters[i];
      if (one.encodeStopped && (one.encodeStoppedAll || one.filter.encodeTrailers === undefined)) return;
      if (one.filter.encodeTrailers === undefined) continue;
      const status = one.filter.encodeTrailers(this.responseTrailers!);
      if (this.destroyed) return;
      if (status === FilterTrailersStatus.StopIteration) {
        one.encodeStopped = true;
        return;
      }
      if (one.encodeStopped) {
        this.continueEncoding(one);
        return;
      }
    }
    this.encodeTrailersToCodec(this.responseTrailers!);
  }

  continueEncoding(one: ActiveFilter): void {
    if (!one.encodeStopped || this.destroyed) return;
    one.encodeStopped = false;
    one.encodeStoppedAll = false;
    const next = one.index - 1;
    if (!one.encodeHeadersPassed) {
      one.encodeHeadersPassed = true;
      this.encodeHeadersFrom(next);
      if (this.encodeStoppedBelow(next)) return;
    }
    const data = this.encodingData;
    if (data !== undefined && !this.destroyed) {
      this.encodingData = undefined;
      if (this.encodingPaused) {
        this.encodingPaused = false;
        this.pauseResponse(false);
      }
      const bytes = data.take();
      const end = this.responseComplete && !this.encodingWithheld;
      this.encodeDataFrom(next, bytes, 0, bytes.length, end);
    }
    if (this.responseTrailers !== undefined && !this.destroyed) this.encodeTrailersFrom(next);
  }

  private encodeStoppedBelow(index: number): boolean {
    for (let i = index; i >= 0; i--) if (this.filters[i].encodeStopped) return true;
    return false;
  }

  private holdEncodingData(one: ActiveFilter, bytes: Uint8Array, start: number, end: number): void {
    const data = (this.encodingData ??= new BodyBuffer());
    data.add(bytes, start, end);
    if (this.bufferLimit === 0 || data.length <= this.bufferLimit) return;
    if (!one.encodeWatermark) {
      this.countDataTooLarge('rs_too_large');
      this.sendLocalReply(500, 'Internal Server Error', 'response_payload_too_large');
    } else if (!this.encodingPaused) {
      this.encodingPaused = true;
      this.pauseResponse(true);
    }
  }

  // ---- backpressure --------------------------------------------------------------------------------------------------

  addDownstreamWatermarkCallbacks(callbacks: DownstreamWatermarkCallbacks): void {
    if (this.watermarkCallbacks === undefined) this.watermarkCallbacks = callbacks;
    else (this.moreWatermarkCallbacks ??= []).push(callbacks);
    if (this.highWatermarks > 0) callbacks.onAboveWriteBufferHighWatermark();
  }

  /** The response body is held back above the limit: pause (or resume) whoever produces it. Calls nest. */
  private pauseResponse(pause: boolean): void {
    if (pause) this.onAboveWriteBufferHighWatermark();
    else this.onBelowWriteBufferLowWatermark();
  }

  onAboveWriteBufferHighWatermark(): void {
    if (++this.highWatermarks > 1) return;
    this.watermarkCallbacks?.onAboveWriteBufferHighWatermark();
    if (this.moreWatermarkCallbacks !== undefined)
      for (const one of this.moreWatermarkCallbacks) one.onAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    if (this.highWatermarks === 0 || --this.highWatermarks > 0) return;
    this.watermarkCallbacks?.onBelowWriteBufferLowWatermark();
    if (this.moreWatermarkCallbacks !== undefined)
      for (const one of this.moreWatermarkCallbacks) one.onBelowWriteBufferLowWatermark();
  }

  // ---- end -----------------------------------------------------------------------------------------------------------

  /** Tells the filters that the stream is complete (before the access log) and gone. */
  protected completeFilters(): void {
    for (const one of this.filters) one.filter.onStreamComplete?.();
  }

  protected destroyFilters(): void {
    for (const one of this.filters) {
      const filter: HttpFilter = one.filter;
      filter.onDestroy?.();
    }
  }
}
