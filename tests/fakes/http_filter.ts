// Drives one HTTP filter without a connection manager: its callbacks record what the filter asks for.

import type {
  HttpFilter,
  LocalReplyOptions,
  StreamDecoderFilterCallbacks,
  StreamEncoderFilterCallbacks,
} from '../../server/api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../server/api/http/header_map.ts';
import type { Route, RouteDiscoveryWaiter } from '../../server/api/router.ts';
import type { Cluster } from '../../server/api/upstream/cluster.ts';
import type { StreamInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import { fakeStreamInfo, requestHeaders } from './log_context.ts';

export interface LocalReply {
  readonly code: number;
  readonly body: string;
  readonly details: string;
  readonly options: LocalReplyOptions | undefined;
}

/** The callbacks of one filter in one stream. Set the fields before the filter asks. */
export class FakeFilterCallbacks implements StreamDecoderFilterCallbacks, StreamEncoderFilterCallbacks {
  readonly streamInfo: StreamInfoRecord = fakeStreamInfo();
  readonly streamId = 7;
  requestHeaders: RequestHeaderMap = requestHeaders({});
  responseHeaders: ResponseHeaderMap | undefined = undefined;
  currentRoute: Route | undefined = fakeRoute();
  cluster: Cluster | undefined = undefined;
  routeConfig: unknown = undefined;
  bufferLimit = 1024 * 1024;
  requestRouteConfigUpdate: (waiter: RouteDiscoveryWaiter) => (() => void) | undefined = () => undefined;
  refreshRouteConfig: () => void = () => undefined;
  localReply: LocalReply | undefined = undefined;
  encoded: ResponseHeaderMap | undefined = undefined;
  continuedDecoding = 0;
  continuedEncoding = 0;
  /** Body that the filter injected, and whether it ended the stream. */
  injected = '';
  injectedEnd = false;
  /** The same of the request. */
  injectedRequest = '';
  injectedRequestEnd = false;
  encodingPaused = 0;

  constructor(filter: HttpFilter) {
    filter.setDecoderFilterCallbacks?.(this);
    filter.setEncoderFilterCallbacks?.(this);
  }

  route(): Route | undefined {
    return this.currentRoute;
  }
  clusterInfo(): Cluster | undefined {
    return this.cluster;
  }
  clearRouteCache(): void {}
  perFilterConfig<T>(): T | undefined {
    return this.routeConfig as T | undefined;
  }
  resetStream(): void {}
  setDecoderBufferLimit(bytes: number): void {
    this.bufferLimit = bytes;
  }
  recreateStream(): boolean {
    return false;
  }
  continueDecoding(): void {
    this.continuedDecoding++;
  }
  continueEncoding(): void {
    this.continuedEncoding++;
  }
  decodingBuffer(): Uint8Array | undefined {
    return undefined;
  }
  sendLocalReply(code: number, body: string, details: string, options?: LocalReplyOptions): void {
    this.localReply = { code, body, details, options };
  }
  encodeInformationalHeaders(): void {}
  encodeHeaders(headers: ResponseHeaderMap): void {
    this.encoded = headers;
  }
  encodeData(): void {}
  encodeTrailers(): void {}
  onDecoderFilterAboveWriteBufferHighWatermark(): void {}
  onDecoderFilterBelowWriteBufferLowWatermark(): void {}
  addDownstreamWatermarkCallbacks(): void {}
  decoderBufferLimit(): number {
    return this.bufferLimit;
  }
  encoderBufferLimit(): number {
    return this.bufferLimit;
  }
  injectDecodedDataToFilterChain(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.injectedRequest += Buffer.from(bytes.subarray(start, end)).toString('latin1');
    this.injectedRequestEnd = endStream;
  }
  injectEncodedDataToFilterChain(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.injected += Buffer.from(bytes.subarray(start, end)).toString('latin1');
    this.injectedEnd = endStream;
  }
  onEncoderFilterAboveWriteBufferHighWatermark(): void {
    this.encodingPaused++;
  }
  onEncoderFilterBelowWriteBufferLowWatermark(): void {
    this.encodingPaused--;
  }
}

/** A route to cluster `cluster` (a RouteEntry that answers only that). */
export function fakeRoute(cluster = 'cluster'): Route {
  return { routeEntry: { clusterName: () => cluster } } as unknown as Route;
}

/** A cluster with what filters look at. */
export function fakeCluster(fields: Partial<Cluster> = {}): Cluster {
  const features = { upstreamProtocol: 'http1' };
  return {
    name: 'cluster',
    statName: 'cluster',
    metadata: undefined,
    features,
    ...fields,
  } as unknown as Cluster;
}
