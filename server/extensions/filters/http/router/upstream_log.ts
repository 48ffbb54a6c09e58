// The router's upstream_log: what each attempt comes to, in lines of its own: at its end, and at the moments that
// upstream_log_options ask for. Envoy: UpstreamRequest in source/common/router/upstream_request.cc (upstreamLog, cleanUp).

import type { AccessLog, AccessLogType, LogContext } from '../../../../api/access_log.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../../../api/http/header_map.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import type { UpstreamProtocol } from '../../../../common/conn_pool/http_conn_pool.ts';
import type { UpstreamConnection } from '../../../../common/conn_pool/upstream_connection.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { StreamInfoRecord } from '../../../../common/stream_info/stream_info.ts';
import type { Host } from '../../../../common/upstream/host.ts';
import { noteConnection } from './upstream_info.ts';

export interface UpstreamLogSettings {
  readonly logs: readonly AccessLog[];
  /** A line too when there is a connection. */
  readonly onPoolReady: boolean;
  /** ms between lines; 0 = none. */
  readonly intervalMs: number;
}

/** The logs of a router that has some. Loaded with the first. */
export class UpstreamLogs {
  private readonly settings: UpstreamLogSettings;

  constructor(settings: UpstreamLogSettings) {
    this.settings = settings;
  }

  /** An attempt at `host` begins. */
  begin(host: Host, headers: RequestHeaderMap, info: StreamInfo): UpstreamLog {
    return new UpstreamLog(this.settings, host, headers, info);
  }
}

/** Of one attempt: its stream info is its own, as far as the attempt knows more than its request. */
export class UpstreamLog implements LogContext, TimerOwner {
  readonly requestHeaders: RequestHeaderMap;
  responseHeaders: ResponseHeaderMap | undefined = undefined;
  responseTrailers: TrailerMap | undefined = undefined;
  readonly streamInfo: StreamInfo;
  readonly localReplyBody = '';
  accessLogType: AccessLogType = 'UpstreamEnd';
  private readonly settings: UpstreamLogSettings;
  private readonly downstream: StreamInfo;
  private readonly host: Host;
  private timer: Timer | undefined = undefined;

  constructor(settings: UpstreamLogSettings, host: Host, headers: RequestHeaderMap, info: StreamInfo) {
    this.settings = settings;
    this.downstream = info;
    this.host = host;
    this.requestHeaders = headers;
    this.streamInfo = attemptInfo(info, host);
    if (settings.intervalMs === 0) return;
    this.timer = new Timer(this);
    this.timer.enable(settings.intervalMs, monotonicNow());
  }

  onReady(upstream: UpstreamConnection, protocol: UpstreamProtocol): void {
    const { streamInfo } = this;
    noteConnection(streamInfo, this.host, upstream, protocol);
    streamInfo.protocol = protocol;
    streamInfo.firstUpstreamTxByte = streamInfo.lastUpstreamTxByte = monotonicNow();
    if (this.settings.onPoolReady) this.write('UpstreamPoolReady');
  }

  onResponseHeaders(headers: ResponseHeaderMap): void {
    this.responseHeaders = headers;
    this.streamInfo.responseCode = headers.status;
    this.streamInfo.firstUpstreamRxByte = monotonicNow();
  }

  onData(bytes: number): void {
    this.streamInfo.bytesReceived += bytes;
  }

  onResponseTrailers(trailers: TrailerMap): void {
    this.responseTrailers = trailers;
  }

  /** `flag`: of the response flags. `transportFailure`: why there is no connection. */
  onReset(flag: number, transportFailure: string): void {
    this.streamInfo.responseFlags |= flag;
    this.streamInfo.upstreamTransportFailureReason = transportFailure;
  }

  onTimeout(): void {
    this.write('UpstreamPeriodic');
    this.timer!.enable(this.settings.intervalMs, monotonicNow());
  }

  /** The attempt is over. */
  finish(): void {
    this.timer?.disable();
    this.streamInfo.requestComplete = this.streamInfo.lastUpstreamRxByte = monotonicNow();
    this.write('UpstreamEnd');
  }

  private write(type: AccessLogType): void {
    this.accessLogType = type;
    // What went up came from the client.
    if (this.streamInfo.upstreamConnection !== undefined)
      this.streamInfo.bytesSent = this.downstream.bytesReceived;
    for (const log of this.settings.logs) log.log(this);
  }
}

/** What an attempt inherits of its request. */
function attemptInfo(info: StreamInfo, host: Host): StreamInfo {
  const own = new StreamInfoRecord(info.connection, Date.now(), monotonicNow());
  own.remoteAddress = info.remoteAddress;
  own.downstreamRxComplete = info.downstreamRxComplete;
  own.route = info.route;
  own.routeName = info.routeName;
  own.virtualHostName = info.virtualHostName;
  own.upstreamCluster = info.upstreamCluster;
  own.upstreamClusterName = info.upstreamClusterName;
  own.upstreamHost = host;
  own.healthCheck = info.healthCheck;
  own.requestId = info.requestId;
  own.traceId = info.traceId;
  own.tracing = info.tracing;
  own.dynamicMetadata = info.dynamicMetadata;
  return own;
}
