// The proxies that are compared: each started the same way, alone on its core, with one worker thread.
// Their admin port is left alone unless a workload is about it: what a process loads to answer there is memory too.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVOY_BIN } from '../differential/envoy_process.ts';
import { PROXY_CORE, pinned } from './pinned_child.ts';

export const PEER_NAMES = ['pilotfish', 'envoy'] as const;
export type PeerName = (typeof PEER_NAMES)[number];
export const PEER_TITLES: Readonly<Record<PeerName, string>> = { pilotfish: 'Pilotfish', envoy: 'Envoy' };

const SERVER = path.join(import.meta.dirname, '..', '..', 'server', 'main.ts');
const FLAGS = ['--concurrency', '1', '--disable-hot-restart', '-l', 'error'];
const START_MS = 60_000;
/** ms between two looks whether it is ready; what is measured of a start is as coarse. */
const POLL_MS = 5;
/** ms that it may take to end in order. */
const STOP_MS = 2000;

export class PeerProcess {
  readonly #child: ChildProcess;
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'bench-'));
  /** What it wrote. */
  #log = '';

  constructor(name: PeerName, bootstrap: object) {
    const file = path.join(this.#directory, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(bootstrap));
    const program = name === 'pilotfish' ? [process.execPath, SERVER] : [ENVOY_BIN!];
    const [command, ...args] = pinned(PROXY_CORE, [...program, '-c', file, ...FLAGS]);
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    }
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Throws with its log when that does not come true. */
  async becomes(ready: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + START_MS; !(await ready()); await sleep(POLL_MS)) {
      if (!this.#running || Date.now() > deadline) throw new Error(`it does not start\n${this.#log}`);
    }
  }

  async stop(): Promise<void> {
    const exited = this.#running ? once(this.#child, 'exit') : undefined;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(timer);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

/** Ports that nobody uses at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Does somebody take connections there? */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
