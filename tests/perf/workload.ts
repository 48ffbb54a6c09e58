// What every workload is, and the stage on which it runs.

import { requestBootstrap } from './bootstraps.ts';
import { accepts, freePorts, type PeerName, PeerProcess } from './peer_process.ts';
import { PinnedChild } from './pinned_child.ts';
import type { UpstreamPorts } from './upstream.ts';

/** One number about one proxy; less is better. */
export interface Figure {
  readonly title: string;
  readonly unit: string;
  readonly value: number;
  /** What Pilotfish may need at most, as a multiple of Envoy's. */
  readonly goal?: number;
  /** What it may be at most for Pilotfish, whatever it is for Envoy. */
  readonly limit?: number;
}

/** Measures one proxy once. */
export type Workload = (stage: Stage, peer: PeerName, seconds: number) => Promise<Figure[]>;

/** Where the proxy in front of the upstream listens. */
export interface RequestPorts {
  readonly http: number;
  readonly tls: number;
  /** HTTP/2, to HTTP/1.1 and to HTTP/2. */
  readonly http2: number;
  readonly grpc: number;
  readonly echo: number;
  readonly source: number;
}

export interface RequestProxy {
  readonly proxy: PeerProcess;
  readonly ports: RequestPorts;
}

const CHILD_START_MS = 20_000;

/** The upstream, and the proxies that are running. */
export class Stage {
  readonly #upstream = new PinnedChild('upstream.ts');
  readonly upstreamPorts = this.#upstream.report<UpstreamPorts>(CHILD_START_MS);
  /** Those that serve more than one measurement. */
  readonly #serving = new Map<PeerName, RequestProxy>();
  readonly #running = new Set<PeerProcess>();
  readonly #warm = new Set<string>();

  /** The proxy in front of the upstream that all request workloads share. */
  async serving(peer: PeerName): Promise<RequestProxy> {
    const serving = this.#serving.get(peer) ?? (await this.startServing(peer));
    this.#serving.set(peer, serving);
    return serving;
  }

  /** Another one like it, that has done nothing yet. */
  async startServing(peer: PeerName): Promise<RequestProxy> {
    const [admin, http, tls, http2, grpc, echo, source] = await freePorts(7);
    const ports: RequestPorts = { http, tls, http2, grpc, echo, source };
    const bootstrap = requestBootstrap(admin, ports, await this.upstreamPorts);
    const proxy = await this.start(peer, bootstrap, () => accepts(http));
    return { proxy, ports };
  }

  /** Starts a proxy and waits until it is ready. */
  async start(peer: PeerName, bootstrap: object, ready: () => Promise<boolean>): Promise<PeerProcess> {
    // The first one ever leaves node's compile cache for those that follow: without it they take longer, and hold the compiler.
    if (this.isCold(peer, 'start')) await this.end(await this.start(peer, bootstrap, ready));
    const proxy = new PeerProcess(peer, bootstrap);
    this.#running.add(proxy);
    await proxy.becomes(ready);
    return proxy;
  }

  async end(proxy: PeerProcess): Promise<void> {
    this.#running.delete(proxy);
    await proxy.stop();
  }

  /** True when asked for the first time: what a proxy does for the first time is not what is measured. */
  isCold(peer: PeerName, what: string): boolean {
    const key = `${peer} ${what}`;
    const cold = !this.#warm.has(key);
    this.#warm.add(key);
    return cold;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((proxy) => this.end(proxy)));
    this.#upstream.stop();
  }
}
