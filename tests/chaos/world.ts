// Everything around the proxy that changes: hosts, what the control plane says, a worker that is killed. What happens is drawn
// from the seed alone; what happened, and when, is written down, because requests are judged by it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../differential/route_cases.ts';
import { ControlPlane } from '../integration/control_plane.ts';
import { eventually, type ProxyProcess } from '../integration/proxy_process.ts';
import { CONDITIONS, type Condition } from './conditions.ts';
import { CLUSTERS, clusterOf, endpointsOf, listenersOf, type PoolName, routesOf } from './configuration.ts';
import { type ChaoticHost, EchoHost, GrpcHost, Http1Host } from './hosts.ts';

/** Of each pool; the first of them stays well. */
const HOSTS: Readonly<Record<PoolName, number>> = { http: 6, grpc: 4, tcp: 3 };
const EVENT_MS = { least: 60, most: 500 };
/** ms until a host that is not well is so again. */
const ILL_MS = { least: 200, most: 2500 };
const FLAPS = 4;
const FLAP_MS = 60;
/** ms until a worker that was killed must have a successor. */
const REPLACED_MS = 20_000;
/** ms before and after that of which connections and access log entries may be lost with a worker. */
const LOST_MS = 2000;
/** ms in which workers have what the proxy has taken, clusters with their hosts. */
const TAKES_EFFECT_MS = 500;
/** ms before a request that are told of with it. */
const BEFORE_MS = 5000;
const NAME_OF_STALL = 'the test itself stood still';

/** Something that was so from one time of performance.now() to another. */
interface Period {
  readonly what: string;
  readonly from: number;
  to: number;
}

export class World {
  readonly pools: Readonly<Record<PoolName, readonly ChaoticHost[]>>;
  readonly plane: ControlPlane;
  readonly #random: Random;
  readonly #periods: Period[] = [];
  #routesVersion = 0;
  #clusterChanges = 0;
  #configuring: Promise<unknown> = Promise.resolve();
  readonly #recoveries = new Set<Promise<void>>();

  private constructor(random: Random, plane: ControlPlane, pools: Record<PoolName, ChaoticHost[]>) {
    this.#random = random;
    this.plane = plane;
    this.pools = pools;
  }

  /** `log` is the file of the access log. */
  static async start(random: Random, log: string): Promise<World> {
    // Addresses of this process alone: nobody else takes the port of a host that is dead.
    const net = `127.${64 + ((process.pid >> 8) & 127)}.${process.pid & 255}`;
    let last = 0;
    const start = (make: (ip: string) => ChaoticHost, count: number): Promise<ChaoticHost[]> =>
      Promise.all(Array.from({ length: count }, () => make(`${net}.${++last}`).start()));
    const pools = {
      http: await start((ip) => new Http1Host(ip), HOSTS.http),
      grpc: await start((ip) => new GrpcHost(ip), HOSTS.grpc),
      tcp: await start((ip) => new EchoHost(ip), HOSTS.tcp),
    };
    const world = new World(random, await ControlPlane.start(), pools);
    world.#hold(log);
    return world;
  }

