// What a balancer may know of a TCP connection. Envoy: TcpProxy::Filter as LoadBalancerContext (source/common/tcp_proxy/tcp_proxy.h).

import type { ConnectionInfo, StreamInfo } from '../../../../api/stream_info.ts';
import type { LoadBalancerContext } from '../../../../api/upstream/cluster.ts';
import type { TcpHash } from './config.ts';

export class TcpLoadBalancerContext implements LoadBalancerContext {
  /** Connections are not retried by priority. */
  readonly excludedPriorities = undefined;
  readonly overrideHost = undefined;
  readonly downstreamHeaders = undefined;
  readonly downstreamConnection: ConnectionInfo;
  readonly requestStreamInfo: StreamInfo;
  readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  readonly hostSelectionRetryCount = 0;
  private readonly hash: TcpHash | undefined;

  constructor(
    info: StreamInfo,
    metadataMatch: Readonly<Record<string, unknown>> | undefined,
    hash: TcpHash | undefined,
  ) {
    this.downstreamConnection = info.connection;
    this.requestStreamInfo = info;
    this.metadataMatch = metadataMatch;
    this.hash = hash;
  }

  hashKey(): bigint | undefined {
    return this.hash?.(this.requestStreamInfo);
  }

  shouldSelectAnotherHost(): boolean {
    return false;
  }
}
