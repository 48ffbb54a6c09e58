// A cluster on one worker: its configuration, its hosts as they are now, the balancer over them, breakers and stats.
// Host updates swap the priority set and the balancer in one assignment. Envoy: ClusterEntry of
// source/common/upstream/cluster_manager_impl.cc (ThreadLocalCluster).

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { UpstreamTransportSocketOptions } from '../../api/network/transport_socket.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { StatBlock } from '../../api/stats.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import {
  type Cluster,
  type ClusterFeatures,
  DEFAULT_PRIORITY,
  HIGH_PRIORITY,
  type HostLookup,
  type HostLookupCallbacks,
  type LoadBalancer,
  type LoadBalancerContext,
  type Priority,
} from '../../api/upstream/cluster.ts';
import type { ConnPoolBase } from '../conn_pool/conn_pool_base.ts';
import { createConnPool } from '../conn_pool/conn_pool_map.ts';
import { createPredictivePreconnect } from '../conn_pool/create_predictive_preconnect.ts';
import type { HttpConnPool, PoolOptions, PoolProtocol } from '../conn_pool/http_conn_pool.ts';
import type { PredictivePreconnect } from '../conn_pool/predictive_preconnect.ts';
import type { Http1CodecStats } from '../http/http1/message_head.ts';
import type { Http1Settings } from '../http/http1/settings.ts';
import type { Http2Settings } from '../http/http2/settings.ts';
import type { ClientSideWeights } from '../load_balancing/client_side_weights.ts';
import { createClientSideWeights, createLoadBalancer } from '../load_balancing/create_load_balancer.ts';
import type { BalancingConfig } from '../load_balancing/load_balancer_config.ts';
import type { LoadBalancerEnvironment } from '../load_balancing/load_balancer_environment.ts';
import { CLUSTER_LB_STATS, CLUSTER_TRAFFIC_STATS } from '../stats/families/cluster.ts';
import { HTTP1_CODEC_STATS, HTTP2_CODEC_STATS } from '../stats/families/codec.ts';
import { ResponseCodeStats } from '../stats/response_code_stats.ts';
import type { ClusterConfig } from './cluster_config.ts';
import { createResourceManager, currentThresholds } from './create_resource_manager.ts';
import type { Host } from './host.ts';
import type { OnHostEvent } from './host_event.ts';
import type { HostSetOptions } from './host_set.ts';
import { type HostTable, HostUpdate, type TableSlot } from './host_update.ts';
import type { CompiledLoadAssignment } from './load_assignment.ts';
import type { FilterMetadata } from './metadata.ts';
import { OutlierMonitor } from './outlier_monitor.ts';
import { selectOverrideHost } from './override_host.ts';
import { DEFAULT_HOST_SET_OPTIONS, PrioritySet } from './priority_set.ts';
import { createProvidedLoadBalancer } from './provided_load_balancer.ts';
import { BREAKER_SLOTS_PER_PRIORITY, type SharedResourceManager } from './resource_manager.ts';
import { transportSocketOptions } from './transport_socket_options.ts';

const NO_ALPN: readonly string[] = [];
const NO_HOSTS: readonly Host[] = [];

/** What a connection offers where neither configuration nor a filter says it. Envoy: wrapTransportSocketOptions. */
const ALPN: Readonly<Record<PoolProtocol, readonly string[]>> = {
  http1: ['http/1.1'],
  http2: ['h2'],
  auto: ['h2', 'http/1.1'],
};

