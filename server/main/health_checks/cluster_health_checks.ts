// Active health checks of one version of a cluster. They begin as soon as its hosts are known; the cluster is warm when each
// of its first hosts was asked once. Envoy: HealthCheckerImplBase, ClusterImplBase::onInitDone.

import type { LogFile, LogFileManager } from '../../api/registry.ts';
import type { Runtime } from '../../api/runtime.ts';
import type { StatBlock, StatStore } from '../../api/stats.ts';
import { HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';
import { CLUSTER_HEALTH_CHECK_STATS } from '../../common/stats/families/cluster.ts';
import type { HealthCheckConfig } from '../../common/upstream/health_check_config.ts';
import { type CompiledEndpoint, compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import { SharedTable } from '../../common/upstream/shared_table.ts';
import type { TransportSocketMatcher } from '../../common/upstream/transport_socket_matcher.ts';
import type { EndpointSource } from '../config_store/endpoint_source.ts';
import { Observable, type Warmable } from '../config_store/warming.ts';
import { HealthCheckEventLogger, type HealthCheckEvents } from './health_check_event_logger.ts';
import { HealthCheckSession, type SessionOwner } from './health_check_session.ts';
import { hostSecurity } from './host_security.ts';
import { HttpProbe } from './http_probe.ts';
import { GrpcProbe, Http2Probe } from './http2_probe.ts';
import type { Probe, ProbeTarget } from './probe.ts';
import { TcpProbe } from './tcp_probe.ts';

/** The bits that checks decide on. */
export const ACTIVE_HC_FLAGS =
  HostHealthFlag.FailedActiveHc |
  HostHealthFlag.DegradedActiveHc |
  HostHealthFlag.PendingActiveHc |
  HostHealthFlag.ExcludedViaImmediateHcFail |
  HostHealthFlag.ActiveHcTimeout;

export interface HealthCheckServices {
  readonly stats: StatStore;
  readonly runtime: Runtime;
  /** Undefined where no logs are written. */
  readonly logFiles: LogFileManager | undefined;
  /** Of the hosts; undefined where all connections are plaintext. */
  readonly transport: TransportSocketMatcher | undefined;
  /** What connections to hosts need before they can be made. */
  readonly secrets: readonly Warmable[];
}

/** What becomes of results once the cluster serves. */
export interface HealthCheckObserver {
  /** Flags of a host changed. */
  onHealthChange(): void;
  /** A host in this slot is well. */
  onHealthy(slot: number): void;
}

export class ClusterHealthChecks extends Observable implements Warmable, SessionOwner {
  readonly name: string;
  readonly config: HealthCheckConfig;
  readonly #clusterName: string;
  readonly #services: HealthCheckServices;
  readonly #block: StatBlock;
  readonly #stops: (() => void)[];
  readonly #source: EndpointSource;
  readonly #logs: readonly LogFile[];
  /** By address and priority. */
  #sessions = new Map<string, HealthCheckSession>();
  /** In the order of the endpoints; undefined: not checked. */
  #order: readonly (HealthCheckSession | undefined)[] = [];
  #table: SharedTable | undefined;
  #slots: Int32Array = new Int32Array(0);
  #slotOf = new Map<HealthCheckSession, number>();
  #observer: HealthCheckObserver | undefined;

  /** `prefix` is `cluster.<name>.`. Throws ConfigError when the log cannot be opened. */
  constructor(
    clusterName: string,
    prefix: string,
    config: HealthCheckConfig,
    source: EndpointSource,
    services: HealthCheckServices,
  ) {
    super();
    this.name = `health checks of ${clusterName}`;
    this.config = config;
    this.#clusterName = clusterName;
    this.#services = services;
    this.#source = source;
    const { logFiles } = services;
    this.#logs = logFiles === undefined ? [] : config.eventLogPaths.map((path) => logFiles.open(path));
    this.#block = services.stats.block(CLUSTER_HEALTH_CHECK_STATS, `${prefix}health_check.`);
    this.#stops = [source, ...services.secrets].map((each) => each.observe(() => this.#takeHosts()));
    this.#takeHosts();
  }

  /** All hosts that are there were asked once. */
  get ready(): boolean {
    return this.#canBegin && this.#order.every((session) => session === undefined || !session.first);
  }

  get #canBegin(): boolean {
    return this.#source.ready && this.#services.secrets.every((each) => each.ready);
  }

  /** Bits of ACTIVE_HC_FLAGS of the i-th endpoint. */
  flagsOf(index: number): number {
    return this.#order[index]?.flags ?? 0;
  }

  /** Does the host pass its checks? False for one that is not checked. */
  passes(priority: number, address: string): boolean {
    const session = this.#sessions.get(`${priority} ${address}`);
    return session !== undefined && (session.flags & HostHealthFlag.FailedActiveHc) === 0;
  }

  /** The host in this slot asked to be left alone. */
  setUnhealthy(slot: number): void {
    for (const [session, each] of this.#slotOf) if (each === slot) session.setUnhealthy();
  }

  /** The cluster serves: its endpoints are in these slots, and results are written there. */
  attach(table: SharedTable, slots: Int32Array, observer: HealthCheckObserver): void {
    this.#table = table;
    this.#slots = slots;
    this.#observer = observer;
    this.#slotOf = new Map();
    this.#order.forEach((session, i) => {
      const slot = slots[i];
      if (session !== undefined && slot !== undefined) this.#slotOf.set(session, slot);
    });
  }

  close(): void {
    for (const stop of this.#stops) stop();
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    this.#services.stats.release(this.#block);
  }

  // ---- SessionOwner ----------------------------------------------------------------------------------------------------

  readonly count = (offset: number, n: number): void => {
    this.#block.values[this.#block.base + offset]! += n;
  };

  hasTraffic(): boolean {
    const table = this.#table;
    if (table === undefined) return false;
    return this.#slots.some(
      (slot) => Atomics.load(table.view(slot), SharedTable.offset(slot) + HostSlot.ConnectionTotal) !== 0,
    );
  }

  withJitter(baseMs: number): number {
    const { intervalJitterMs, intervalJitterPercent } = this.config;
    return this.#jittered(baseMs, intervalJitterMs, Math.floor((intervalJitterPercent * baseMs) / 100));
  }

  onChecked(session: HealthCheckSession, healthy: boolean, changed: boolean): void {
    const slot = this.#slotOf.get(session);
    if (slot !== undefined && this.#table !== undefined) {
      const view = this.#table.view(slot);
      const at = SharedTable.offset(slot) + HostSlot.HealthFlags;
      const now = Atomics.load(view, at) & ACTIVE_HC_FLAGS;
      if (now !== session.flags) Atomics.xor(view, at, now ^ session.flags);
      if (changed) this.#observer?.onHealthChange();
      if (healthy && (session.flags & HostHealthFlag.FailedActiveHc) === 0) this.#observer?.onHealthy(slot);
    }
    // Whoever waits for the first checks.
    if (this.#table === undefined) this.changed();
  }

  // ---- hosts -------------------------------------------------------------------------------------------------------------

  #takeHosts(): void {
    if (!this.#canBegin) return;
    const { endpoints } = compileLoadAssignment(this.#source.endpoints().assignment, '');
    const before = this.#sessions;
    const sessions = new Map<string, HealthCheckSession>();
    this.#order = endpoints.map((endpoint) => {
      if (endpoint.healthCheck.disabled) return undefined;
      const key = `${endpoint.locality.priority} ${endpoint.address.text}`;
      const session = sessions.get(key) ?? before.get(key) ?? this.#createSession(endpoint);
      before.delete(key);
      sessions.set(key, session);
      return session;
    });
    for (const gone of before.values()) gone.close();
    this.#sessions = sessions;
    this.changed();
  }

  #createSession(endpoint: CompiledEndpoint): HealthCheckSession {
    const { config } = this;
    const initialMs = config.initialJitterMs === 0 ? 0 : this.#jittered(0, config.initialJitterMs, 0);
    const pending = config.ignoreNewHosts && this.#table !== undefined;
    return new HealthCheckSession(this, this.#probe(endpoint), this.#events(endpoint), pending, initialMs);
  }

  #probe(endpoint: CompiledEndpoint): Probe {
    const { address, healthCheck } = endpoint;
    const { probe, reuseConnection, alpn, transportSocketMatch } = this.config;
    const { transport } = this.#services;
    const configured = probe.kind === 'HTTP' ? probe.host : probe.kind === 'GRPC' ? probe.authority : '';
    const where = healthCheck.address ?? address;
    const target: ProbeTarget = {
      ip: where.ip,
      port: healthCheck.port || where.port,
      path: where.ip === '' ? where.text : '',
      hostname: healthCheck.hostname || configured || this.#clusterName,
      security: hostSecurity(endpoint, this.#clusterName, transport, transportSocketMatch, alpn),
    };
    switch (probe.kind) {
      case 'HTTP':
        return probe.http2
          ? new Http2Probe(probe, target, reuseConnection)
          : new HttpProbe(probe, target, reuseConnection);
      case 'TCP':
        return new TcpProbe(probe, target, reuseConnection);
      case 'GRPC':
        return new GrpcProbe(probe, target, reuseConnection, this.config.timeoutMs);
    }
  }

  #events({ address, locality, metadata }: CompiledEndpoint): HealthCheckEvents | undefined {
    if (this.#logs.length === 0) return undefined;
    return new HealthCheckEventLogger(this.#logs, {
      checker: this.config.probe.kind,
      clusterName: this.#clusterName,
      address,
      locality,
      metadata,
    });
  }

  /** At least 1 ms. */
  #jittered(baseMs: number, jitterMs: number, morePerhapsMs: number): number {
    const { runtime } = this.#services;
    const ms = baseMs + Math.floor(Math.random() * morePerhapsMs) + Math.floor(Math.random() * jitterMs);
    const most = runtime.getInteger('health_check.max_interval', Number.MAX_SAFE_INTEGER);
    const least = runtime.getInteger('health_check.min_interval', 0);
    return Math.max(1, least, Math.min(ms, most));
  }
}
