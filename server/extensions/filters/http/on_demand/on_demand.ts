// Holds a request whose route leads to a cluster that is not there until the control plane has been asked for it.
// Envoy: source/extensions/filters/http/on_demand/on_demand_update_filter.cc.

import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { ClusterDiscovery, ClusterDiscoveryWaiter } from '../../../../api/upstream/cluster_discovery.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';

export interface OnDemandSettings {
  /** Undefined: clusters are not asked for. */
  readonly discovery: ClusterDiscovery | undefined;
  readonly timeoutMs: number;
}

export class OnDemandFilter implements HttpFilter, TimerOwner, ClusterDiscoveryWaiter {
  private readonly settings: OnDemandSettings;
  private decoder!: StreamDecoderFilterCallbacks;
  /** What is waited for, or ''. */
  private cluster = '';
  private discovery: ClusterDiscovery | undefined = undefined;
  private timer: Timer | undefined = undefined;

  constructor(settings: OnDemandSettings) {
    this.settings = settings;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.decoder = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    const { decoder } = this;
    const { discovery, timeoutMs } = decoder.perFilterConfig<OnDemandSettings>() ?? this.settings;
    const entry = discovery && decoder.route()?.routeEntry;
    if (entry === undefined || decoder.clusterInfo() !== undefined) return FilterHeadersStatus.Continue;
    const name = entry.clusterName(headers, decoder.streamId);
    if (name === '') return FilterHeadersStatus.Continue;
    this.cluster = name;
    this.discovery = discovery;
    discovery!.request(name, this);
    this.timer = new Timer(this);
    this.timer.enable(timeoutMs, performance.now());
    return FilterHeadersStatus.StopAllIterationAndWatermark;
  }

  onClusterDiscovered(): void {
    this.stopWaiting();
    this.decoder.continueDecoding();
  }

  /** The router will say that there is no such cluster. */
  onTimeout(): void {
    this.discovery!.cancel(this.cluster, this);
    this.stopWaiting();
    this.decoder.continueDecoding();
  }

  onDestroy(): void {
    if (this.timer === undefined) return;
    this.discovery!.cancel(this.cluster, this);
    this.stopWaiting();
  }

  private stopWaiting(): void {
    this.timer?.disable();
    this.timer = undefined;
  }
}