export class ThreadLocalCluster implements Cluster {
  readonly config: ClusterConfig;
  readonly name: string;
  readonly altStatName: string;
  readonly statName: string;
  readonly connectTimeoutMs: number;
  readonly metadata: FilterMetadata | undefined;
  readonly features: ClusterFeatures;
  readonly perConnectionBufferLimitBytes: number;
  readonly http1Settings: Http1Settings;
  readonly http2Settings: Http2Settings;
  readonly preconnectRatio: number;
  /** Connections are made before they are needed. */
  readonly preconnects: boolean;
  readonly predictivePreconnect: PredictivePreconnect | undefined;
  /** Undefined without outlier detection. */
  readonly outlierMonitor: OutlierMonitor | undefined;
  /** Undefined unless the balancer goes by load reports of hosts. */
  readonly clientSideWeights: ClientSideWeights | undefined;
  readonly onHostEvent: OnHostEvent;
  /** Answers of hosts may say something about the hosts. */
  readonly watchesResponses: boolean;
  prioritySet: PrioritySet;
  private balancer: LoadBalancer;
  /** Of a type of cluster that brings its own balancer. */
  private readonly provided: LoadBalancer | undefined;
  private readonly context: FactoryContext;
  readonly environment: LoadBalancerEnvironment;
  private readonly breakers: readonly [SharedResourceManager, SharedResourceManager];
  private users = 0;
  private retired = false;
  private draining = false;
  private trafficStats: StatBlock | undefined = undefined;
  private http1CodecStats: Http1CodecStats | undefined = undefined;
  private http2CodecStats: StatBlock | undefined = undefined;
  private lbStats: StatBlock | undefined = undefined;
  private codes: ResponseCodeStats | undefined = undefined;
  private externalCodes: ResponseCodeStats | undefined = undefined;
  private internalCodes: ResponseCodeStats | undefined = undefined;
  private canaryCodes: ResponseCodeStats | undefined = undefined;
  private readonly zoneCodes = new Map<string, ResponseCodeStats>();
  private altCodes: Map<string, ResponseCodeStats> | undefined = undefined;
  private retryCodes: ResponseCodeStats | undefined = undefined;

  /** `onHostEvent` is told of hosts that the main thread has to judge. */
  constructor(
    config: ClusterConfig,
    context: FactoryContext,
    breakerSlot: TableSlot,
    onHostEvent: OnHostEvent,
  ) {
    this.config = config;
    this.context = context;
    this.name = config.name;
    this.altStatName = config.altStatName;
    this.statName = config.statName;
    this.connectTimeoutMs = config.connectTimeoutMs;
    this.metadata = config.metadata;
    this.features = config.http.features;
    this.perConnectionBufferLimitBytes = config.perConnectionBufferLimitBytes;
    this.http1Settings = config.http1Settings;
    this.http2Settings = config.http.http2;
    this.preconnectRatio = config.preconnectRatio;
    this.predictivePreconnect = createPredictivePreconnect(this, config.predictivePreconnectRatio);
    this.preconnects = config.preconnectRatio > 1 || this.predictivePreconnect !== undefined;
    const { table, held, slot } = breakerSlot;
    const high = slot + BREAKER_SLOTS_PER_PRIORITY;
    this.breakers = [
      createResourceManager(config.circuitBreakers[0], table, held, slot),
      createResourceManager(config.circuitBreakers[1], table, held, high),
    ];
    this.onRuntimeUpdate();
    this.outlierMonitor =
      config.outlierDetection && new OutlierMonitor(config.outlierDetection, context.runtime, onHostEvent);
    this.onHostEvent = onHostEvent;
    this.environment = this.loadBalancerEnvironment();
    this.prioritySet = this.createPrioritySet([], DEFAULT_HOST_SET_OPTIONS);
    this.provided = createProvidedLoadBalancer(config, context, () => this.countInvalidHost());
    this.balancer = this.createBalancer(undefined);
    this.clientSideWeights = createClientSideWeights(
      config.loadBalancer,
      () => this.prioritySet.hosts,
      () => (this.balancer = this.createBalancer(this.balancer)),
    );
    this.watchesResponses = this.clientSideWeights !== undefined || config.healthCheck !== undefined;
  }

  /** Hosts that this thread has found by itself. */
  get ownHosts(): Iterable<Host> {
    return (this.provided?.ownHosts?.() ?? NO_HOSTS) as Iterable<Host>;
  }

  /** Stats are made with the first traffic: most clusters of a mesh never see any, and each costs memory. */
  get stats(): StatBlock {
    return (this.trafficStats ??= this.context.stats.block(
      CLUSTER_TRAFFIC_STATS,
      `cluster.${this.statName}.`,
    ));
  }
  /** `http1.` of its connections. */
  get http1Stats(): Http1CodecStats {
    return (this.http1CodecStats ??= this.context.stats.block(
      HTTP1_CODEC_STATS,
      `cluster.${this.statName}.http1.`,
    ));
  }
  /** `http2.` of its connections. */
  get http2Stats(): StatBlock {
    return (this.http2CodecStats ??= this.context.stats.block(
      HTTP2_CODEC_STATS,
      `cluster.${this.statName}.http2.`,
    ));
  }
  /** `upstream_rq_200`, ... of all responses. */
  get responseCodes(): ResponseCodeStats {
    return (this.codes ??= new ResponseCodeStats(this.context.stats, `cluster.${this.statName}.`));
  }
  get externalResponseCodes(): ResponseCodeStats {
    return (this.externalCodes ??= new ResponseCodeStats(
      this.context.stats,
      `cluster.${this.statName}.external.`,
    ));
  }
  get internalResponseCodes(): ResponseCodeStats {
    return (this.internalCodes ??= new ResponseCodeStats(
      this.context.stats,
      `cluster.${this.statName}.internal.`,
    ));
  }

