// xDS from a file: a DiscoveryResponse that is read at the start and whenever a new one is moved into its place.
// Envoy: source/extensions/config_subscription/filesystem/filesystem_subscription_impl.cc.

import { existsSync } from 'node:fs';
import path from 'node:path';
import type { PathConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';
import type { ConfigWatch } from './config_watch.ts';
import { DirectoryWatch } from './directory_watch.ts';
import { fromSotw } from './discovered_resources.ts';
import { DiscoveryError, rejectionMessage } from './discovery_error.ts';
import { checkDiscoveryFile, readDiscoveryFile } from './discovery_file.ts';
import type { ResourceType } from './resource_types.ts';
import type { Subscription } from './subscription.ts';

const log = logger('config');

export class FilesystemSubscription implements Subscription {
  readonly #type: ResourceType;
  readonly #file: string;
  readonly #watch: ConfigWatch;
  readonly #directory: DirectoryWatch;
  #names: ReadonlySet<string> | undefined;
  #firstRead: NodeJS.Immediate | undefined;

  /** Throws ConfigError when there is nothing to watch. `where` is the path of `source` in the configuration. */
  constructor(
    type: ResourceType,
    source: PathConfigSource,
    names: ReadonlySet<string> | undefined,
    watch: ConfigWatch,
    where: string,
  ) {
    checkPathConfigSource(source, where);
    this.#type = type;
    this.#file = source.path;
    this.#names = names;
    this.#watch = watch;
    const watched = source.watched_directory?.path;
    const read = (): void => this.#read();
    try {
      this.#directory =
        watched === undefined
          ? new DirectoryWatch(path.dirname(source.path), path.basename(source.path), read)
          : new DirectoryWatch(watched, undefined, read);
    } catch (error) {
      throw new ConfigError(at(where, 'watched_directory'), (error as Error).message);
    }
    this.#firstRead = setImmediate(read);
  }

  updateResourceInterest(names: ReadonlySet<string> | undefined): void {
    this.#names = names;
    clearImmediate(this.#firstRead);
    this.#firstRead = setImmediate(() => this.#read());
  }

  close(): void {
    clearImmediate(this.#firstRead);
    this.#directory.close();
    this.#watch.close();
  }

  #read(): void {
    try {
      const response = readDiscoveryFile(this.#file);
      const { added, rejected } = fromSotw(response.resources, this.#type, response.version_info);
      const wanted = added.filter(({ name }) => this.#names === undefined || this.#names.has(name));
      if (wanted.length === 0 && added.length > 0) throw this.#unexpected(added);
      const refused = this.#watch.update(wanted, [], true, response.version_info);
      const message = rejectionMessage(this.#type, [...rejected, ...refused]);
      if (message !== undefined) log.warning(`Filesystem config update rejected: ${this.#file}: ${message}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warning(`Filesystem config update failure: ${this.#file}: ${reason}`);
      this.#watch.failed('rejected', reason);
    }
  }

  /** A file of other resources is a mistake that people should hear of. */
  #unexpected(found: readonly { readonly name: string }[]): DiscoveryError {
    const names = found.map(({ name }) => name).join(', ');
    return new DiscoveryError(
      `Unexpected ${this.#type.label} (expecting ${[...this.#names!].join(', ')}): ${names}`,
    );
  }
}

/** Throws ConfigError when the file is not there or not of a kind that can be read. */
export function checkPathConfigSource(source: PathConfigSource, where: string): void {
  if (!existsSync(source.path)) {
    throw new ConfigError(
      where,
      `paths must refer to an existing path in the system: '${source.path}' does not exist`,
    );
  }
  checkDiscoveryFile(source.path, where);
}
