// Istio's metrics of HTTP requests and gRPC messages. Istio: source/extensions/filters/http/istio_stats/istio_stats.cc.

import {
  FilterHeadersStatus,
  FilterTrailersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
  type StreamEncoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, TrailerMap } from '../../../../api/http/header_map.ts';
import type { StatTag } from '../../../../api/stats.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { getGrpcStatus, hasGrpcContentType } from '../../../../common/grpc/status.ts';
import { responseFlagsToShortString } from '../../../../common/stream_info/response_flags.ts';
import { currentDurationMs } from '../../../../common/stream_info/stream_info.ts';
import { GrpcStatsObject } from '../grpc_stats/grpc_stats.ts';
import type { AttributeContext } from './attribute_expression.ts';
import type { IstioStatsConfig } from './config.ts';
import { type PeerFacts, peerFacts, peerInfoRead } from './peer_facts.ts';
import { peerTags } from './peer_tags.ts';

export class IstioStatsFilter implements HttpFilter, TimerOwner {
  private readonly config: IstioStatsConfig;
  private decoder!: StreamDecoderFilterCallbacks;
  private encoder!: StreamEncoderFilterCallbacks;
  private responseTrailers: TrailerMap | undefined = undefined;
  private isGrpc = false;
  private timer: Timer | undefined = undefined;
  /** Fixed once the peer is known, so that all reports of a stream have the same labels. */
  private facts: PeerFacts | undefined = undefined;
  private requestMessages = 0;
  private responseMessages = 0;

  constructor(config: IstioStatsConfig) {
    this.config = config;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.decoder = callbacks;
  }

  setEncoderFilterCallbacks(callbacks: StreamEncoderFilterCallbacks): void {
    this.encoder = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    this.isGrpc = hasGrpcContentType(headers);
    if (this.isGrpc && this.config.reportDurationMs > 0) {
      this.timer = new Timer(this);
      this.timer.enable(this.config.reportDurationMs, performance.now());
    }
    return FilterHeadersStatus.Continue;
  }

  encodeTrailers(trailers: TrailerMap): FilterTrailersStatus {
    this.responseTrailers = trailers;
    return FilterTrailersStatus.Continue;
  }

  /** Time to report the messages of a gRPC call that lasts. */
  onTimeout(timer: Timer): void {
    const { filterState } = this.decoder.streamInfo;
    if (this.facts !== undefined || peerInfoRead(this.config.reporter, filterState)) {
      this.reportMessages(this.resolveFacts());
    }
    timer.enable(this.config.reportDurationMs, performance.now());
  }

  onStreamComplete(): void {
    this.timer?.disable();
    const { config, isGrpc } = this;
    const { streamInfo } = this.decoder;
    const facts = this.resolveFacts();
    if (isGrpc) this.reportMessages(facts);

    const values = config.metrics.overrides.evaluate(this.attributes());
    const status = isGrpc ? this.grpcStatus() : '';
    const { responseCode, responseFlags } = streamInfo;
    const key = `${facts.key}\n${isGrpc}\n${responseCode}\n${status}\n${responseFlags}`;
    const handles = config.metrics.handles(key, values, () => this.requestTags(facts, status));
    handles.add('requests_total', 1);
    handles.record('request_duration_milliseconds', 'ms', Math.floor(currentDurationMs(streamInfo)));
    handles.record('request_bytes', 'bytes', streamInfo.downstreamWireBytesReceived);
    handles.record('response_bytes', 'bytes', streamInfo.downstreamWireBytesSent);
    handles.recordCustom();
  }

  onDestroy(): void {
    this.timer?.disable();
  }

  private resolveFacts(): PeerFacts {
    const { reporter, hostHeaderFallback } = this.config;
    const { streamInfo, requestHeaders } = this.decoder;
    const host = hostHeaderFallback ? (requestHeaders.host ?? '') : '';
    return (this.facts ??= peerFacts(reporter, streamInfo, streamInfo.filterState, host));
  }

  /** Counts what grpc_stats has seen since the last time, with the labels known before the call's end. */
  private reportMessages(facts: PeerFacts): void {
    const object = this.decoder.streamInfo.filterState.get(GrpcStatsObject.key);
    if (!(object instanceof GrpcStatsObject)) return;
    const { metrics, reporter, local } = this.config;
    const values = metrics.overrides.evaluate(this.attributes());
    const handles = metrics.handles(`messages\n${facts.key}`, values, () => peerTags(reporter, facts, local));
    handles.add('request_messages_total', object.requestMessageCount - this.requestMessages);
    handles.add('response_messages_total', object.responseMessageCount - this.responseMessages);
    this.requestMessages = object.requestMessageCount;
    this.responseMessages = object.responseMessageCount;
  }

  private requestTags(facts: PeerFacts, grpcStatus: string): StatTag[] {
    const { responseCode, responseFlags } = this.decoder.streamInfo;
    return peerTags(this.config.reporter, facts, this.config.local).concat([
      { name: 'request_protocol', value: this.isGrpc ? 'grpc' : 'http' },
      { name: 'response_code', value: String(responseCode) },
      { name: 'grpc_response_status', value: grpcStatus },
      { name: 'response_flags', value: responseFlagsToShortString(responseFlags) },
      { name: 'connection_security_policy', value: facts.securityPolicy },
    ]);
  }

  private grpcStatus(): string {
    const { responseHeaders, streamInfo } = this.encoder;
    const status = getGrpcStatus(this.responseTrailers, responseHeaders, streamInfo.responseCode);
    return status === undefined ? '' : String(status);
  }

  private attributes(): AttributeContext {
    return {
      requestHeaders: this.decoder.requestHeaders,
      responseHeaders: this.encoder.responseHeaders,
      responseTrailers: this.responseTrailers,
      streamInfo: this.decoder.streamInfo,
    };
  }
}
