// Tells the upstream TLS socket to offer Istio's ALPN (`istio-h2`, ...), so that the other sidecar knows its peer is one.
// Istio: source/extensions/filters/http/alpn/alpn_filter.cc.

import {
  FilterHeadersStatus,
  type HttpFilter,
  type StreamDecoderFilterCallbacks,
} from '../../../../api/http/filter.ts';
import type { StreamInfo } from '../../../../api/stream_info.ts';
import type { Cluster } from '../../../../api/upstream/cluster.ts';
import { ApplicationProtocols } from '../../../../common/stream_info/filter_state.ts';

/** What to offer by the protocol spoken with the upstream. The objects are shared by all streams. */
export interface AlpnOverrides {
  readonly http11: ApplicationProtocols | undefined;
  readonly http2: ApplicationProtocols | undefined;
}

const READ_ONLY = { readOnly: true } as const;

export class AlpnFilter implements HttpFilter {
  private readonly overrides: AlpnOverrides;
  private callbacks!: StreamDecoderFilterCallbacks;

  constructor(overrides: AlpnOverrides) {
    this.overrides = overrides;
  }

  setDecoderFilterCallbacks(callbacks: StreamDecoderFilterCallbacks): void {
    this.callbacks = callbacks;
  }

  decodeHeaders(): FilterHeadersStatus {
    const { callbacks } = this;
    if (callbacks.route()?.routeEntry === undefined) return FilterHeadersStatus.Continue;
    const cluster = callbacks.clusterInfo();
    // Istio's metadata of a cluster may switch the override off.
    if (cluster === undefined || cluster.metadata?.['istio']?.['alpn_override'] === 'false') {
      return FilterHeadersStatus.Continue;
    }
    const { streamInfo } = callbacks;
    const override = upstreamIsHttp2(cluster, streamInfo) ? this.overrides.http2 : this.overrides.http11;
    if (override !== undefined) streamInfo.filterState.set(ApplicationProtocols.key, override, READ_ONLY);
    return FilterHeadersStatus.Continue;
  }
}

/** The protocol the upstream will be offered first. Envoy: ClusterInfo::upstreamHttpProtocol. */
function upstreamIsHttp2(cluster: Cluster, { protocol }: StreamInfo): boolean {
  switch (cluster.features.upstreamProtocol) {
    case 'http1':
      return false;
    case 'downstream':
      return protocol === 'HTTP/2' || protocol === 'HTTP/3';
    default:
      return true;
  }
}
