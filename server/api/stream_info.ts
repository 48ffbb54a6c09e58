// What is known of one stream (an HTTP request or a TCP connection): addresses, times of each phase, bytes, response
// flags, chosen route and host. Access logs, traces, admin and filters read it. Envoy: envoy/stream_info/stream_info.h.

import type { Route } from './router.ts';
import type { StreamTracing } from './tracing.ts';
import type { Cluster, OverrideHost } from './upstream/cluster.ts';
import type { HostDescription } from './upstream/host.ts';

/** Envoy's response flags; a bit each (ResponseFlag in envoy/stream_info). Names are in common/stream_info/response_flags.ts. */
export const ResponseFlag = {
  FailedLocalHealthCheck: 1 << 0,
  NoHealthyUpstream: 1 << 1,
  UpstreamRequestTimeout: 1 << 2,
  LocalReset: 1 << 3,
  UpstreamRemoteReset: 1 << 4,
  UpstreamConnectionFailure: 1 << 5,
  UpstreamConnectionTermination: 1 << 6,
  UpstreamOverflow: 1 << 7,
  NoRouteFound: 1 << 8,
  DelayInjected: 1 << 9,
  FaultInjected: 1 << 10,
  RateLimited: 1 << 11,
  UnauthorizedExternalService: 1 << 12,
  RateLimitServiceError: 1 << 13,
  DownstreamConnectionTermination: 1 << 14,
  UpstreamRetryLimitExceeded: 1 << 15,
  StreamIdleTimeout: 1 << 16,
  InvalidEnvoyRequestHeaders: 1 << 17,
  DownstreamProtocolError: 1 << 18,
  UpstreamMaxStreamDurationReached: 1 << 19,
  ResponseFromCacheFilter: 1 << 20,
  NoFilterConfigFound: 1 << 21,
  DurationTimeout: 1 << 22,
  UpstreamProtocolError: 1 << 23,
  NoClusterFound: 1 << 24,
  OverloadManager: 1 << 25,
  DnsResolutionFailed: 1 << 26,
  DropOverLoad: 1 << 27,
  DownstreamRemoteReset: 1 << 28,
  UnconditionalDropOverload: 1 << 29,
} as const;

/** An IP address and port, or a Unix socket path (`ip` empty, `port` 0). `text` is `1.2.3.4:80`, `[::1]:80` or the path. */
export interface Address {
  readonly ip: string;
  readonly port: number;
  readonly text: string;
}

/** TLS facts of a connection, read once after the handshake. Undefined on plaintext. */
export interface SslConnectionInfo {
  readonly peerCertificatePresented: boolean;
  readonly peerCertificateValidated: boolean;
  readonly uriSanPeer: readonly string[];
  readonly uriSanLocal: readonly string[];
  readonly dnsSanPeer: readonly string[];
  readonly dnsSanLocal: readonly string[];
  readonly ipSanPeer: readonly string[];
  readonly ipSanLocal: readonly string[];
  readonly emailSanPeer: readonly string[];
  readonly emailSanLocal: readonly string[];
  readonly otherNameSanPeer: readonly string[];
  readonly otherNameSanLocal: readonly string[];
  readonly subjectPeer: string;
  readonly subjectLocal: string;
  readonly issuerPeer: string;
  readonly serialNumberPeer: string;
  readonly sha256PeerCertificateDigest: string;
  readonly sha1PeerCertificateDigest: string;
  /** Of all certificates that the peer sent, its own first. */
  readonly serialNumbersPeerCertificates: readonly string[];
  readonly sha256PeerCertificateChainDigests: readonly string[];
  readonly sha1PeerCertificateChainDigests: readonly string[];
  /** Of the certificate that issued the peer's, when that was verified. */
  readonly sha256PeerCertificateIssuerDigest: string;
  readonly serialNumberPeerCertificateIssuer: string;
  readonly peerCertificatePem: string;
  /** The peer's own with what it sent along. */
  readonly peerCertificateChainPem: string;
  readonly validFromPeerMs: number;
  readonly expirationPeerMs: number;
  readonly tlsVersion: string;
  /** When the handshake was done, `performance.now()` ms. */
  readonly handshakeCompleteMs: number;
  readonly cipher: string;
  /** Of the key exchange: `X25519`, `P-256`, ... */
  readonly group: string;
  readonly sessionId: string;
  readonly sni: string;
  readonly alpn: string;
}