  /** Responses of canary hosts. */
  get canaryResponseCodes(): ResponseCodeStats {
    return (this.canaryCodes ??= new ResponseCodeStats(
      this.context.stats,
      `cluster.${this.statName}.canary.`,
    ));
  }

  /** What is counted below `cluster.<name>.<part>`; `part` ends with a dot. */
  altResponseCodes(part: string): ResponseCodeStats {
    this.altCodes ??= new Map();
    let codes = this.altCodes.get(part);
    if (codes === undefined) {
      codes = new ResponseCodeStats(this.context.stats, `cluster.${this.statName}.${part}`);
      this.altCodes.set(part, codes);
    }
    return codes;
  }

  /** Responses of hosts in `zone`; undefined where it or the zone of this proxy is not known. */
  zoneResponseCodes(zone: string): ResponseCodeStats | undefined {
    const from = this.context.server.locality.zone;
    if (zone === '' || from === '') return undefined;
    let codes = this.zoneCodes.get(zone);
    if (codes === undefined) {
      codes = new ResponseCodeStats(this.context.stats, `cluster.${this.statName}.zone.${from}.${zone}.`);
      this.zoneCodes.set(zone, codes);
    }
    return codes;
  }

  /** Responses that were not passed on because the request was tried again. */
  get retryResponseCodes(): ResponseCodeStats {
    return (this.retryCodes ??= new ResponseCodeStats(this.context.stats, `cluster.${this.statName}.retry.`));
  }

  /** An answer of ours in the cluster's place: counted as its response, without a time. */
  chargeLocalResponse(status: number, request: RequestHeaderMap): void {
    this.responseCodes.charge(status);
    const part =
      request.get('x-envoy-internal') === 'true' ? this.internalResponseCodes : this.externalResponseCodes;
    part.charge(status);
  }

  /**
   * The pool for a request to `host`; undefined when it would be one more than the circuit breaker allows. Connections made
   * with different handshakes (ALPN, SNI) are in different pools, and so are those that different filter state is shared with.
   */
  httpPool(
    host: Host,
    priority: Priority,
    info: StreamInfo,
    request: RequestHeaderMap | undefined,
  ): HttpConnPool | undefined {
    const protocol = this.upstreamProtocol(info);
    const transportSocket = transportSocketOptions(this.config, host, info, request, ALPN[protocol]);
    const { poolPerDownstreamConnection } = this.config;
    if (
      priority !== DEFAULT_PRIORITY ||
      poolPerDownstreamConnection ||
      (transportSocket !== undefined && transportSocket.hashKey !== '')
    ) {
      const client = poolPerDownstreamConnection ? String(info.connection.id) : '';
      const key = `${protocol}|${priority}|${client}|${transportSocket?.hashKey ?? ''}`;
      return this.otherPool(host, { protocol, priority, transportSocket, key });
    }
    const pool = (protocol === 'http1' ? host.http1Pool : host.http2Pool) as ConnPoolBase | undefined;
    if (pool !== undefined && pool.cluster === this) return pool;
    return this.mainPool(host, { protocol, priority, transportSocket, key: '' });
  }

  /** One of the two that most requests use. */
  private mainPool(host: Host, options: PoolOptions): ConnPoolBase | undefined {
    const isHttp1 = options.protocol === 'http1';
    const pool = (isHttp1 ? host.http1Pool : host.http2Pool) as ConnPoolBase | undefined;
    if (pool?.cluster === this) return pool;
    pool?.drain();
    const made = this.createPool(host, options);
    if (isHttp1) host.http1Pool = made;
    else host.http2Pool = made;
    return made;
  }

