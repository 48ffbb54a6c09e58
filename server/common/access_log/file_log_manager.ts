// The log files of one thread by path. Envoy: source/common/access_log/access_log_manager_impl.cc.

import { ConfigError } from '../../api/config_error.ts';
import type { LogFile, LogFileManager } from '../../api/registry.ts';
import type { StatStore } from '../../api/stats.ts';
import { FILESYSTEM_STATS } from '../stats/families/server.ts';
import { AccessLogFile } from './access_log_file.ts';

/** Files stay open as long as the thread lives: the next configuration usually names the same ones. */
export class FileLogManager implements LogFileManager {
  private readonly files = new Map<string, AccessLogFile>();
  private readonly options: { readonly fileFlushMinSizeBytes: number; readonly fileFlushIntervalMs: number };
  private readonly stats: StatStore;

  /** `options` are --file-flush-min-size-kb (in bytes) and --file-flush-interval-msec; ServerInfo has them. */
  constructor(
    options: { readonly fileFlushMinSizeBytes: number; readonly fileFlushIntervalMs: number },
    stats: StatStore,
  ) {
    this.options = options;
    this.stats = stats;
  }

  open(path: string): LogFile {
    const existing = this.files.get(path);
    if (existing !== undefined) return existing;
    const file = this.create(path);
    this.files.set(path, file);
    return file;
  }

  /** SIGUSR1 and POST /reopen_logs. */
  reopen(): void {
    for (const file of this.files.values()) file.reopen();
  }

  /** Writes what is gathered now, for a process that is about to exit. */
  flushSync(): void {
    for (const file of this.files.values()) file.flushSync();
  }

  /** Writes the rest of all files and closes them. */
  async close(): Promise<void> {
    const files = [...this.files.values()];
    this.files.clear();
    await Promise.all(files.map((file) => file.close()));
  }

  private create(path: string): AccessLogFile {
    const { fileFlushMinSizeBytes, fileFlushIntervalMs } = this.options;
    const stats = this.stats.block(FILESYSTEM_STATS, 'filesystem.');
    try {
      return new AccessLogFile(path, fileFlushMinSizeBytes, fileFlushIntervalMs, stats);
    } catch (error) {
      throw new ConfigError('', `unable to open file '${path}': ${(error as Error).message}`);
    }
  }
}