/** What every stream of a downstream connection shares. Envoy: ConnectionInfoProvider. */
export interface ConnectionInfo {
  readonly id: number;
  /** The peer on the wire. */
  readonly directRemoteAddress: Address;
  /** The address the socket was accepted on. */
  readonly directLocalAddress: Address;
  /** As `directRemoteAddress`, or what proxy_protocol or x-forwarded-for say. */
  remoteAddress: Address;
  /** The address of this side; original_dst and proxy_protocol replace it with where the client wanted to go. */
  localAddress: Address;
  localAddressRestored: boolean;
  requestedServerName: string;
  requestedApplicationProtocols: readonly string[];
  /** `raw_buffer` or `tls`, as tls_inspector detected. */
  detectedTransportProtocol: string;
  ssl: SslConnectionInfo | undefined;
  /** Why the handshake failed, '' while it has not. */
  downstreamTransportFailureReason: string;
  readonly listenerName: string;
  filterChainName: string;
  /** `metadata.filter_metadata` of the filter chain. */
  filterChainMetadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** How it ended, once it has: by RST of either side or not, and why this side closed it ('' where it did not). */
  detectedCloseType: 'Normal' | 'RemoteReset' | 'LocalReset';
  localCloseReason: string;
  /** Objects that live as long as the connection; every stream's own filter state falls back to it. */
  readonly filterState: FilterState;
  /** Of the filter state, which is not made for it. */
  readonly concernsUpstream: boolean;
}

/** Times are `performance.now()` milliseconds; 0 means not reached. `startTime` is wall-clock ms since the epoch. */
export interface StreamInfo {
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

  protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'HTTP/3' | '';
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
  /** Address a filter saw as the client's (x-forwarded-for applied); defaults to the connection's. */
  remoteAddress: Address;

  routeName: string;
  virtualHostName: string;
  virtualClusterName: string;
  upstreamClusterName: string;
  /** The matched route and the chosen cluster, for their metadata and observability name. */
  route: Route | undefined;
  upstreamCluster: Cluster | undefined;
  upstreamHost: HostDescription | undefined;
  /** Where a filter wants the request to go. */
  upstreamOverrideHost: OverrideHost | undefined;
  /** The connection to it that was used last. */
  upstreamConnection: ConnectionInfo | undefined;
  upstreamTransportFailureReason: string;
  upstreamRequestAttemptCount: number;
  upstreamProtocol: string;
  /** A health check of this proxy, which access logs may leave out. */
  healthCheck: boolean;
  requestId: string;
  traceId: string;
  /** Undefined where the connection manager has no `tracing`. */
  tracing: StreamTracing | undefined;

  /** Envoy's dynamic metadata by namespace. Created on first write, so most streams have none. */
  dynamicMetadata: Map<string, Record<string, unknown>> | undefined;
  /** Envoy's filter state by object name, made on first use; `connection`-lifetime objects are shared by all streams. */
  readonly filterState: FilterState;
  /** Of the filter state, which is not made for it. */
  readonly concernsUpstream: boolean;
  /** What filters of the upstream connection left there; set by whoever made or took the connection. */
  upstreamFilterState: FilterState | undefined;
}

/** A filter-state object: typed by its writer, printed by access logs through `serializeAsString`. */
export interface FilterStateObject {
  serializeAsString(): string;
  serializeAsJson?(): unknown;
  fieldByName?(name: string): string | number | undefined;
  /** Of objects that keep upstream connections apart when they are shared with them. Envoy: Hashable. */
  hashKey?(): string;
}

/** Named objects that filters leave for other filters. A stream's state falls back to its connection's. */
export interface FilterState {
  get(name: string): FilterStateObject | undefined;
  set(
    name: string,
    value: FilterStateObject,
    options?: { readOnly?: boolean; sharedWithUpstream?: 'none' | 'once' | 'transitive' },
  ): void;
  /** Does it hold anything that upstream connections are told, or that is shared with them? */
  readonly concernsUpstream: boolean;
  /** What is passed on to upstream connections made for this stream. */
  sharedWithUpstream(): readonly { name: string; value: FilterStateObject }[];
}
