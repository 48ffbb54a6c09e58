// What every workload is, and the stage on which it runs.

import type { EnvoyProcess } from '../differential/envoy_process.ts';
import { requestBootstrap } from './bootstraps.ts';
import { type PeerName, startPeer } from './peer.ts';
import { PinnedChild } from './pinned_child.ts';
import type { UpstreamPorts } from './upstream.ts';

/** One number about one proxy; less is better. */
export interface Figure {
  readonly title: string;
  readonly unit: string;
  readonly value: number;
  /** What Pilotfish may need at most, as a multiple of Envoy's. */
  readonly goal?: number;
}

/** Measures one proxy once. */
export type Workload = (stage: Stage, peer: PeerName, seconds: number) => Promise<Figure[]>;

const CHILD_START_MS = 20_000;

/** The upstream, and the proxies that are running. */
export class Stage {
  readonly #upstream = new PinnedChild('upstream.ts');
  readonly #ports = this.#upstream.report<UpstreamPorts>(CHILD_START_MS);
  /** Those that serve more than one measurement. */
  readonly #serving = new Map<PeerName, EnvoyProcess>();
  readonly #running = new Set<EnvoyProcess>();
  readonly #warm = new Set<string>();

  /** The proxy in front of the upstream that all request workloads share. */
  async serving(peer: PeerName): Promise<EnvoyProcess> {
    const proxy = this.#serving.get(peer) ?? (await this.startServing(peer));
    this.#serving.set(peer, proxy);
    return proxy;
  }

  /** Another one like it, that has done nothing yet. */
  async startServing(peer: PeerName): Promise<EnvoyProcess> {
    return this.start(peer, requestBootstrap(await this.#ports));
  }

  async start(peer: PeerName, bootstrap: object): Promise<EnvoyProcess> {
    const proxy = await startPeer(peer, bootstrap);
    this.#running.add(proxy);
    return proxy;
  }

  async end(proxy: EnvoyProcess): Promise<void> {
    this.#running.delete(proxy);
    await proxy.stop();
  }

  /** True when asked for the first time: code must have been compiled before it is measured. */
  isCold(peer: PeerName, workload: string): boolean {
    const key = `${peer} ${workload}`;
    const cold = !this.#warm.has(key);
    this.#warm.add(key);
    return cold;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((proxy) => this.end(proxy)));
    this.#upstream.stop();
  }
}
