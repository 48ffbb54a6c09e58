// The demo as `npm start` runs it, on ports of the system's choice, with clients that ask all the time: what the dashboard is
// looked at with.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DEMO_PORTS, type DemoBackends, startBackends } from '../../server/main/demo/backends.ts';
import { DEMO_FOLDER } from '../../server/main/demo/demo.ts';
import { ANY_ADMIN_PORT, ask, ProxyProcess } from '../integration/proxy_process.ts';

/** ms between two requests. */
const PACE_MS = 15;
const PATHS = [
  '/hello',
  '/api/users',
  '/hello',
  '/flaky',
  '/direct',
  '/old',
  '/hello',
  '/slow',
  '/api/orders',
];

export class DemoUnderTraffic {
  readonly proxy: ProxyProcess;
  readonly #backends: DemoBackends;
  readonly #folder: string;
  readonly #traffic: NodeJS.Timeout;

  private constructor(proxy: ProxyProcess, backends: DemoBackends, folder: string, port: number) {
    this.proxy = proxy;
    this.#backends = backends;
    this.#folder = folder;
    let sent = 0;
    this.#traffic = setInterval(() => {
      const target = PATHS[sent++ % PATHS.length];
      const headers = sent % 5 === 0 ? { 'x-version': 'v2' } : {};
      // The last ones are under way when the proxy goes.
      ask(`http://127.0.0.1:${port}${target}`, { headers }).catch(() => undefined);
    }, PACE_MS);
  }

  static async start(): Promise<DemoUnderTraffic> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-demo-'));
    cpSync(DEMO_FOLDER, folder, { recursive: true });
    const backends = await startBackends({ helloV1: 0, helloV2: 0, echo: 0 });
    const edit = (file: string, from: string | RegExp, to: string): void => {
      const full = path.join(folder, file);
      writeFileSync(full, readFileSync(full, 'utf8').replaceAll(from, to));
    };
    edit('listeners.yaml', /port_value: \d+/g, 'port_value: 0');
    edit('clusters.yaml', `port_value: ${DEMO_PORTS.echo}`, `port_value: ${backends.ports.echo}`);
    edit('endpoints.yaml', `port_value: ${DEMO_PORTS.helloV1}`, `port_value: ${backends.ports.helloV1}`);
    edit('endpoints.yaml', `port_value: ${DEMO_PORTS.helloV2}`, `port_value: ${backends.ports.helloV2}`);
    const proxy = await ProxyProcess.start(
      ...['--resources', folder, '--config-yaml', JSON.stringify(ANY_ADMIN_PORT), '--concurrency', '2'],
    );
    return new DemoUnderTraffic(proxy, backends, folder, await proxy.port('http'));
  }

  /** Of the dashboard. */
  get url(): string {
    return `http://${this.proxy.adminAddress}/ui`;
  }

  /** Adds to a file of the control plane's folder. */
  append(file: string, text: string): void {
    const full = path.join(this.#folder, file);
    writeFileSync(full, readFileSync(full, 'utf8') + text);
  }

  async stop(): Promise<void> {
    clearInterval(this.#traffic);
    await this.proxy.stop();
    this.#backends.close();
    rmSync(this.#folder, { recursive: true });
  }
}
