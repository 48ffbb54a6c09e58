// Where the main thread's log lines go: stderr or --log-path, which can be opened anew after a rotation.
// Workers send their records here.

import { closeSync, openSync, writeSync } from 'node:fs';
import { ConfigError } from '../api/config_error.ts';
import { type LogRecord, setLogSink } from '../common/log.ts';
import type { LogLineFormatter } from '../common/log_format.ts';

const STDERR = 2;

export class LogOutput {
  readonly #path: string;
  #format: LogLineFormatter;
  #fd: number;

  /** `path` '' is stderr. Takes all of this thread's records from now on. Throws ConfigError. */
  constructor(path: string, format: LogLineFormatter) {
    this.#path = path;
    this.#format = format;
    this.#fd = this.#open();
    setLogSink((record) => this.write(record, process.pid));
  }

  /** The bootstrap may know another format than the command line. */
  set format(format: LogLineFormatter) {
    this.#format = format;
  }

  /** `thread` is what %t prints: the process id for the main thread, as Envoy's is. */
  write(record: LogRecord, thread: number): void {
    try {
      writeSync(this.#fd, `${this.#format(record, thread, new Date())}\n`);
    } catch {
      // A full disk or a closed stderr must not take the proxy down, and there is nobody left to tell.
    }
  }

  /** /reopen_logs and SIGUSR1: the file may have been moved away. */
  reopen(): void {
    if (this.#fd === STDERR) return;
    closeSync(this.#fd);
    this.#fd = this.#open();
  }

  #open(): number {
    if (this.#path === '' || this.#path === '/dev/stderr') return STDERR;
    try {
      return openSync(this.#path, 'a');
    } catch (error) {
      throw new ConfigError('', `Failed to open log-file '${this.#path}'. ${(error as Error).message}`);
    }
  }
}
