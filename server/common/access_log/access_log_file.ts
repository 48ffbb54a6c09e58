// A log file of one thread: lines are gathered and written in one append when enough are there or when they get old, so
// that a request costs a string concatenation and several workers may share a file without mixing lines.
// Envoy: source/common/access_log/access_log_manager_impl.cc.

import { closeSync, openSync, write, writeSync } from 'node:fs';
import type { LogFile } from '../../api/registry.ts';
import type { StatBlock } from '../../api/stats.ts';
import { FILESYSTEM_STATS } from '../stats/families/server.ts';

const STAT = FILESYSTEM_STATS.offset;

/** Lines are dropped (and counted) rather than kept beyond this, when the disk or the reader of stdout stalls. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
/** How long to wait before asking a full pipe again, ms. */
const RETRY_MS = 20;
const STDOUT = 1;
const STDERR = 2;

/** Opens for appending; stdout and stderr are the process's own. Throws what openSync throws. */
function openLog(path: string): number {
  if (path === '/dev/stdout') return STDOUT;
  if (path === '/dev/stderr') return STDERR;
  return openSync(path, 'a', 0o644);
}

function closeLog(fd: number): void {
  if (fd !== STDOUT && fd !== STDERR) closeSync(fd);
}

export class AccessLogFile implements LogFile {
  readonly path: string;
  private readonly flushMinSizeBytes: number;
  private readonly flushIntervalMs: number;
  private readonly stats: StatBlock<keyof typeof STAT>;
  private fd: number;
  private text = '';
  /** What is being written, and how much of it already is. */
  private chunk: Buffer | undefined;
  private written = 0;
  private timer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  /** The file to close when the write in flight is done with it. */
  private retiredFd = -1;
  private readonly waiters: (() => void)[] = [];
  private readonly onTimer = (): void => {
    this.timer = undefined;
    this.count(STAT.flushed_by_timer, 1);
    this.flush();
  };

  /** Throws what openSync throws. Starts no timer before the first line. */
  constructor(
    path: string,
    flushMinSizeBytes: number,
    flushIntervalMs: number,
    stats: StatBlock<keyof typeof STAT>,
  ) {
    this.path = path;
    this.flushMinSizeBytes = flushMinSizeBytes;
    this.flushIntervalMs = flushIntervalMs;
    this.stats = stats;
    this.fd = openLog(path);
  }

  /** `line` is byte text with its newline. */
  write(line: string): void {
    if (this.text.length + line.length > MAX_BUFFERED_BYTES) {
      this.count(STAT.write_dropped, 1);
      return;
    }
    this.text += line;
    this.count(STAT.write_buffered, 1);
    this.count(STAT.write_total_buffered, line.length);
    if (this.text.length >= this.flushMinSizeBytes) this.flush();
    else if (this.timer === undefined) this.timer = setTimeout(this.onTimer, this.flushIntervalMs).unref();
  }

  /** Starts writing what is gathered, unless a write is under way: its end comes back here. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.chunk !== undefined || this.text === '') return;
    this.chunk = Buffer.from(this.text, 'latin1');
    this.written = 0;
    this.text = '';
    this.writeChunk();
  }

  /** Resolves when all lines so far are written or have failed. */
  flushed(): Promise<void> {
    this.flush();
    if (this.chunk === undefined) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Writes what is left before the process goes. What a write in flight has not reported is not written twice. */
  flushSync(): void {
    const waiting = this.retryTimer === undefined ? undefined : this.chunk?.subarray(this.written);
    const bytes = Buffer.concat([waiting ?? Buffer.alloc(0), Buffer.from(this.text, 'latin1')]);
    this.text = '';
    try {
      let written = 0;
      while (written < bytes.length) written += writeSync(this.fd, bytes, written);
    } catch {
      this.count(STAT.write_failed, 1);
    }
  }

  /** Opens the path anew (after logrotate moved it). The old file stays in use when that fails. */
  reopen(): void {
    let fd: number;
    try {
      fd = openLog(this.path);
    } catch {
      this.count(STAT.reopen_failed, 1);
      return;
    }
    if (this.chunk === undefined) closeLog(this.fd);
    else if (this.retiredFd < 0) this.retiredFd = this.fd;
    else closeLog(this.fd);
    this.fd = fd;
  }

  private writeChunk(): void {
    const chunk = this.chunk!;
    const fd = this.retiredFd < 0 ? this.fd : this.retiredFd;
    write(fd, chunk, this.written, chunk.length - this.written, null, (error, bytes) =>
      this.onWritten(error, bytes),
    );
  }

  private onWritten(error: NodeJS.ErrnoException | null, bytes: number): void {
    if (error?.code === 'EAGAIN') {
      this.retryTimer = setTimeout(() => {
        this.retryTimer = undefined;
        this.writeChunk();
      }, RETRY_MS);
      return;
    }
    const chunk = this.chunk!;
    if (error === null) {
      this.written += bytes;
      if (this.written < chunk.length) {
        this.writeChunk();
        return;
      }
    }
    this.count(error === null ? STAT.write_completed : STAT.write_failed, 1);
    this.count(STAT.write_total_buffered, -chunk.length);
    this.chunk = undefined;
    if (this.retiredFd >= 0) closeLog(this.retiredFd);
    this.retiredFd = -1;
    this.afterWrite();
  }

  private afterWrite(): void {
    if (this.waiters.length > 0 || this.text.length >= this.flushMinSizeBytes) this.flush();
    if (this.chunk !== undefined) return;
    for (const resolve of this.waiters.splice(0)) resolve();
  }

  /** Writes the rest and closes the file. Nothing may be written afterwards. */
  async close(): Promise<void> {
    await this.flushed();
    clearTimeout(this.timer);
    clearTimeout(this.retryTimer);
    closeLog(this.fd);
  }

  private count(offset: number, n: number): void {
    this.stats.values[this.stats.base + offset] += n;
  }
}
