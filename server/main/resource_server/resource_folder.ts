// A watched folder of resource files. A file that is broken keeps the resources of its last good state, and its fault is logged
// with file, line and column; the other files go on.

import { type FSWatcher, readdirSync, readFileSync, watch } from 'node:fs';
import path from 'node:path';
import { logger } from '../../common/log.ts';
import { isResourceFile, parseResourceFile, type ServedResource } from './resource_file.ts';
import type { Snapshot } from './snapshot.ts';

const log = logger('config');

/** An editor's save is several events; this long after the last one the folder is read. */
const SETTLE_MS = 50;

interface LoadedFile {
  readonly text: string;
  readonly resources: readonly ServedResource[];
}

export class ResourceFolder {
  readonly #directory: string;
  readonly #onChanged: (snapshot: Snapshot) => void;
  readonly #watcher: FSWatcher;
  #files = new Map<string, LoadedFile>();
  #timer: NodeJS.Timeout | undefined;
  #lastFault = new Map<string, string>();

  /** Reads the folder at once. Throws when it cannot be read or watched. */
  constructor(directory: string, onChanged: (snapshot: Snapshot) => void) {
    this.#directory = directory;
    this.#onChanged = onChanged;
    // Watched before it is read: a change in between is an event, not lost.
    this.#watcher = watch(directory, () => this.#schedule());
    this.#watcher.on('error', (error) => log.error(`watching ${directory} failed: ${error.message}`));
    try {
      this.#read();
    } catch (error) {
      this.#watcher.close();
      throw error;
    }
  }

  /** A name that comes twice is served from the first file of the alphabet. */
  get snapshot(): Snapshot {
    const snapshot = new Map<string, Map<string, ServedResource>>();
    for (const [, { resources }] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const resource of resources) {
        const ofType = snapshot.get(resource.typeUrl) ?? new Map<string, ServedResource>();
        snapshot.set(resource.typeUrl, ofType);
        const first = ofType.get(resource.name);
        if (first === undefined) ofType.set(resource.name, resource);
        else
          this.#report(resource.locate(''), `'${resource.name}' is already defined at ${first.locate('')}`);
      }
    }
    return snapshot;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watcher.close();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      try {
        if (this.#read()) this.#onChanged(this.snapshot);
      } catch (error) {
        log.error(
          `reading ${this.#directory} failed: ${(error as Error).message}; the last good state is served`,
        );
      }
    }, SETTLE_MS);
  }

  /** True when a file's resources changed. */
  #read(): boolean {
    const names = readdirSync(this.#directory).filter(isResourceFile);
    const files = new Map<string, LoadedFile>();
    let changed = false;
    for (const name of names) {
      const before = this.#files.get(name);
      const loaded = this.#load(path.join(this.#directory, name), before);
      if (loaded !== before) changed = true;
      if (loaded !== undefined) files.set(name, loaded);
    }
    for (const name of this.#files.keys()) if (!names.includes(name)) changed = true;
    this.#files = files;
    return changed;
  }

  #load(file: string, before: LoadedFile | undefined): LoadedFile | undefined {
    try {
      const text = readFileSync(file, 'utf8');
      if (text === before?.text) return before;
      const loaded = { text, resources: parseResourceFile(file, text) };
      this.#lastFault.delete(file);
      return loaded;
    } catch (error) {
      this.#report(file, (error as Error).message);
      return before;
    }
  }

  /** Once, not on every event. */
  #report(where: string, fault: string): void {
    if (this.#lastFault.get(where) === fault) return;
    this.#lastFault.set(where, fault);
    log.error(fault.startsWith(where) ? fault : `${where}: ${fault}`);
  }
}
