// A connection manager's compiled settings: what HttpConnectionManager says, as the request path reads it.
// Compiled by extensions/filters/network/http_connection_manager/config.ts. Envoy: source/common/http/conn_manager_config.h.

import type { AccessLog } from '../../api/access_log.ts';
import type { ByteSink, ServerConnection, ServerConnectionCallbacks } from '../../api/http/codec.ts';
import type { HttpFilterConfig } from '../../api/http/filter.ts';
import type { ListenerScope, Provider } from '../../api/registry.ts';
import type { RouteConfig } from '../../api/router.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { StatBlock } from '../../api/stats.ts';
import type { Address } from '../../api/stream_info.ts';
import type { ClusterManager } from '../../api/upstream/cluster.ts';
import type { ResponseCodeCounters } from '../stats/response_code_stats.ts';
import type { TracingConfig } from '../tracing/stream_tracing.ts';
import type { CodecType } from './codec_selection.ts';
import type { LocalReply } from './local_reply.ts';
import type { PathNormalization } from './path_utility.ts';

/** One entry of http_filters. `current` is undefined while an ECDS configuration has not come and has no default. */
export interface HttpFilterEntry {
  readonly name: string;
  readonly provider: Provider<HttpFilterConfig>;
  /** Off unless a route's FilterConfig switches it on. */
  readonly disabled: boolean;
}

export type ForwardClientCert =
  | 'SANITIZE'
  | 'FORWARD_ONLY'
  | 'APPEND_FORWARD'
  | 'SANITIZE_SET'
  | 'ALWAYS_FORWARD_ONLY';

export interface SetCurrentClientCertDetails {
  readonly subject: boolean;
  readonly cert: boolean;
  readonly chain: boolean;
  readonly dns: boolean;
  readonly uri: boolean;
}

/** All times are ms; 0 means none. */
export interface ConnectionManagerConfig {
  readonly statPrefix: string;
  /** `http.<stat_prefix>.` */
  readonly stats: StatBlock;
  /** `listener.<address>.http.<stat_prefix>.` */
  readonly listenerStats: StatBlock;
  readonly responseCodes: ResponseCodeCounters;
  readonly listener: ListenerScope;
  readonly clusterManager: ClusterManager;
  readonly routes: Provider<RouteConfig>;
  readonly filters: readonly HttpFilterEntry[];
  /** Filters for an upgrade type (lower-case), or undefined where the upgrade is not allowed. */
  readonly upgrades: ReadonlyMap<
    string,
    { readonly enabled: boolean; readonly filters: readonly HttpFilterEntry[] | undefined }
  >;
  readonly accessLogs: readonly AccessLog[];
  readonly flushAccessLogOnNewRequest: boolean;
  readonly accessLogFlushIntervalMs: number;
  /** A line when a tunnel (an upgrade, CONNECT) is there. */
  readonly flushAccessLogOnTunnel: boolean;

  readonly codecType: CodecType;
  createHttp1Codec(sink: ByteSink, callbacks: ServerConnectionCallbacks): ServerConnection;
  createHttp2Codec(sink: ByteSink, callbacks: ServerConnectionCallbacks): ServerConnection;
  readonly runtime: Runtime;

  readonly serverName: string;
  readonly serverHeader: 'OVERWRITE' | 'APPEND_IF_ABSENT' | 'PASS_THROUGH';
  readonly via: string;
  /** The node's cluster and id, where `add_user_agent` passes them on; else ''. */
  readonly userAgent: string;
  readonly nodeId: string;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  readonly packTraceReason: boolean;
  readonly tracing: TracingConfig | undefined;
  readonly useRemoteAddress: boolean;
  readonly xffNumTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly appendXForwardedPort: boolean;
  readonly representIpv4AsIpv6Mapped: boolean;
  /** This machine's own address, in place of a loopback peer's. */
  readonly localIp: string;
  isInternalAddress(address: Address): boolean;
  readonly forwardClientCert: ForwardClientCert;
  readonly setCurrentClientCertDetails: SetCurrentClientCertDetails;
  readonly proxy100Continue: boolean;
  readonly schemeToOverwrite: string;

  /** Undefined when the path is left as it came. */
  readonly pathNormalization: PathNormalization | undefined;
  readonly stripPort: 'none' | 'matching' | 'any';
  readonly stripTrailingHostDot: boolean;

  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly delayedCloseTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxStreamDurationMs: number;
  readonly maxRequestsPerConnection: number;
  readonly localReply: LocalReply;
  readonly bufferLimit: number;
}
