// Tells when something is moved into a directory. A file that is written in place says nothing: its reader would see half of it.
// Envoy: Filesystem::Watcher::Events::MovedTo, source/common/filesystem/inotify/watcher_impl.cc.

import { type FSWatcher, watch } from 'node:fs';
import { logger } from '../../common/log.ts';

const log = logger('config');

/** A move is two events (away, here), a Kubernetes volume's swap a handful: one reading answers them all. */
const SETTLE_MS = 20;

export class DirectoryWatch {
  readonly #watcher: FSWatcher;
  #timer: NodeJS.Timeout | undefined;

  /** `file`: only that entry; undefined: any. Throws when the directory cannot be watched. */
  constructor(directory: string, file: string | undefined, onMoved: () => void) {
    this.#watcher = watch(directory, { persistent: false }, (event, name) => {
      if (event !== 'rename' || (file !== undefined && name !== null && name !== file)) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(onMoved, SETTLE_MS);
    });
    this.#watcher.on('error', (error) => log.error(`watching ${directory} failed: ${error.message}`));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watcher.close();
  }
}
