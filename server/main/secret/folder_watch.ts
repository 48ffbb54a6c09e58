// Calls back when something in a folder was replaced by a rename or written: how Kubernetes rotates mounted secrets
// (`..data` is moved) and how people do. Envoy: source/common/filesystem/inotify/watcher_impl.cc.

import { type FSWatcher, watch } from 'node:fs';
import { logger } from '../../common/log.ts';

const log = logger('secret');

/** ms of quiet before the callback: certificate and key are two files and change one after the other. */
const SETTLE_MS = 50;

export class FolderWatch {
  readonly #watchers: FSWatcher[] = [];
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(folders: Iterable<string>, onChange: () => void) {
    this.#onChange = onChange;
    for (const folder of folders) this.#watch(folder);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(this.#onChange, SETTLE_MS);
      });
      watcher.on('error', (error) => log.warning(`watch of ${folder} ended: ${error.message}`));
      this.#watchers.push(watcher);
    } catch (error) {
      log.warning(`unable to watch ${folder}: ${(error as Error).message}`);
    }
  }
}
