// Holds a request that has no route, or whose route leads to a cluster that is not there, until the control plane has been asked for it:
// for its virtual host, for the routes of its scope, for the cluster. Then it goes on with what is there.
// Envoy: source/extensions/filters/http/on_demand/on_demand_update.cc.

import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap } from '../../../../api/http/header_map.ts';
import type { RouteDiscoveryWaiter } from '../../../../api/router.ts';
import type { ClusterDiscovery, ClusterDiscoveryWaiter } from '../../../../api/upstream/cluster_discovery.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';

export interface OnDemandSettings {
  /** Undefined: clusters are not asked for. */
  readonly discovery: ClusterDiscovery | undefined;
  readonly timeoutMs: number;
}

export class OnDemandFilter implements HttpFilter, TimerOwner, ClusterDiscoveryWaiter, RouteDiscoveryWaiter {
  private readonly settings: OnDemandSettings;
  private decoder!: StreamDecoderFilterCallbacks;
  private headers!: RequestHeaderMap;
  /** Ends the waiting for routes. */
  private stopRoutes: (() => void) | undefined = undefined;
  /** The cluster that is waited for, or ''. */
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
    this.headers = headers;
    if (decoder.route() === undefined) {
      this.stopRoutes = decoder.requestRouteConfigUpdate(this);
      if (this.stopRoutes === undefined) return FilterHeadersStatus.Continue;
      return FilterHeadersStatus.StopAllIterationAndWatermark;
    }
    return this.waitForCluster()
      ? FilterHeadersStatus.StopAllIterationAndWatermark
      : FilterHeadersStatus.Continue;
  }

  private waitForCluster(): boolean {
    const { decoder } = this;
    const { discovery, timeoutMs } = decoder.perFilterConfig<OnDemandSettings>() ?? this.settings;
    const entry = discovery && decoder.route()?.routeEntry;
    if (entry === undefined || decoder.clusterInfo() !== undefined) return false;
    const name = entry.clusterName(this.headers, decoder.streamId);
    if (name === '') return false;
    this.cluster = name;
    this.discovery = discovery;
    discovery!.request(name, this);
    this.timer = new Timer(this);
    this.timer.enable(timeoutMs, performance.now());
    return true;
  }

  /** Without a route still, the router will say so. */
  onRoutesDiscovered(): void {
    this.stopRoutes = undefined;
    this.decoder.refreshRouteConfig();
    if (!this.waitForCluster()) this.decoder.continueDecoding();
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
    this.stopRoutes?.();
    if (this.timer === undefined) return;
    this.discovery!.cancel(this.cluster, this);
    this.stopWaiting();
  }

  private stopWaiting(): void {
    this.timer?.disable();
    this.timer = undefined;
  }
}
