// Counts gRPC calls and messages per cluster, and leaves the message counts for Istio's metrics.
// Envoy: source/extensions/filters/http/grpc_stats/grpc_stats_filter.cc.

import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../../../api/http/header_map.ts';
import type { FilterStateObject } from '../../../../api/stream_info.ts';
import { hasGrpcContentType } from '../../../../common/grpc/status.ts';
import { FrameCounter } from './frame_counter.ts';
import type { GrpcMethodCounters, GrpcMethodStats } from './grpc_method_stats.ts';

export interface GrpcStatsFilterConfig {
  readonly emitFilterState: boolean;
  readonly upstreamStats: boolean;
  readonly allMethods: boolean;
  /** Dots in service names become underscores in stat names. */
  readonly replaceDots: boolean;
  /** `service/method`. */
  readonly allowlist: ReadonlySet<string>;
  readonly methodStats: GrpcMethodStats;
}

/** Message counts of a stream so far. Envoy: envoy.extensions.filters.http.grpc_stats.v3.FilterObject. */
export class GrpcStatsObject implements FilterStateObject {
  /** The object's name in filter state. */
  static readonly key = 'envoy.filters.http.grpc_stats';
  requestMessageCount = 0;
  responseMessageCount = 0;

  serializeAsString(): string {
    return `${this.requestMessageCount},${this.responseMessageCount}`;
  }

  /** uint64 is a string in proto3 JSON. */
  serializeAsJson(): unknown {
    const { requestMessageCount, responseMessageCount } = this;
    return {
      ...(requestMessageCount > 0 && { requestMessageCount: String(requestMessageCount) }),
      ...(responseMessageCount > 0 && { responseMessageCount: String(responseMessageCount) }),
    };
  }

  fieldByName(name: string): number | undefined {
    if (name === 'request_message_count') return this.requestMessageCount;
    return name === 'response_message_count' ? this.responseMessageCount : undefined;
  }
}

export class GrpcStatsFilter implements HttpFilter {
  private readonly config: GrpcStatsFilterConfig;
  private callbacks!: StreamDecoderFilterCallbacks;
  /** Undefined for a side that is not gRPC by its content-type; it passes untouched. */
  private requests: FrameCounter | undefined = undefined;
  private responses: FrameCounter | undefined = undefined;
  private counters: GrpcMethodCounters | undefined = undefined;
  private filterObject: GrpcStatsObject | undefined = undefined;

  constructor(config: GrpcStatsFilterConfig) {
    this.config = config;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    if (!hasGrpcContentType(headers)) return FilterHeadersStatus.Continue;
    this.requests = new FrameCounter();
    const cluster = this.callbacks.clusterInfo();
    const path = serviceAndMethod(headers.path);
    if (cluster !== undefined && path !== undefined) {
      this.counters = this.config.methodStats.get(cluster.statName, this.statName(path));
    }
    return FilterHeadersStatus.Continue;
  }

  decodeData(bytes: Uint8Array, start: number, end: number): FilterDataStatus {
    if (this.requests === undefined) return FilterDataStatus.Continue;
    const messages = this.requests.inspect(bytes, start, end);
    if (messages > 0) {
      this.writeFilterState();
      this.counters?.requestMessageCount.add(messages);
    }
    return FilterDataStatus.Continue;
  }

  encodeHeaders(headers: ResponseHeaderMap, endStream: boolean): FilterHeadersStatus {
    if (!endStream && headers.status === 200 && hasGrpcContentType(headers))
      this.responses = new FrameCounter();
    this.chargeStatus(headers.get('grpc-status'));
    return FilterHeadersStatus.Continue;
  }

  encodeData(bytes: Uint8Array, start: number, end: number): FilterDataStatus {
    if (this.responses === undefined) return FilterDataStatus.Continue;
    const messages = this.responses.inspect(bytes, start, end);
    if (messages > 0) {
      this.writeFilterState();
      this.counters?.responseMessageCount.add(messages);
    }
    return FilterDataStatus.Continue;
  }

  encodeTrailers(trailers: TrailerMap): FilterTrailersStatus {
    this.chargeStatus(trailers.get('grpc-status'));
    return FilterTrailersStatus.Continue;
  }

  private chargeStatus(status: string | undefined): void {
    if (status === undefined || this.counters === undefined) return;
    this.counters.chargeStatus(status);
    if (!this.config.upstreamStats) return;
    const { lastUpstreamTxByte, lastUpstreamRxByte } = this.callbacks.streamInfo;
    if (lastUpstreamTxByte === 0 || lastUpstreamRxByte === 0) return;
    this.counters.upstreamTime(Math.max(0, lastUpstreamRxByte - lastUpstreamTxByte));
  }

  /** The stat name of `service/method`, '' where it is not counted by name. */
  private statName(path: string): string {
    const { allMethods, allowlist, replaceDots } = this.config;
    if (!allMethods && !allowlist.has(path)) return '';
    const slash = path.indexOf('/');
    const service = path.slice(0, slash);
    return `${replaceDots ? service.replaceAll('.', '_') : service}.${path.slice(slash + 1)}`;
  }

  private writeFilterState(): void {
    if (!this.config.emitFilterState) return;
    if (this.filterObject === undefined) {
      this.filterObject = new GrpcStatsObject();
      this.callbacks.streamInfo.filterState.set(GrpcStatsObject.key, this.filterObject);
    }
    this.filterObject.requestMessageCount = this.requests?.count ?? 0;
    this.filterObject.responseMessageCount = this.responses?.count ?? 0;
  }
}

/** `service/method` of a gRPC path `/service/method`, or undefined for any other path. */
function serviceAndMethod(path: string): string | undefined {
  const query = path.indexOf('?');
  const end = query < 0 ? path.length : query;
  const slash = path.indexOf('/', 1);
  if (path[0] !== '/' || slash <= 1 || slash >= end - 1) return undefined;
  const next = path.indexOf('/', slash + 1);
  return next >= 0 && next < end ? undefined : path.slice(1, end);
}
