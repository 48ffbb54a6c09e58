// One request on a connection manager: from its head to its access log line. It is the filter chain's two ends: requests
// come in from the codec and responses leave to it; in between are the headers the proxy owns, the route, and the timeouts.
// Follows Envoy's source/common/http/conn_manager_impl.cc (ConnectionManagerImpl::ActiveStream).

import type { AccessLogType, LogContext } from '../../api/access_log.ts';
import type { CodecError, RequestDecoder, ResponseEncoder, StreamResetReason } from '../../api/http/codec.ts';
import type { LocalReplyOptions } from '../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap, TrailerMap } from '../../api/http/header_map.ts';
import type { Route, RouteConfig, RouteDiscoveryWaiter } from '../../api/router.ts';
import { ResponseFlag } from '../../api/stream_info.ts';
import type { Cluster } from '../../api/upstream/cluster.ts';
import { requestCapture } from '../capture/request_capture.ts';
import { monotonicNow, systemNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import { HTTP_STATS } from '../stats/families/http.ts';
import { downstreamResetFlag } from '../stream_info/response_flags.ts';
import { StreamInfoRecord } from '../stream_info/stream_info.ts';
import { type ActiveStreamTracing, traceRequest } from '../tracing/stream_tracing.ts';
import type { ConnectionManager } from './conn_manager.ts';
import { mutateResponseHeaders } from './conn_manager_response.ts';
import { mutateRequestHeaders, normalizeHost } from './conn_manager_utility.ts';
import { FilterManager } from './filter_manager.ts';
import { streamDuration } from './grpc_timeout.ts';
import { RequestHeaders, ResponseHeaders } from './header_map.ts';
import { isTunnel, reasonPhrase, shouldCloseConnection, upgradeType } from './headers.ts';
import { DEADLINE_EXCEEDED } from './local_reply.ts';
import { checkPath } from './normalize_path.ts';
import { reportStreamFailure } from './stream_failure.ts';

const STAT = HTTP_STATS.offset;
/** Random ids stay safe integers. */
const RANDOM_RANGE = 2 ** 53;

export class ActiveStream extends FilterManager implements RequestDecoder, LogContext, TimerOwner {
  readonly streamInfo: StreamInfoRecord;
  readonly streamId: number = Math.floor(Math.random() * RANDOM_RANGE);
  bufferLimit: number;
  /** The upgrade type the request asks for (lower-case), or ''. */
  upgrade = '';
  localReplyBody = '';
  accessLogType: AccessLogType = 'NotSet';
  /** Its request was that of another stream: what was to be cleaned in it has been. */
  recreated = false;
  /** In the manager's list of streams. */
  position: number;
  private readonly manager: ConnectionManager;
  private readonly encoder: ResponseEncoder;
  /** Routes as they were when the request came: a stream keeps the snapshot it began with, unless it waits for more. */
  private routeConfig: RouteConfig | undefined;
  private cachedRoute: Route | undefined = undefined;
  private routeMatched = false;
  private responseStarted = false;
  private chainCreated = false;
  private idleTimer: Timer | undefined = undefined;
  private requestTimer: Timer | undefined = undefined;
  private headersTimer: Timer | undefined = undefined;
  private durationTimer: Timer | undefined = undefined;
  private logTimer: Timer | undefined = undefined;
  private tracing: ActiveStreamTracing | undefined = undefined;
  private idleTimeoutMs: number;
  /** HTTP/2: `ended` while the end of the response waits for the client's windows. */
  private encoding: 'open' | 'ended' | 'complete' = 'open';

  constructor(manager: ConnectionManager, encoder: ResponseEncoder, position: number) {
    super();
    const config = manager.config;
    this.position = position;
    this.manager = manager;
    this.encoder = encoder;
    this.bufferLimit = config.bufferLimit;
    this.routeConfig = config.routes.current;
    this.idleTimeoutMs = config.streamIdleTimeoutMs;
    const now = monotonicNow();
    this.streamInfo = new StreamInfoRecord(manager.connection.info, systemNow(), now);
    this.streamInfo.protocol = manager.codec?.protocol ?? 'HTTP/1.1';
    const { values, base } = config.stats;
    values[base + STAT.downstream_rq_total]++;
    values[base + STAT.downstream_rq_active]++;
    values[base + (manager.isHttp2 ? STAT.downstream_rq_http2_total : STAT.downstream_rq_http1_total)]++;
    if (config.requestTimeoutMs > 0)
      (this.requestTimer = new Timer(this)).enable(config.requestTimeoutMs, now);
    if (config.requestHeadersTimeoutMs > 0)
      (this.headersTimer = new Timer(this)).enable(config.requestHeadersTimeoutMs, now);
    if (config.maxStreamDurationMs > 0)
      (this.durationTimer = new Timer(this)).enable(config.maxStreamDurationMs, now);
  }

  // ---- request -------------------------------------------------------------------------------------------------------

  onRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    this.requestHeaders = headers;
    this.requestComplete = endStream;
    this.headersTimer?.disable();
    try {
      this.handleRequestHeaders(headers, endStream);
    } catch (error) {
      this.onFailure(error);
    }
  }

  private handleRequestHeaders(headers: RequestHeaderMap, endStream: boolean): void {
    const { config, connection } = this.manager;
    const info = this.streamInfo;
    info.protocol = this.manager.codec?.protocol ?? 'HTTP/1.1';
    if (endStream) this.onRequestComplete();
    if (info.protocol !== 'HTTP/2' && shouldCloseConnection(info.protocol === 'HTTP/1.0', headers))
      this.manager.closeAfterStream();
    if (!config.proxy100Continue && headers.get('expect')?.toLowerCase() === '100-continue') {
      // RFC 9110 10.1.1: we answer for the upstream, and it must not be asked a second time.
      this.encodeInterim(new ResponseHeaders(100));
      headers.remove('expect');
    }
    if (headers.host === undefined) {
      this.manager.closeAfterStream();
      this.sendLocalReply(400, '', 'missing_host_header');
      return;
    }
    if (!checkPath(this, this.manager, headers)) return;
    normalizeHost(headers, config, connection.info);
    if (!this.recreated) mutateRequestHeaders(headers, info, config, connection.info, this.routeConfig);
    this.upgrade = upgradeType(headers);

    const route = this.route();
    if (config.tracing !== undefined)
      this.tracing = traceRequest(config.tracing, headers, info, route, config.packTraceReason);
    let entries = config.filters;
    // Without a route the router answers, as for any request.
    if (route === undefined) this.upgrade = '';
    if (this.upgrade !== '') {
      const upgrade = config.upgrades.get(this.upgrade);
      const allowed = route?.routeEntry?.upgradeEnabled(this.upgrade) ?? upgrade?.enabled ?? false;
      if (!allowed) {
        config.stats.values[config.stats.base + STAT.downstream_rq_ws_on_non_ws_route]++;
        this.upgrade = '';
        this.manager.drainAfterUpgrade();
        this.sendLocalReply(403, '', 'upgrade_failed');
        return;
      }
      entries = upgrade?.filters ?? entries;
      config.stats.values[config.stats.base + STAT.downstream_cx_upgrades_total]++;
      config.stats.values[config.stats.base + STAT.downstream_cx_upgrades_active]++;
    }
    const complete = this.createFilterChain(entries, (name) => route?.filterDisabled(name));
    this.chainCreated = complete;
    if (!complete) {
      info.responseFlags |= ResponseFlag.NoFilterConfigFound;
      this.sendLocalReply(500, '', 'filter_config_not_available');
      return;
    }
    if (config.flushAccessLogOnNewRequest) {
      this.noteCluster();
      this.log('DownstreamStart');
    }
    if (config.accessLogFlushIntervalMs > 0)
      (this.logTimer = new Timer(this)).enable(config.accessLogFlushIntervalMs, monotonicNow());
    this.decodeHeaders(0);
    if (!this.destroyed) this.touch();
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.streamInfo.bytesReceived += end - start;
    if (endStream) {
      this.requestComplete = true;
      this.onRequestComplete();
    }
    if (this.destroyed || this.responseComplete) return;
    this.touch();
    try {
      this.decodeData(0, bytes, start, end, endStream);
    } catch (error) {
      this.onFailure(error);
    }
  }

  onRequestTrailers(trailers: TrailerMap): void {
    this.requestTrailers = trailers;
    this.requestComplete = true;
    this.onRequestComplete();
    if (this.destroyed || this.responseComplete) return;
    try {
      this.decodeTrailers(0);
    } catch (error) {
      this.onFailure(error);
    }
  }

  private onRequestComplete(): void {
    this.streamInfo.downstreamRxComplete = monotonicNow();
    this.requestTimer?.disable();
  }

  /** The client is gone, or reset the stream. A local reset: it did not take the rest of the answer in time. */
  onResetStream(reason: StreamResetReason, details: string): void {
    if (this.destroyed) return;
    if (reason === 'LocalReset') {
      this.finish();
      return;
    }
    const { stats } = this.manager.config;
    stats.values[stats.base + STAT.downstream_rq_rx_reset]++;
    const info = this.streamInfo;
    info.responseFlags |= downstreamResetFlag(reason);
    if (details !== '') info.responseCodeDetails = details;
    this.finish();
  }

  /** The codec gave up on this request: answer if that is still possible. */
  onCodecError(error: CodecError): void {
    if (this.destroyed) return;
    this.streamInfo.responseFlags |= ResponseFlag.DownstreamProtocolError;
    if (this.responseStarted || error.status === 0) {
      this.streamInfo.responseCodeDetails = error.responseCodeDetails;
      return;
    }
    // A head that could not be read: there is nothing to route, the filters never see it.
    this.requestHeaders ??= new RequestHeaders();
    this.sendLocalReply(error.status, reasonPhrase(error.status), error.responseCodeDetails);
  }

  // ---- response ------------------------------------------------------------------------------------------------------

  /** The upstream's, which is passed on only where `proxy_100_continue` says so: else we have answered already. */
  encodeInformationalHeaders(headers: ResponseHeaderMap): void {
    if (this.destroyed || this.responseStarted || !this.manager.config.proxy100Continue) return;
    this.encodeInterim(headers);
  }

  private encodeInterim(headers: ResponseHeaderMap): void {
    this.manager.config.responseCodes.charge(headers.status);
    this.encoder.encodeInformationalHeaders(headers);
  }

  protected encodeHeadersToCodec(headers: ResponseHeaderMap, endStream: boolean): void {
    const { manager } = this;
    const info = this.streamInfo;
    mutateResponseHeaders(headers, this.requestHeaders, this.upgrade !== '', manager.config);
    this.tracing?.onResponseHeaders(headers);
    this.responseStarted = true;
    info.responseCode = headers.status;
    if (!this.requestComplete) this.onEarlyResponse();
    if (manager.shouldClose() && info.protocol !== 'HTTP/2' && !(this.upgrade !== '' && headers.status < 300))
      headers.set('connection', 'close');
    // HTTP/1.0 closes unless it is told otherwise.
    else if (info.protocol === 'HTTP/1.0') headers.set('connection', 'keep-alive');
    manager.config.responseCodes.charge(headers.status);
    const now = monotonicNow();
    info.downstreamTxFirstByte = now;
    this.encoder.encodeHeaders(headers, endStream);
    if (this.upgrade !== '' && manager.config.flushAccessLogOnTunnel && isTunnel(headers.status))
      this.log('DownstreamTunnelSuccessfullyEstablished');
    if (endStream) this.endStream(now);
    else this.touch();
  }

  /** The answer comes before the request's end: on HTTP/1 the rest could not be told from a next request. */
  private onEarlyResponse(): void {
    const { stats } = this.manager.config;
    stats.values[stats.base + STAT.downstream_rq_response_before_rq_complete]++;
    this.manager.closeAfterStream();
  }

  protected encodeDataToCodec(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.streamInfo.bytesSent += end - start;
    this.encoder.encodeData(bytes, start, end, endStream);
    if (endStream) this.endStream(monotonicNow());
    else this.touch();
  }

  protected encodeTrailersToCodec(trailers: TrailerMap): void {
    this.encoder.encodeTrailers(trailers);
    this.endStream(monotonicNow());
  }

  protected countDataTooLarge(stat: 'downstream_rq_too_large' | 'rs_too_large'): void {
    const { stats } = this.manager.config;
    stats.values[stats.base + STAT[stat]]++;
  }

  sendLocalReply(code: number, body: string, details: string, options?: LocalReplyOptions): void {
    if (this.destroyed) return;
    const { manager } = this;
    if (this.responseStarted) {
      // The status line has gone: all that is left is to break off, so that the client does not take this for a whole answer.
      this.resetStream(details);
      return;
    }
    const info = this.streamInfo;
    info.responseCodeDetails = details;
    if (info.upstreamCluster === undefined) this.noteCluster();
    const reply = manager.config.localReply.create(this, code, body, this.requestHeaders, options);
    this.localReplyBody = reply.body;
    this.decodingData = undefined;
    this.encodingData = undefined;
    this.responseComplete = false;
    if (reply.bytes.length === 0 || this.requestHeaders.method === 'HEAD') {
      this.encodeHeaders(reply.headers, true);
      return;
    }
    this.encodeHeaders(reply.headers, false);
    if (!this.destroyed) this.encodeData(reply.bytes, 0, reply.bytes.length, true);
  }

  /** Ends here and begins anew, with the request's headers as they are now. False where not all of the request has come. */
  recreateStream(response: ResponseHeaderMap, body: Uint8Array | undefined): boolean {
    if (this.destroyed || !this.requestComplete) return false;
    this.responseHeaders = response;
    this.streamInfo.responseCodeDetails = 'internal_redirect';
    this.streamInfo.responseCode = response.status;
    const next = this.manager.recreateStream(this.encoder, this.streamInfo);
    this.finish();
    next.onRequestHeaders(this.requestHeaders, body === undefined);
    if (body !== undefined) next.onData(body, 0, body.length, true);
    return true;
  }

  /** Breaks the stream off. */
  resetStream(details: string): void {
    if (this.destroyed) return;
    const { stats } = this.manager.config;
    stats.values[stats.base + STAT.downstream_rq_tx_reset]++;
    // Envoy hears of its own reset as of the client's.
    stats.values[stats.base + STAT.downstream_rq_rx_reset]++;
    if (details !== '') this.streamInfo.responseCodeDetails = details;
    this.manager.closeAfterStream();
    this.encoder.resetStream('LocalReset');
    this.finish();
  }

  private endStream(now: number): void {
    if (!this.requestComplete) {
      // Whatever is left of the request is refused, which counts as its reset.
      const { stats } = this.manager.config;
      stats.values[stats.base + STAT.downstream_rq_rx_reset]++;
    }
    if (!this.manager.isHttp2 || this.encoding === 'complete') {
      this.streamInfo.downstreamTxLastByte = now;
      this.finish();
      return;
    }
    this.encoding = 'ended';
    // From now on the codec watches over it.
    this.idleTimer?.disable();
  }

  /** HTTP/2: the last byte of the response has gone to the connection, and the rest of the request is refused. */
  onCodecEncodeComplete(): void {
    const { encoding } = this;
    this.encoding = 'complete';
    if (encoding !== 'ended') return;
    this.streamInfo.downstreamTxLastByte = monotonicNow();
    this.finish();
  }

  /** The end of every stream, exactly once: filters, access log, stats, timers. */
  private finish(): void {
    if (this.destroyed) return;
    const { config } = this.manager;
    const now = monotonicNow();
    this.streamInfo.requestComplete = now;
    this.idleTimer?.disable();
    this.requestTimer?.disable();
    this.headersTimer?.disable();
    this.durationTimer?.disable();
    this.logTimer?.disable();
    if (this.streamInfo.upstreamCluster === undefined) this.noteCluster();
    this.manager.countWireBytes(this.streamInfo, this.encoder.bytesMeter);
    this.completeFilters();
    this.tracing?.finish(this);
    if (config.accessLogs.length > 0) this.log('DownstreamEnd');
    const { responseFlags, responseCode, startTimeMonotonic } = this.streamInfo;
    const took = now - startTimeMonotonic;
    if (requestCapture.wants(responseFlags, responseCode, took)) requestCapture.offer(this, took);
    this.destroyed = true;
    this.destroyFilters();
    const { values, base } = config.stats;
    values[base + STAT.downstream_rq_active]--;
    if (this.upgrade !== '' && this.chainCreated) values[base + STAT.downstream_cx_upgrades_active]--;
    config.stats.record(STAT.downstream_rq_time, took);
    this.manager.streamEnded(this);
  }

  private log(type: AccessLogType): void {
    this.accessLogType = type;
    if (type !== 'DownstreamEnd') this.manager.countWireBytes(this.streamInfo, this.encoder.bytesMeter);
    const logs = this.manager.config.accessLogs;
    for (let i = 0; i < logs.length; i++) logs[i].log(this);
  }

  // ---- route ---------------------------------------------------------------------------------------------------------

  route(): Route | undefined {
    if (!this.routeMatched) this.matchRoute();
    return this.cachedRoute;
  }

  private matchRoute(): void {
    this.routeMatched = true;
    const info = this.streamInfo;
    const route = (this.cachedRoute = this.routeConfig?.route(this.requestHeaders, info, this.streamId));
    if (route === undefined) return;
    route.countHit(1);
    info.route = route;
    info.routeName = route.name;
    info.virtualHostName = route.virtualHostName;
    const entry = route.routeEntry;
    if (entry?.idleTimeoutMs !== undefined) this.idleTimeoutMs = entry.idleTimeoutMs;
    if (entry?.flushTimeoutMs !== undefined) this.encoder.setFlushTimeout?.(entry.flushTimeoutMs);
    const duration = entry && streamDuration(entry, this.requestHeaders);
    if (duration === undefined) return;
    this.durationTimer ??= new Timer(this);
    if (duration > 0) this.durationTimer.enable(duration, info.startTimeMonotonic);
    else this.durationTimer.disable();
  }

  /** Formats may name the cluster that a request was meant for, even when it did not get there. */
  private noteCluster(): void {
    if (this.cachedRoute === undefined) return;
    const info = this.streamInfo;
    info.upstreamCluster = this.clusterInfo();
    info.upstreamClusterName = info.upstreamCluster?.name ?? '';
  }

  clearRouteCache(): void {
    this.routeMatched = false;
    this.cachedRoute?.countHit(-1);
    this.cachedRoute = undefined;
  }

  requestRouteConfigUpdate(waiter: RouteDiscoveryWaiter): (() => void) | undefined {
    return this.routeConfig?.discover?.(this.requestHeaders, waiter);
  }

  refreshRouteConfig(): void {
    this.routeConfig = this.manager.config.routes.current;
    this.clearRouteCache();
  }

  clusterInfo(): Cluster | undefined {
    const entry = this.route()?.routeEntry;
    if (entry === undefined) return undefined;
    return this.manager.config.clusterManager.getCluster(
      entry.clusterName(this.requestHeaders, this.streamId),
    );
  }

  // ---- timers and backpressure -----------------------------------------------------------------------------------------

  /** Something moved: the idle timeout starts anew. */
  private touch(): void {
    if (this.idleTimeoutMs === 0 || this.destroyed || this.encoding === 'ended') return;
    this.idleTimer ??= new Timer(this);
    this.idleTimer.enable(this.idleTimeoutMs, monotonicNow());
  }

  onTimeout(timer: Timer): void {
    const { stats } = this.manager.config;
    const info = this.streamInfo;
    if (timer === this.logTimer) {
      this.log('DownstreamPeriodic');
      timer.enable(this.manager.config.accessLogFlushIntervalMs, monotonicNow());
      return;
    }
    if (timer === this.idleTimer) {
      stats.values[stats.base + STAT.downstream_rq_idle_timeout]++;
      info.responseFlags |= ResponseFlag.StreamIdleTimeout;
      this.requestHeaders ??= new RequestHeaders();
      if (this.responseStarted) this.resetStream('stream_idle_timeout');
      else this.sendLocalReply(this.requestComplete ? 504 : 408, 'stream timeout', 'stream_idle_timeout');
      return;
    }
    if (timer === this.headersTimer) {
      stats.values[stats.base + STAT.downstream_rq_header_timeout]++;
      this.requestHeaders ??= new RequestHeaders();
      this.sendLocalReply(408, 'request header timeout', 'request_header_timeout');
      return;
    }
    if (timer === this.requestTimer) {
      stats.values[stats.base + STAT.downstream_rq_timeout]++;
      this.requestHeaders ??= new RequestHeaders();
      this.sendLocalReply(408, 'request timeout', 'request_overall_timeout');
      return;
    }
    stats.values[stats.base + STAT.downstream_rq_max_duration_reached]++;
    this.requestHeaders ??= new RequestHeaders();
    const code = this.requestComplete ? 504 : 408;
    this.sendLocalReply(code, 'downstream duration timeout', 'max_duration_timeout', DEADLINE_EXCEEDED);
  }

  readDisable(disable: boolean): void {
    this.encoder.readDisable(disable);
  }

  /** A filter threw: that is our bug, and it costs this stream only. */
  private onFailure(error: unknown): void {
    reportStreamFailure(error);
    if (!this.destroyed) this.sendLocalReply(500, 'Internal Server Error', 'filter_chain_exception');
  }
}
