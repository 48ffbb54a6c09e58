// Pilotfish as its users start it, through bin/pilotfish.cjs, with the admin port chosen by the system.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = path.join(import.meta.dirname, '..', '..');
const BIN = path.join(ROOT, 'bin', 'pilotfish.cjs');
/** ms until a proxy must be ready. Generous: other tests run beside it. */
const START_MS = 30_000;

export const ANY_ADMIN_PORT = {
  admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
};

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ProxyProcess {
  /** What it wrote so far. */
  stdout = '';
  stderr = '';
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-'));

  constructor(args: readonly string[], [program, ...before]: readonly string[] = [process.execPath, BIN]) {
    const flags = [...before, '--admin-address-path', this.#adminFile, ...args];
    this.#child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exited = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }) as Exit);
  }

  /** Starts one and waits until it is ready. Throws with what it wrote when it does not become so. */
  static start(...args: string[]): Promise<ProxyProcess> {
    return ProxyProcess.startAs([process.execPath, BIN], ...args);
  }

  /** As `start`, by another command than users have. */
  static async startAs(command: readonly string[], ...args: string[]): Promise<ProxyProcess> {
    const proxy = new ProxyProcess(args, command);
    const deadline = Date.now() + START_MS;
    while (!(await proxy.#isReady())) {
      if (proxy.#running && Date.now() < deadline) await sleep(50);
      else {
        await proxy.stop();
        throw new Error(`not ready\n${proxy.stdout}${proxy.stderr}`);
      }
    }
    return proxy;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it in order, if it still runs. */
  async stop(): Promise<Exit> {
    if (this.#running) this.#child.kill('SIGTERM');
    const exit = await this.exited;
    rmSync(this.#directory, { recursive: true, force: true });
    return exit;
  }

  admin(target: string, method = 'GET', body = ''): Promise<Answer> {
    return ask(`http://${this.adminAddress}${target}`, { method }, body);
  }

  /** Of the admin port. */
  get adminAddress(): string {
    return readFileSync(this.#adminFile, 'utf8');
  }

  /** The port of a listener. */
  async port(listener: string): Promise<number> {
    const { body } = await this.admin('/listeners');
    const address = new RegExp(`^${listener}::.*:(\\d+)$`, 'm').exec(body);
    if (address === null) throw new Error(`no listener ${listener} in\n${body}`);
    return Number(address[1]);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get #running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get #adminFile(): string {
    return path.join(this.#directory, 'admin');
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await this.admin('/ready')).status === 200;
    } catch {
      return false;
    }
  }
}

/** One request on a connection of its own. */
export function ask(url: string, options: http.RequestOptions = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent: false, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Waits until `holds`; throws what it said last after `ms`. */
export async function eventually(holds: () => Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  for (const deadline = Date.now() + ms; !(await holds()); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
  }
}
