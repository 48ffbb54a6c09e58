// Weights of a cluster's hosts from the load that they report: what a host serves per second by how busy that keeps it.
// Envoy: source/extensions/load_balancing_policies/common/orca_weight_manager.cc.

import type { HeaderMap } from '../../api/http/header_map.ts';
import { monotonicNow } from '../event/dispatcher.ts';
import { Timer, type TimerOwner } from '../event/timer.ts';
import type { Host } from '../upstream/host.ts';
import type { ClientSideWeightedConfig } from './load_balancer_config.ts';
import { parseOrcaLoadReport, weightOf } from './orca_load_report.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** What a host's reports come to. Envoy: OrcaHostLbPolicyData. */
export class HostLoad {
  /** Of the balancer now. */
  weight = 1;
  private reported = 0;
  /** ms of the monotonic clock. */
  private reportedAt = Number.NEGATIVE_INFINITY;
  private nonEmptySince = NEVER;

  report(weight: number, now: number): void {
    this.reported = weight;
    this.reportedAt = now;
    if (this.nonEmptySince === NEVER) this.nonEmptySince = now;
  }

  /** Undefined while reports are too new, or the last one is too old. */
  validWeight({ blackoutMs, expirationMs }: ClientSideWeightedConfig, now: number): number | undefined {
    if (now - blackoutMs < this.nonEmptySince) return undefined;
    if (this.reportedAt < now - expirationMs) {
      this.nonEmptySince = NEVER;
      return undefined;
    }
    return this.reported;
  }
}

export class ClientSideWeights implements TimerOwner {
  private readonly config: ClientSideWeightedConfig;
  private readonly hosts: () => readonly Host[];
  private readonly onUpdate: () => void;
  private readonly timer: Timer;

  /** `hosts`: those of the cluster now. `onUpdate` is called when weights have changed. */
  constructor(config: ClientSideWeightedConfig, hosts: () => readonly Host[], onUpdate: () => void) {
    this.config = config;
    this.hosts = hosts;
    this.onUpdate = onUpdate;
    this.timer = new Timer(this);
    this.timer.enable(config.updateMs, monotonicNow());
  }

  onTimeout(): void {
    this.timer.enable(this.config.updateMs, monotonicNow());
    if (this.update()) this.onUpdate();
  }

  close(): void {
    this.timer.disable();
  }

  /** True when `headers` (or trailers) of an answer of the host hold a report that can be read. */
  takeReport(host: Host, headers: HeaderMap): boolean {
    const report = parseOrcaLoadReport(headers);
    if (report === undefined) return false;
    const weight = weightOf(report, this.config);
    if (weight !== undefined) (host.load ??= new HostLoad()).report(weight, monotonicNow());
    return true;
  }

  /** What the main thread was told out of band: weights by the hosts' slots. */
  takeWeights(weights: ReadonlyMap<number, number>): void {
    const now = monotonicNow();
    for (const host of this.hosts()) {
      const weight = weights.get(host.slotNumber);
      if (weight !== undefined) (host.load ??= new HostLoad()).report(weight, now);
    }
  }

  /** Computes weights anew; true when one has changed. Hosts without a valid one get the median. */
  update(now = monotonicNow()): boolean {
    const valid: number[] = [];
    const others: HostLoad[] = [];
    let changed = false;
    for (const host of this.hosts()) {
      const load = (host.load ??= new HostLoad());
      const weight = load.validWeight(this.config, now);
      if (weight === undefined) {
        others.push(load);
        continue;
      }
      valid.push(weight);
      changed = setWeight(load, weight) || changed;
    }
    const rest = median(valid);
    for (const load of others) changed = setWeight(load, rest) || changed;
    return changed;
  }
}

function setWeight(load: HostLoad, weight: number): boolean {
  const next = Math.max(1, weight);
  if (next === load.weight) return false;
  load.weight = next;
  return true;
}

function median(weights: number[]): number {
  if (weights.length === 0) return 1;
  weights.sort((a, b) => a - b);
  const middle = weights.length >> 1;
  if (weights.length % 2 === 1) return weights[middle];
  return Math.floor((weights[middle - 1] + weights[middle]) / 2);
}
