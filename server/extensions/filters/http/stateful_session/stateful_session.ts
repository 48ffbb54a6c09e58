// Requests of a session go to the host that the session began with. Envoy: source/extensions/filters/http/stateful_session.

import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { SessionState } from '../../../../api/http/stateful_session.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { ResponseFlag } from '../../../../api/stream_info.ts';
import {
  STATEFUL_SESSION_STATS,
  type StatefulSessionRouteSettings,
  type StatefulSessionSettings,
} from './config.ts';

const STAT = STATEFUL_SESSION_STATS.offset;

export class StatefulSessionFilter implements HttpFilter {
  private readonly configured: StatefulSessionSettings;
  private readonly stats: StatBlock | undefined;
  private callbacks!: StreamDecoderFilterCallbacks;
  /** Undefined where the route switched the filter off. */
  private settings: StatefulSessionSettings | undefined = undefined;
  private session: SessionState | undefined = undefined;

  constructor(settings: StatefulSessionSettings, stats: StatBlock | undefined) {
    this.configured = settings;
    this.stats = stats;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  decodeHeaders(headers: RequestHeaderMap): FilterHeadersStatus {
    const route = this.callbacks.perFilterConfig<StatefulSessionRouteSettings>();
    const settings = route === undefined ? this.configured : route.settings;
    this.settings = settings;
    const session = settings?.sessions?.create(headers);
    this.session = session;
    if (session?.upstreamAddress === undefined) return FilterHeadersStatus.Continue;
    const { strict, notFoundStatus } = settings!;
    this.callbacks.streamInfo.upstreamOverrideHost = {
      address: session.upstreamAddress,
      strict,
      notFoundStatus,
    };
    return FilterHeadersStatus.Continue;
  }

  encodeHeaders(headers: ResponseHeaderMap): FilterHeadersStatus {
    const { settings, session } = this;
    if (settings === undefined) return FilterHeadersStatus.Continue;
    const { upstreamHost, responseFlags } = this.callbacks.streamInfo;
    if (upstreamHost === undefined) {
      const nobody = (responseFlags & ResponseFlag.NoHealthyUpstream) !== 0;
      if (session !== undefined && settings.strict && nobody) this.count(STAT.failed_closed);
    } else if (session === undefined) this.count(STAT.no_session);
    else if (!session.onUpdate(upstreamHost.address.text, headers)) this.count(STAT.routed);
    else if (!settings.strict) this.count(STAT.failed_open);
    return FilterHeadersStatus.Continue;
  }

  private count(stat: number): void {
    // What a route configures for itself is not counted.
    if (this.stats !== undefined && this.settings === this.configured)
      this.stats.values[this.stats.base + stat]++;
  }
}
