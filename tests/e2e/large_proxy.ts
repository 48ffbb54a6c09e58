// A proxy with ten thousand clusters, fifty thousand routes and a million stats, one of whose clusters has a host.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { staticCluster } from '../integration/control_plane.ts';
import { ANY_ADMIN_PORT, ProxyProcess } from '../integration/proxy_process.ts';
import { httpFilter } from '../integration/resources.ts';

export const CLUSTERS = 10_000;
const VIRTUAL_HOSTS = 5_000;
const ROUTES_EACH = 10;
export const ROUTES = VIRTUAL_HOSTS * ROUTES_EACH;
/** Where nobody listens: the discard protocol. */
const NOBODY = 9;

/** What is looked at first on a screen, and what is found by typing. */
export interface LargeScreen {
  readonly path: string;
  readonly first: string;
  readonly search: string;
  readonly found: string;
}

export const LARGE_SCREENS: readonly LargeScreen[] = [
  { path: '/clusters', first: 'service-0.default', search: 'service-7777', found: 'service-7777.default' },
  { path: '/routes', first: 'host-0.example', search: 'host-4321', found: 'host-4321.example' },
  { path: '/stats?used=false', first: 'cluster.', search: 'service-7777', found: 'service-7777.default.' },
]; // biome-ignore format: a table

function bootstrap(port: number): object {
  const clusters = Array.from({ length: CLUSTERS }, (_, i) => ({
    ...staticCluster(nameOf(i), i === 0 ? port : NOBODY),
    circuit_breakers: { thresholds: [{ track_remaining: true }] },
  }));
  const virtualHosts = Array.from({ length: VIRTUAL_HOSTS }, (_, host) => ({
    name: `host-${host}`,
    domains: [`host-${host}.example`],
    routes: Array.from({ length: ROUTES_EACH }, (_, route) => ({
      match: { prefix: `/path-${route}/` },
      route: { cluster: nameOf((host * ROUTES_EACH + route) % CLUSTERS) },
    })),
  }));
  const routes = { name: 'many', virtual_hosts: virtualHosts };
  const filter = httpFilter('', { rds: undefined, route_config: routes });
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  const listeners = [{ name: 'in', address, filter_chains: [{ filters: [filter] }] }];
  return { ...ANY_ADMIN_PORT, static_resources: { clusters, listeners } };
}

function nameOf(cluster: number): string {
  return `outbound|80||service-${cluster}.default`;
}

export class LargeProxy {
  /** A request to the host. */
  static readonly request = { host: 'host-0.example', path: '/path-0/' } as const;

  readonly proxy: ProxyProcess;
  readonly #folder: string;

  private constructor(proxy: ProxyProcess, folder: string) {
    this.proxy = proxy;
    this.#folder = folder;
  }

  /** `port`: of the host. */
  static async start(port = NOBODY): Promise<LargeProxy> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-large-'));
    const file = path.join(folder, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(bootstrap(port)));
    return new LargeProxy(await ProxyProcess.start('-c', file, '--concurrency', '1'), folder);
  }

  get origin(): string {
    return `http://${this.proxy.adminAddress}`;
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
