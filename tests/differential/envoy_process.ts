// A real Envoy beside the test, as the judge of what Pilotfish answers. Found by ENVOY_BIN or on PATH; tests skip without it.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The binary, or undefined. */
export const ENVOY_BIN = process.env.ENVOY_BIN ?? onPath();

function onPath(): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'command -v envoy'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** The command that starts Pilotfish. */
export const PILOTFISH = [process.execPath, path.join(import.meta.dirname, '../../bin/pilotfish.cjs')];

const QUIET = [
  '--disable-hot-restart',
  '--concurrency',
  '1',
  '--log-level',
  'error',
  '--file-flush-interval-msec',
  '50',
];

/** What `--mode validate` says: undefined when Envoy takes the bootstrap, else its words. */
export function validate(bootstrap: object): string | undefined {
  const arguments_ = [...QUIET, '--mode', 'validate', '--config-yaml', JSON.stringify(bootstrap)];
  const { status, stdout, stderr } = spawnSync(ENVOY_BIN!, arguments_, { encoding: 'utf8', timeout: 20_000 });
  return status === 0 ? undefined : stdout + stderr;
}

/** A running Envoy (or what is started like one) whose listeners are bound to ports of the system's choice. */
export class EnvoyProcess {
  private readonly child: ChildProcess;
  private readonly directory: string;
  /** What it wrote. */
  log = '';
  /** Ports by listener name. */
  readonly ports = new Map<string, number>();
  adminPort = 0;

  private constructor(bootstrap: object, [command, ...before]: readonly string[]) {
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'envoy-'));
    const config = path.join(this.directory, 'envoy.json');
    const admin = { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } };
    writeFileSync(config, JSON.stringify({ admin, ...bootstrap }));
    const flags = [...before, ...QUIET, '-c', config, '--admin-address-path', this.adminFile];
    this.child = spawn(command, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    }
  }

  private get adminFile(): string {
    return path.join(this.directory, 'admin');
  }

  /** Starts Envoy (or another command) and waits until it serves. Throws with its log when it does not. */
  static async start(bootstrap: object, command: readonly string[] = [ENVOY_BIN!]): Promise<EnvoyProcess> {
    const envoy = new EnvoyProcess(bootstrap, command);
    try {
      await envoy.becomeReady();
    } catch (error) {
      await envoy.stop();
      throw new Error(`${String(error)}\n${envoy.log}`, { cause: error });
    }
    return envoy;
  }

  private async becomeReady(): Promise<void> {
    for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
      if (this.child.exitCode !== null) throw new Error(`exited with ${this.child.exitCode}`);
      if (Date.now() > deadline) throw new Error('did not become ready');
      try {
        this.adminPort = Number(readFileSync(this.adminFile, 'utf8').split(':').at(-1));
        if ((await fetch(`${this.admin}/ready`)).status === 200) break;
      } catch {
        // Not written or not listening yet.
      }
    }
    const listing: unknown = await (await fetch(`${this.admin}/listeners?format=json`)).json();
    const { listener_statuses: statuses = [] } = listing as {
      listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
    };
    for (const { name, local_address } of statuses)
      this.ports.set(name, local_address.socket_address.port_value);
  }

  get admin(): string {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGKILL');
      await exited;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
