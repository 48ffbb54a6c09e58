// Istio's metrics of TCP connections: opened, closed, bytes; the bytes also while the connection lasts.
// Istio: the network half of source/extensions/filters/http/istio_stats/istio_stats.cc.

import {
  type ConnectionCallbacks,
  type ConnectionEvent,
  type NetworkFilter,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { FilterState } from '../../../../api/stream_info.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { responseFlagsToShortString } from '../../../../common/stream_info/response_flags.ts';
import type { IstioStatsConfig } from '../../http/stats/config.ts';
import type { MetricHandles } from '../../http/stats/istio_metrics.ts';
import { peerFacts, peerInfoRead } from '../../http/stats/peer_facts.ts';
import { peerTags } from '../../http/stats/peer_tags.ts';

export class IstioTcpStatsFilter implements NetworkFilter, ConnectionCallbacks, TimerOwner {
  private readonly config: IstioStatsConfig;
  private callbacks!: ReadFilterCallbacks;
  private timer: Timer | undefined = undefined;
  /** Undefined until the peer is known: the opening is reported with its labels, or at the end. */
  private handles: MetricHandles | undefined = undefined;
  private bytesSent = 0;
  private bytesReceived = 0;
  private ended = false;

  constructor(config: IstioStatsConfig) {
    this.config = config;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.callbacks = callbacks;
    callbacks.connection.addConnectionCallbacks(this);
  }

  onNewConnection(): NetworkFilterStatus {
    if (this.config.reportDurationMs > 0) {
      this.timer = new Timer(this);
      this.timer.enable(this.config.reportDurationMs, performance.now());
    }
    return NetworkFilterStatus.Continue;
  }

  onEvent(event: ConnectionEvent): void {
    if (event !== 'Connected') this.end();
  }

  onTimeout(timer: Timer): void {
    this.report(false);
    timer.enable(this.config.reportDurationMs, performance.now());
  }

  onDestroy(): void {
    this.end();
  }

  private end(): void {
    this.timer?.disable();
    this.timer = undefined;
    if (this.ended) return;
    this.ended = true;
    this.report(true);
    this.handles!.add('tcp_connections_closed_total', 1);
    this.handles!.recordCustom();
  }

  private report(end: boolean): void {
    const { streamInfo } = this.callbacks.connection;
    if (this.handles === undefined) {
      const state = this.peerState();
      if (!end && !peerInfoRead(this.config.reporter, state)) return;
      this.handles = this.findHandles(state);
      this.handles.add('tcp_connections_opened_total', 1);
    }
    const { bytesSent, bytesReceived } = streamInfo;
    this.handles.add('tcp_sent_bytes_total', bytesSent - this.bytesSent);
    this.handles.add('tcp_received_bytes_total', bytesReceived - this.bytesReceived);
    this.bytesSent = bytesSent;
    this.bytesReceived = bytesReceived;
  }

  /** A client's metadata exchange happens on the upstream connection. */
  private peerState(): FilterState {
    const { streamInfo } = this.callbacks.connection;
    const upstream = this.config.reporter === 'source' ? streamInfo.upstreamFilterState : undefined;
    return upstream ?? streamInfo.filterState;
  }

  private findHandles(state: FilterState): MetricHandles {
    const { metrics, reporter, local } = this.config;
    const { streamInfo } = this.callbacks.connection;
    const facts = peerFacts(reporter, streamInfo, state, '');
    const values = metrics.overrides.evaluate({
      requestHeaders: undefined,
      responseHeaders: undefined,
      responseTrailers: undefined,
      streamInfo,
    });
    const flags = responseFlagsToShortString(streamInfo.responseFlags, true);
    return metrics.handles(`tcp\n${facts.key}\n${flags}`, values, () =>
      peerTags(reporter, facts, local).concat([
        { name: 'request_protocol', value: 'tcp' },
        { name: 'response_flags', value: flags },
        { name: 'connection_security_policy', value: facts.securityPolicy },
      ]),
    );
  }
}
