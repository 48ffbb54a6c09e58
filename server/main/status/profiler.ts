// Profiles of every thread, made by V8's own samplers: of CPU time, of the objects that are alive, of all that was allocated.
// They hold names of functions and numbers, never contents, so no secret is in them. https://nodejs.org/api/v8.html

import { writeFileSync } from 'node:fs';
import v8 from 'node:v8';
import { logger } from '../../common/log.ts';
import type { HeapFigures, ProfileKind, Profiler, ThreadProfiles } from '../admin/context.ts';

const log = logger('admin');

/** What chrome://inspect and editors know the files by. */
const EXTENSIONS: Readonly<Record<ProfileKind, string>> = {
  cpu: 'cpuprofile',
  heap: 'heapprofile',
  allocation: 'heapprofile',
};
const EVERYTHING = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true };

interface Running {
  stop(): string | Promise<string>;
}

/** A thread that can be profiled. */
export interface ProfiledThread {
  readonly name: string;
  startCpuProfile(): Promise<Running>;
  startHeapProfile(options: v8.HeapProfileOptions): Promise<Running>;
  heapStatistics(): Promise<v8.HeapInfo>;
}

export class V8Profiler implements Profiler {
  readonly #workers: () => Iterable<ProfiledThread>;
  readonly #profilePath: string;
  readonly #running = new Map<ProfileKind, ReadonlyMap<string, Running>>();

  /** `profilePath`: admin.profile_path, '' when profiles go to who asks for them. */
  constructor(workers: () => Iterable<ProfiledThread>, profilePath: string) {
    this.#workers = workers;
    this.#profilePath = profilePath;
  }

  async start(kind: ProfileKind): Promise<boolean> {
    if (this.#running.has(kind)) return kind !== 'cpu';
    // One sampler of the heap a thread.
    if (kind !== 'cpu' && this.#running.size > (this.#running.has('cpu') ? 1 : 0)) return false;
    const started = new Map<string, Running>();
    this.#running.set(kind, started);
    try {
      for (const { name, start } of this.#threads(kind)) started.set(name, await start());
      // A path that cannot be written is told now, not after the work.
      if (this.#profilePath !== '') this.#write(kind, new Map([['main_thread', '']]));
      return true;
    } catch (error) {
      log.error(`cannot start the ${kind} profiler: ${(error as Error).message}`);
      await this.stop(kind);
      return false;
    }
  }

  async stop(kind: ProfileKind): Promise<ThreadProfiles | undefined> {
    const running = this.#running.get(kind);
    this.#running.delete(kind);
    const profiles = new Map<string, string>();
    for (const [name, one] of running ?? []) {
      try {
        profiles.set(name, validJson(await one.stop()));
      } catch (error) {
        // Its thread has ended; the others' profiles are worth having.
        log.warning(`no ${kind} profile of ${name}: ${(error as Error).message}`);
      }
    }
    if (profiles.size === 0 || this.#profilePath === '') return profiles.size === 0 ? undefined : profiles;
    try {
      this.#write(kind, profiles);
    } catch (error) {
      log.error(`cannot write the ${kind} profile: ${(error as Error).message}`);
    }
    return undefined;
  }

  async heaps(): Promise<ReadonlyMap<string, HeapFigures>> {
    const heaps = new Map([['main_thread', figures(v8.getHeapStatistics())]]);
    for (const thread of this.#workers()) heaps.set(thread.name, figures(await thread.heapStatistics()));
    return heaps;
  }

  *#threads(
    kind: ProfileKind,
  ): Generator<{ readonly name: string; readonly start: () => Running | Promise<Running> }> {
    const options = kind === 'allocation' ? EVERYTHING : {};
    yield {
      name: 'main_thread',
      start: () => (kind === 'cpu' ? v8.startCpuProfile() : v8.startHeapProfile(options)),
    };
    for (const thread of this.#workers()) {
      const start = (): Promise<Running> =>
        kind === 'cpu' ? thread.startCpuProfile() : thread.startHeapProfile(options);
      yield { name: thread.name, start };
    }
  }

  #write(kind: ProfileKind, profiles: ThreadProfiles): void {
    for (const [thread, profile] of profiles) {
      writeFileSync(`${this.#profilePath}.${thread}.${EXTENSIONS[kind]}`, profile);
    }
  }
}

/** V8 writes the names of functions that it made of regular expressions as they are, with backslashes that JSON does not know. */
export function validJson(profile: string): string {
  return profile.replaceAll(
    /(\\(?:["\\/bfnrt]|u[0-9a-f]{4}))|\\/gi,
    (text, escaped) => escaped ?? text + text,
  );
}

function figures(heap: v8.HeapInfo): HeapFigures {
  return {
    used: heap.used_heap_size,
    committed: heap.total_heap_size,
    physical: heap.total_physical_size,
    limit: heap.heap_size_limit,
    external: heap.external_memory,
    malloced: heap.malloced_memory,
  };
}