  /** Options of a TCP connection to `host` for this stream; undefined for plaintext. */
  tcpOptions(host: Host, info: StreamInfo): UpstreamTransportSocketOptions | undefined {
    if (host.transportSocket === undefined) return undefined;
    return transportSocketOptions(this.config, host, info, undefined, NO_ALPN);
  }

  /** A host that will be chosen soon; undefined where that cannot be told. */
  peekAnotherHost(): Host | undefined {
    return this.balancer.peekAnotherHost?.() as Host | undefined;
  }

  /** The pool of `host` for streams like those of `pool`. */
  poolLike({ options }: ConnPoolBase, host: Host): ConnPoolBase | undefined {
    const { transportSocket } = options;
    const own =
      transportSocket === undefined ? options : { ...options, transportSocket: { ...transportSocket, host } };
    return options.key === '' ? this.mainPool(host, own) : this.otherPool(host, own);
  }

  private otherPool(host: Host, options: PoolOptions): ConnPoolBase | undefined {
    const pools = (host.otherPools ??= new Map());
    const pool = pools.get(options.key) as ConnPoolBase | undefined;
    if (pool?.cluster === this) return pool;
    pool?.drain();
    const made = this.createPool(host, options);
    if (made !== undefined) pools.set(options.key, made);
    return made;
  }

  /** Envoy: ClusterInfo::upstreamHttpProtocol. */
  private upstreamProtocol({ protocol }: StreamInfo): PoolProtocol {
    const { upstreamProtocol } = this.features;
    if (upstreamProtocol !== 'downstream') return upstreamProtocol;
    return protocol === 'HTTP/2' ? 'http2' : 'http1';
  }

  private createPool(host: Host, options: PoolOptions): ConnPoolBase | undefined {
    const pool = createConnPool(this, host, options);
    // A stream that began before the cluster went tries again: nobody would use its connection after it.
    if (this.draining && pool !== undefined) pool.draining = true;
    return pool;
  }

  /** The runtime has other values: limits may be among them. */
  onRuntimeUpdate(): void {
    const { config, context, breakers } = this;
    for (const priority of [DEFAULT_PRIORITY, HIGH_PRIORITY])
      breakers[priority].setThresholds(
        currentThresholds(config.circuitBreakers[priority], context.runtime, config.name, priority),
      );
  }

  resourceManager(priority: Priority): SharedResourceManager {
    return this.breakers[priority];
  }

  chooseHost(context: LoadBalancerContext | undefined): Host | undefined {
    const override = context?.overrideHost;
    if (override !== undefined) {
      const host = selectOverrideHost(this.prioritySet, override, this.config.overrideHostStatuses);
      if (host !== undefined || override.strict) return host;
    }
    return this.balancer.chooseHost(context) as Host | undefined;
  }

  /** When there was no host for a request: see LoadBalancer. Undefined where nothing is looked up. */
  lookUpHost(context: LoadBalancerContext, callbacks: HostLookupCallbacks): HostLookup | string | undefined {
    return this.balancer.lookUpHost?.(context, callbacks);
  }

  /** The cluster that a host is of: another one only where this one balances over others. */
  ownerOf(host: Host): ThreadLocalCluster {
    if (host.clusterName === this.name) return this;
    return (
      (this.context.clusterManager.getCluster(host.clusterName) as ThreadLocalCluster | undefined) ?? this
    );
  }

  /** The host's priority among all that the balancer chooses from. */
  priorityOf(host: Host): number {
    return this.balancer.priorityOf?.(host) ?? host.priority;
  }

  /** New hosts. Those that stay keep their connections, unless the cluster wants none kept; those that go drain. */
  updateHosts(assignment: CompiledLoadAssignment, table: HostTable): void {
    const before = this.prioritySet.hosts;
    const update = new HostUpdate(before, this.config);
    update.add(assignment.endpoints, table);
    this.setHosts(update.hosts, { ...DEFAULT_HOST_SET_OPTIONS, ...assignment.policy });
    update.drainOthers();
  }

  /** Checks changed the health of hosts: they are sorted anew. */
  updateHealth(): void {
    for (const host of this.prioritySet.hosts) host.noteHealth();
    this.setHosts(this.prioritySet.hosts, this.prioritySet.options);
  }

  private setHosts(hosts: readonly Host[], options: HostSetOptions): void {
    this.prioritySet = this.createPrioritySet(hosts, options);
    this.clientSideWeights?.update();
    this.balancer = this.createBalancer(this.balancer);
  }

