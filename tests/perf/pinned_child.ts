// Child processes with a core of their own: proxies on one, load and upstream on the other.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import path from 'node:path';

export const PROXY_CORE = 0;
export const LOAD_CORE = 1;

/** Can processes be tied to both cores? */
export const CAN_PIN = [PROXY_CORE, LOAD_CORE].every(
  (core) => spawnSync('taskset', ['-c', String(core), 'true']).status === 0,
);

const CAN_BE_IDLE = spawnSync('chrt', ['--idle', '0', 'true']).status === 0;

/** The command that runs `command` on that core, where that is possible. */
export function pinned(core: number, command: readonly string[]): string[] {
  return CAN_PIN ? ['taskset', '-c', String(core), ...command] : [...command];
}

/** A program of this folder on the load's core. It ends with this process, because its standard input does. */
export class PinnedChild {
  readonly #process: ChildProcess;
  #written = '';

  /** `idle`: it runs when nobody else does. */
  constructor(script: string, argument = '', priority: 'normal' | 'idle' = 'normal') {
    const program = [process.execPath, path.join(import.meta.dirname, script), argument];
    const scheduled = priority === 'idle' && CAN_BE_IDLE ? ['chrt', '--idle', '0', ...program] : program;
    const [command, ...args] = pinned(LOAD_CORE, scheduled);
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#written += text));
  }

  /** The JSON of its first line. Rejects when none came within `ms`. */
  report<Report>(ms: number): Promise<Report> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!this.#written.includes('\n')) return;
        clearTimeout(timer);
        resolve(JSON.parse(this.#written) as Report);
      };
      const timer = setTimeout(() => reject(new Error(`a child said nothing for ${ms} ms`)), ms);
      this.#process.on('error', reject).once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`a child ended with ${code}`));
      });
      this.#process.stdout!.on('data', look);
      look();
    });
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}
