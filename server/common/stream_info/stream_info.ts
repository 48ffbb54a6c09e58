// The facts of one stream, one plain object: every field is set in the constructor, so that all streams share one shape.
// Envoy: source/common/stream_info/stream_info_impl.h, source/common/network/socket_impl.h (ConnectionInfoSetterImpl).

import type { Route } from '../../api/router.ts';
import type {
  Address,
  ConnectionInfo,
  FilterState,
  SslConnectionInfo,
  StreamInfo,
} from '../../api/stream_info.ts';
import type { StreamTracing } from '../../api/tracing.ts';
import type { Cluster, OverrideHost } from '../../api/upstream/cluster.ts';
import type { HostDescription } from '../../api/upstream/host.ts';
import { FilterStateMap } from './filter_state.ts';

const NO_PROTOCOLS: readonly string[] = [];

/** What all streams of a downstream connection share. */
export class ConnectionInfoRecord implements ConnectionInfo {
  readonly id: number;
  readonly directRemoteAddress: Address;
  /** The address the socket was accepted on, whatever listener filters say later. */
  readonly directLocalAddress: Address;
  remoteAddress: Address;
  localAddress: Address;
  localAddressRestored: boolean;
  requestedServerName: string;
  requestedApplicationProtocols: readonly string[];
  detectedTransportProtocol: string;
  ssl: SslConnectionInfo | undefined;
  downstreamTransportFailureReason: string;
  readonly listenerName: string;
  filterChainName: string;
  filterChainMetadata: ConnectionInfo['filterChainMetadata'];
  detectedCloseType: ConnectionInfo['detectedCloseType'];
  localCloseReason: string;
  /** Wall-clock ms, and `performance.now()` ms. */
  readonly startTime: number;
  readonly startTimeMonotonic: number;
  private filterStateMap: FilterState | undefined;
  private ownStreamInfo: StreamInfo | undefined;

  constructor(
    id: number,
    remoteAddress: Address,
    localAddress: Address,
    listenerName: string,
    startTime = 0,
    startTimeMonotonic = 0,
  ) {
    this.startTime = startTime;
    this.startTimeMonotonic = startTimeMonotonic;
    this.ownStreamInfo = undefined;
    this.id = id;
    this.directRemoteAddress = remoteAddress;
    this.directLocalAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.localAddress = localAddress;
    this.localAddressRestored = false;
    this.requestedServerName = '';
    this.requestedApplicationProtocols = NO_PROTOCOLS;
    this.detectedTransportProtocol = '';
    this.ssl = undefined;
    this.downstreamTransportFailureReason = '';
    this.listenerName = listenerName;
    this.filterChainName = '';
    this.filterChainMetadata = undefined;
    this.detectedCloseType = 'Normal';
    this.localCloseReason = '';
    this.filterStateMap = undefined;
  }

  get filterState(): FilterState {
    return (this.filterStateMap ??= new FilterStateMap(undefined));
  }

  get concernsUpstream(): boolean {
    return this.filterStateMap?.concernsUpstream === true;
  }

  /** The connection as network filters and its access log see it. */
  get streamInfo(): StreamInfo {
    return (this.ownStreamInfo ??= new ConnectionStreamInfoRecord(
      this,
      this.startTime,
      this.startTimeMonotonic,
    ));
  }
}

