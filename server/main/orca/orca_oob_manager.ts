// Asks each host of a cluster for its load, for as long as it is there, and tells the workers what weights that comes to.
// One stream a host for all workers. Envoy: source/extensions/load_balancing_policies/common/orca_oob_manager.cc.

import type { OrcaLoadReport } from '../../../xds-protos/generated/xds/data/orca/v3.ts';
import type { StatBlock, StatStore } from '../../api/stats.ts';
import type {
  ClientSideWeightedConfig,
  OrcaOobReportingConfig,
} from '../../common/load_balancing/load_balancer_config.ts';
import { weightOf } from '../../common/load_balancing/orca_load_report.ts';
import { CLUSTER_ORCA_OOB_STATS } from '../../common/stats/families/cluster.ts';
import { type CompiledEndpoint, compileLoadAssignment } from '../../common/upstream/load_assignment.ts';
import type { TransportSocketMatcher } from '../../common/upstream/transport_socket_matcher.ts';
import type { Endpoints } from '../config_store/endpoint_source.ts';
import { hostSecurity } from '../health_checks/host_security.ts';
import type { ProbeTarget } from '../health_checks/probe.ts';
import { JitteredExponentialBackOff } from '../xds/backoff.ts';
import { OrcaOobStream } from './orca_oob_stream.ts';

/** Sources: kOobBackoffBaseIntervalMs, kOobBackoffMaxIntervalMs, kInactivityWatchdogMultiplier. */
const BACKOFF_BASE_MS = 1000;
const BACKOFF_MAX_MS = 30_000;
const PERIODS_OF_SILENCE = 3;
/** gRPC status: the host does not have the service, and will not. */
const UNIMPLEMENTED = 12;
const ALPN = ['h2'];
/** ms for which weights are gathered before the workers are told: what they make of them changes no more often (weight_update_period). */
const GATHER_MS = 100;
/** A timer of more fires at once. Source: node's setTimeout. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const STAT = CLUSTER_ORCA_OOB_STATS.offset;

export interface OrcaOobManagerOptions {
  readonly clusterName: string;
  /** `cluster.<name>.` */
  readonly prefix: string;
  readonly config: ClientSideWeightedConfig;
  readonly outOfBand: OrcaOobReportingConfig;
  readonly stats: StatStore;
  /** Undefined where all connections are plaintext. */
  readonly transport: TransportSocketMatcher | undefined;
  /** Weights of hosts by slot. */
  readonly onWeights: (weights: ReadonlyMap<number, number>) => void;
}

export class OrcaOobManager {
  readonly #options: OrcaOobManagerOptions;
  readonly #block: StatBlock;
  /** By slot. One whose host has no such service stays here, ended. */
  #sessions = new Map<number, OobSession>();
  #weights = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OrcaOobManagerOptions) {
    this.#options = options;
    this.#block = options.stats.block(CLUSTER_ORCA_OOB_STATS, `${options.prefix}lb_orca_oob.`);
  }

  /** The cluster's hosts are these now; `slots[i]` is that of the i-th. A host that stays as it is keeps its stream. */
  setHosts({ assignment }: Endpoints, slots: Int32Array): void {
    const before = this.#sessions;
    const sessions = new Map<number, OobSession>();
    compileLoadAssignment(assignment, '').endpoints.forEach((endpoint, i) => {
      const slot = slots[i] as number;
      if (sessions.has(slot)) return;
      const target = this.#target(endpoint);
      const known = before.get(slot);
      if (known?.isOf(target) !== true) {
        sessions.set(slot, this.#createSession(slot, target));
        return;
      }
      before.delete(slot);
      sessions.set(slot, known);
    });
    for (const gone of before.values()) gone.close();
    this.#sessions = sessions;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    this.#options.stats.release(this.#block);
  }

  #createSession(slot: number, target: ProbeTarget): OobSession {
    const { periodMs } = this.#options.outOfBand;
    return new OobSession(target, periodMs, this.#count, (report) => this.#onReport(slot, report));
  }

  #target(endpoint: CompiledEndpoint): ProbeTarget {
    const { clusterName, outOfBand, transport } = this.#options;
    const { ip, text, port: own } = endpoint.address;
    const port = outOfBand.port || own;
    const dialed = ip === '' ? clusterName : `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
    return {
      ip,
      port,
      path: ip === '' ? text : '',
      hostname: outOfBand.authority || endpoint.hostname || dialed,
      security: hostSecurity(endpoint, clusterName, transport, outOfBand.transportSocketMatch, ALPN),
    };
  }

  #onReport(slot: number, report: OrcaLoadReport): void {
    this.#count(STAT.reports_received, 1);
    const weight = weightOf(report, this.#options.config);
    if (weight === undefined) {
      this.#count(STAT.report_errors, 1);
      return;
    }
    this.#weights.set(slot, weight);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const weights = this.#weights;
      this.#weights = new Map();
      this.#options.onWeights(weights);
    }, GATHER_MS).unref();
  }

  readonly #count = (offset: number, n: number): void => {
    this.#block.values[this.#block.base + offset]! += n;
  };
}

/** The streams to one host, one after the other. */
class OobSession {
  readonly #target: ProbeTarget;
  readonly #periodMs: number;
  readonly #count: (offset: number, n: number) => void;
  readonly #onReport: (report: OrcaLoadReport) => void;
  readonly #backOff = new JitteredExponentialBackOff(BACKOFF_BASE_MS, BACKOFF_MAX_MS);
  /** Until the next stream, or until the host has been silent for too long. */
  #timer: NodeJS.Timeout | undefined;
  #stream: OrcaOobStream | undefined;
  #ended = false;

  constructor(
    target: ProbeTarget,
    periodMs: number,
    count: (offset: number, n: number) => void,
    onReport: (report: OrcaLoadReport) => void,
  ) {
    this.#target = target;
    this.#periodMs = periodMs;
    this.#count = count;
    this.#onReport = onReport;
    count(STAT.active_sessions, 1);
    // Hosts that came together are not asked together.
    this.#connectIn(Math.random() * periodMs);
  }

  /** Would a session with the host be the same? */
  isOf({ hostname, security }: ProbeTarget): boolean {
    const { hostname: name, security: own } = this.#target;
    return name === hostname && own?.transportSocket === security?.transportSocket;
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#count(STAT.active_sessions, -1);
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = undefined;
  }

  #connectIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), Math.min(MAX_TIMER_MS, ms)).unref();
  }

  #connect(): void {
    this.#awaitReport();
    this.#stream = new OrcaOobStream(this.#target, this.#periodMs, {
      onReport: (report) => {
        this.#backOff.reset();
        this.#awaitReport();
        this.#onReport(report);
      },
      onEnd: (status) => {
        this.#stream = undefined;
        if (status === UNIMPLEMENTED) {
          this.#count(STAT.stream_terminated, 1);
          this.close();
        } else this.#fail();
      },
    });
  }

  #awaitReport(): void {
    clearTimeout(this.#timer);
    const silenceMs = Math.min(MAX_TIMER_MS, this.#periodMs * PERIODS_OF_SILENCE);
    this.#timer = setTimeout(() => {
      this.#stream?.close();
      this.#stream = undefined;
      this.#fail();
    }, silenceMs).unref();
  }

  #fail(): void {
    this.#count(STAT.stream_failures, 1);
    this.#connectIn(this.#backOff.nextMs());
  }
}