  #hold(log: string): void {
    for (const [pool, clusters] of Object.entries(CLUSTERS) as [PoolName, string[]][]) {
      for (const name of clusters) {
        this.plane.hold('cluster', name, clusterOf(name, 0));
        this.plane.hold('endpoints', name, endpointsOf(name, this.pools[pool]));
      }
    }
    this.plane.hold('route', 'routes', routesOf(0, true));
    for (const [name, listener] of Object.entries(listenersOf(log)))
      this.plane.hold('listener', name, listener);
  }

  hostAt(address: string): ChaoticHost | undefined {
    return Object.values(this.pools)
      .flat()
      .find((host) => host.address === address);
  }

  /** What of the kind was so at some time between the two; `what` is the beginning of its name. */
  was(what: string, from: number, to: number): boolean {
    return this.#periods.some((one) => one.what.startsWith(what) && one.from <= to && one.to >= from);
  }

  /** For people: what happened between the two, and shortly before, and how hosts were. */
  describe(from: number, to: number): string[] {
    const periods = this.#periods
      .filter((one) => one.from <= to && one.to >= from - BEFORE_MS)
      .map((one) => `${one.what} from ${(one.from - from).toFixed(0)} to ${(one.to - from).toFixed(0)} ms`);
    const hosts = Object.entries(this.pools).flatMap(([pool, all]) =>
      all.map((host) => `${pool} ${host.address}: ${[...host.history.during(from, to)].join(', ')}`),
    );
    return [...periods, ...hosts];
  }

  /** The event loop of the test stood still until now, so that its hosts and clients were late. */
  stoodStill(ms: number): void {
    const to = performance.now();
    this.#periods.push({ what: NAME_OF_STALL, from: to - ms, to });
  }

  stoodStillIn(from: number, to: number): boolean {
    return this.was(NAME_OF_STALL, from, to);
  }

  /** Lets things happen for so many ms, then everything become well. */
  async run(proxy: ProxyProcess, ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end; ) {
      await sleep(this.#between(EVENT_MS));
      this.#event(proxy);
    }
    await Promise.all(this.#recoveries);
    await this.#configuring;
    await this.#vanish(false);
    await this.#changeRoutes(true);
    for (const [pool, hosts] of Object.entries(this.pools) as [PoolName, ChaoticHost[]][]) {
      await Promise.all(CLUSTERS[pool].map((name) => this.#setEndpoints(name, hosts)));
    }
  }

  #event(proxy: ProxyProcess): void {
    const random = this.#random;
    const kind = random.next();
    if (kind < 0.55) this.#harm(this.#anyHost());
    else if (kind < 0.65) this.#flap(this.#anyHost());
    else if (kind < 0.8) this.#changeEndpoints(random.pick(['http', 'grpc', 'tcp']));
    else if (kind < 0.88) void this.#changeRoutes(random.chance(0.5));
    else if (kind < 0.92) void this.#vanish(random.chance(0.5));
    else if (kind < 0.98) {
      const name = random.pick(['retried', 'plain', 'grpc', 'tcp']);
      const cluster = clusterOf(name, ++this.#clusterChanges);
      void this.#configure(`cluster ${name} changes`, () => this.plane.set('cluster', { [name]: cluster }));
    } else this.#killWorker(proxy);
  }

  /** Until another has taken its place, what it served may end, and nobody is left who could log it. */
  #killWorker(proxy: ProxyProcess): void {
    if (this.#periods.some(({ what, to }) => what === 'crash' && to === Number.POSITIVE_INFINITY)) return;
    const period = { what: 'crash', from: performance.now() - LOST_MS, to: Number.POSITIVE_INFINITY };
    this.#periods.push(period);
    const replaced = (): number => proxy.stderr.split('worker_0 was replaced').length;
    const before = replaced();
    // Not SIGUSR2, at which node writes a report into the working directory when a test runner started it.
    proxy.signal('SIGPWR');
    const recovery = eventually(async () => replaced() > before, 'a new worker', REPLACED_MS).then(() => {
      period.to = performance.now() + LOST_MS;
    });
    this.#recoveries.add(recovery);
    void recovery.then(() => this.#recoveries.delete(recovery));
  }

  #between({ least, most }: { least: number; most: number }): number {
    return least + Math.floor(this.#random.next() * (most - least));
  }

  /** Not the first of its pool: that one is always there, and always well. */
  #anyHost(): ChaoticHost {
    return this.#random.pick(Object.values(this.pools).flatMap((all) => all.slice(1)));
  }

  #harm(host: ChaoticHost): void {
    const condition = this.#random.pick<Condition>(CONDITIONS.slice(1));
    this.#afterwards(host, [[condition, this.#between(ILL_MS)]]);
  }

  #flap(host: ChaoticHost): void {
    const steps = Array.from({ length: FLAPS }, (): [Condition, number][] => [
      ['dead', FLAP_MS],
      ['well', FLAP_MS],
    ]);
    this.#afterwards(host, steps.flat());
  }

  /** Goes through conditions, each for so many ms, and ends well. */
  #afterwards(host: ChaoticHost, steps: readonly [Condition, number][]): void {
    const recovery = (async () => {
      for (const [condition, ms] of steps) {
        await host.become(condition);
        await sleep(ms);
      }
      await host.become('well');
    })();
    this.#recoveries.add(recovery);
    void recovery.then(() => this.#recoveries.delete(recovery));
  }

  #changeEndpoints(pool: PoolName): void {
    const [first, ...others] = this.pools[pool];
    const hosts = [first, ...others.filter(() => this.#random.chance(0.6))];
    for (const name of CLUSTERS[pool]) void this.#setEndpoints(name, hosts);
  }

  #setEndpoints(name: string, hosts: readonly ChaoticHost[]): Promise<void> {
    const endpoints = endpointsOf(name, hosts);
    const change = (): Promise<string | undefined> => this.plane.set('endpoints', { [name]: endpoints });
    return this.#configure(`endpoints of ${name} change`, change);
  }

  /** Routes with or without `/flicker`. */
  #changeRoutes(flicker: boolean): Promise<void> {
    const routes = routesOf(++this.#routesVersion, flicker);
    return this.#configure('routes change', () => this.plane.set('route', { routes }), 'no route', !flicker);
  }

  /** The cluster `vanishing` goes, or comes again. */
  #vanish(gone: boolean): Promise<void> {
    const change = (): Promise<string | undefined> =>
      gone
        ? this.plane.remove('cluster', 'vanishing')
        : this.plane.set('cluster', { vanishing: clusterOf('vanishing', 0) });
    return this.#configure('clusters change', change, 'no cluster', gone);
  }

  /** One change after the other. `absence` is from then on, or ends. */
  #configure(
    what: string,
    change: () => Promise<string | undefined>,
    absence?: 'no route' | 'no cluster',
    absent = false,
  ): Promise<void> {
    const done = this.#configuring.then(async () => {
      const period = { what, from: performance.now(), to: Number.POSITIVE_INFINITY };
      this.#periods.push(period);
      if (absent) this.#periods.push({ what: absence!, from: period.from, to: Number.POSITIVE_INFINITY });
      const refused = await change();
      if (refused !== undefined) throw new Error(`${what}: refused: ${refused}`);
      period.to = performance.now();
      if (absence === undefined || absent) return;
      const over = period.to + TAKES_EFFECT_MS;
      for (const one of this.#periods) if (one.what === absence && one.to > over) one.to = over;
    });
    this.#configuring = done;
    return done;
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.pools).flatMap((all) => all.map((host) => host.stop())));
    this.plane.close();
  }
}