  /** What a request said of its destination is no address. */
  private countInvalidHost(): void {
    const { values, base } = this.stats;
    values[base + CLUSTER_TRAFFIC_STATS.offset.original_dst_host_invalid]++;
  }

  private createPrioritySet(hosts: readonly Host[], options: HostSetOptions): PrioritySet {
    const { locality } = this.context.server;
    const known = locality.region !== '' || locality.zone !== '' || locality.subZone !== '';
    const panicPercent = this.context.runtime.getInteger(
      'upstream.healthy_panic_threshold',
      this.config.panicPercent,
    );
    return new PrioritySet(hosts, Math.min(100, panicPercent), {
      ...options,
      localLocality: known ? locality : undefined,
    });
  }

  /** The cluster is replaced or removed: its idle connections close, busy ones finish. */
  drain(): void {
    this.draining = true;
    this.clientSideWeights?.close();
    for (const host of this.prioritySet.hosts) host.drainPools();
    this.provided?.close?.();
  }

  /** A request or connection begins that will count itself in this cluster's stats. Pair it with `letGo`. */
  hold(): void {
    this.users++;
  }

  letGo(): void {
    if (--this.users === 0 && this.retired) this.releaseStats();
  }

  /**
   * Replaced or removed. Its stats' slots are given back only when the last request and connection have let go: until then
   * they still count themselves out, and slots that were given away would be somebody else's.
   */
  retire(): void {
    this.drain();
    if (this.retired) return;
    this.retired = true;
    if (this.users === 0) this.releaseStats();
  }

  /** Takes up the stats of the version before, so that they do not begin at zero when that one lets them go. */
  keepStatsOf(previous: ThreadLocalCluster): void {
    if (previous.trafficStats !== undefined) void this.stats;
    if (previous.http1CodecStats !== undefined) void this.http1Stats;
    if (previous.http2CodecStats !== undefined) void this.http2Stats;
    if (previous.codes !== undefined) void this.responseCodes;
    if (previous.externalCodes !== undefined) void this.externalResponseCodes;
    if (previous.internalCodes !== undefined) void this.internalResponseCodes;
    if (previous.canaryCodes !== undefined) void this.canaryResponseCodes;
    for (const zone of previous.zoneCodes.keys()) this.zoneResponseCodes(zone);
    for (const part of previous.altCodes?.keys() ?? []) this.altResponseCodes(part);
  }

  private releaseStats(): void {
    if (this.trafficStats !== undefined) this.context.stats.release(this.trafficStats);
    if (this.http1CodecStats !== undefined) this.context.stats.release(this.http1CodecStats);
    if (this.http2CodecStats !== undefined) this.context.stats.release(this.http2CodecStats);
    if (this.lbStats !== undefined) this.context.stats.release(this.lbStats);
    for (const resources of this.breakers) resources.close();
    this.codes?.release();
    this.externalCodes?.release();
    this.internalCodes?.release();
    this.canaryCodes?.release();
    for (const codes of this.zoneCodes.values()) codes.release();
    for (const codes of this.altCodes?.values() ?? []) codes.release();
    this.retryCodes?.release();
  }

  private createBalancer(before: LoadBalancer | undefined): LoadBalancer {
    const { config, environment } = this;
    if (this.provided !== undefined) return this.provided;
    const balancing = config.loadBalancer as BalancingConfig;
    const balancer = createLoadBalancer(this.prioritySet, balancing, environment, before);
    return this.predictivePreconnect?.peeking(balancer, balancing) ?? balancer;
  }

  private loadBalancerEnvironment(): LoadBalancerEnvironment {
    const { context, name, breakers } = this;
    const { clusterManager, runtime, server } = context;
    const local = server.localClusterName === name ? '' : server.localClusterName;
    return {
      runtime,
      count: (offset, n = 1) => {
        const stats = (this.lbStats ??= context.stats.block(CLUSTER_LB_STATS, `cluster.${this.statName}.`));
        stats.values[stats.base + offset] += n;
      },
      activeRequests: () => breakers[0].activeRequests + breakers[1].activeRequests,
      localPrioritySet: () =>
        local === ''
          ? undefined
          : (clusterManager.getCluster(local) as ThreadLocalCluster | undefined)?.prioritySet,
    };
  }
}