/** The facts of one HTTP request, or of a connection as network filters see it. */
export class StreamInfoRecord implements StreamInfo {
  readonly connection: ConnectionInfo;
  startTime: number;
  startTimeMonotonic: number;
  downstreamRxComplete: number;
  firstUpstreamTxByte: number;
  lastUpstreamTxByte: number;
  firstUpstreamRxByte: number;
  lastUpstreamRxByte: number;
  downstreamTxFirstByte: number;
  downstreamTxLastByte: number;
  upstreamConnectStart: number;
  upstreamConnectEnd: number;
  upstreamHandshakeEnd: number;
  requestComplete: number;
  protocol: StreamInfo['protocol'];
  responseCode: number;
  responseCodeDetails: string;
  connectionTerminationDetails: string;
  responseFlags: number;
  bytesReceived: number;
  bytesSent: number;
  upstreamWireBytesReceived: number;
  upstreamWireBytesSent: number;
  downstreamWireBytesReceived: number;
  downstreamWireBytesSent: number;
  remoteAddress: Address;
  routeName: string;
  virtualHostName: string;
  virtualClusterName: string;
  upstreamClusterName: string;
  route: Route | undefined;
  upstreamCluster: Cluster | undefined;
  upstreamHost: HostDescription | undefined;
  upstreamOverrideHost: OverrideHost | undefined;
  upstreamConnection: ConnectionInfo | undefined;
  upstreamTransportFailureReason: string;
  upstreamRequestAttemptCount: number;
  upstreamProtocol: string;
  healthCheck: boolean;
  requestId: string;
  traceId: string;
  tracing: StreamTracing | undefined;
  dynamicMetadata: Map<string, Record<string, unknown>> | undefined;
  upstreamFilterState: FilterState | undefined;
  private filterStateMap: FilterState | undefined;

  /** `startTime` is wall-clock ms, `startTimeMonotonic` `performance.now()` ms, read by the caller who often has them already. */
  constructor(connection: ConnectionInfo, startTime: number, startTimeMonotonic: number) {
    this.connection = connection;
    this.startTime = startTime;
    this.startTimeMonotonic = startTimeMonotonic;
    this.downstreamRxComplete = 0;
    this.firstUpstreamTxByte = 0;
    this.lastUpstreamTxByte = 0;
    this.firstUpstreamRxByte = 0;
    this.lastUpstreamRxByte = 0;
    this.downstreamTxFirstByte = 0;
    this.downstreamTxLastByte = 0;
    this.upstreamConnectStart = 0;
    this.upstreamConnectEnd = 0;
    this.upstreamHandshakeEnd = 0;
    this.requestComplete = 0;
    this.protocol = '';
    this.responseCode = 0;
    this.responseCodeDetails = '';
    this.connectionTerminationDetails = '';
    this.responseFlags = 0;
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.upstreamWireBytesReceived = 0;
    this.upstreamWireBytesSent = 0;
    this.downstreamWireBytesReceived = 0;
    this.downstreamWireBytesSent = 0;
    this.remoteAddress = connection.remoteAddress;
    this.routeName = '';
    this.virtualHostName = '';
    this.virtualClusterName = '';
    this.upstreamClusterName = '';
    this.route = undefined;
    this.upstreamCluster = undefined;
    this.upstreamHost = undefined;
    this.upstreamOverrideHost = undefined;
    this.upstreamConnection = undefined;
    this.upstreamTransportFailureReason = '';
    this.upstreamRequestAttemptCount = 0;
    this.upstreamProtocol = '';
    this.healthCheck = false;
    this.requestId = '';
    this.traceId = '';
    this.tracing = undefined;
    this.dynamicMetadata = undefined;
    this.upstreamFilterState = undefined;
    this.filterStateMap = undefined;
  }

  get filterState(): FilterState {
    return (this.filterStateMap ??= new FilterStateMap(this.connection.filterState));
  }

  get concernsUpstream(): boolean {
    return this.filterStateMap?.concernsUpstream ?? this.connection.concernsUpstream;
  }
}

/** The StreamInfo of a connection itself: what its network filters leave in filter state lives as long as the connection. */
export class ConnectionStreamInfoRecord extends StreamInfoRecord {
  override get filterState(): FilterState {
    return this.connection.filterState;
  }
}

/** Merges `value` into the dynamic metadata of `namespace`, as Envoy's setDynamicMetadata. */
export function setDynamicMetadata(
  info: StreamInfo,
  namespace: string,
  value: Record<string, unknown>,
): void {
  info.dynamicMetadata ??= new Map();
  const existing = info.dynamicMetadata.get(namespace);
  info.dynamicMetadata.set(namespace, existing === undefined ? value : { ...existing, ...value });
}

/** Milliseconds since the stream began: up to its end, or up to now while it lasts. */
export function currentDurationMs(info: StreamInfo): number {
  const end = info.requestComplete === 0 ? performance.now() : info.requestComplete;
  return end - info.startTimeMonotonic;
}
