// All secrets: static ones and those of SDS. What is not valid is refused and the last good one serves. Files that an
// SDS secret names are read here and watched; workers get bytes only. Envoy: source/common/secret/secret_manager_impl.cc.

import type { Secret as SecretMessage } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { SecretKind } from '../../api/secret.ts';
import type { StatBlock, StatStore } from '../../api/stats.ts';
import { resourceKey } from '../../common/config/resource_key.ts';
import { logger } from '../../common/log.ts';
import { compileSecret, secretKind } from '../../common/secret/secret_config.ts';
import { SDS_STATS } from '../../common/stats/families/subscription.ts';
import type { Publisher } from '../config_store/publisher.ts';
import { equalBytes, TYPE_NAMES } from '../config_store/resource.ts';
import type { ResourceDecoder } from '../config_store/resource_decoder.ts';
import type { WatchedKind, WatchedResource } from '../config_store/watched_resources.ts';
import { FolderWatch } from './folder_watch.ts';
import { inlineSecret } from './inline_secret.ts';

const log = logger('secret');

/** The names in Envoy's messages about static secrets. */
const TYPES: Readonly<Record<SecretKind, { readonly duplicate: string; readonly unknown: string }>> = {
  tls_certificate: { duplicate: 'TlsCertificate', unknown: 'static secret' },
  validation_context: {
    duplicate: 'CertificateValidationContext',
    unknown: 'static certificate validation context',
  },
  session_ticket_keys: { duplicate: 'TlsSessionTicketKeys', unknown: 'static session ticket keys' },
  generic_secret: { duplicate: 'GenericSecret', unknown: 'static generic secret' },
};

export interface StaticSecret {
  readonly name: string;
  readonly kind: SecretKind | undefined;
  readonly message: SecretMessage;
  readonly receivedAt: number;
}

/** A secret as the workers have it. */
export interface ServingSecret {
  readonly name: string;
  /** Of the Secret message with everything inline. */
  readonly bytes: Uint8Array;
}

export class SecretStore implements WatchedKind {
  readonly kind = 'secret';
  readonly #stats: StatStore;
  readonly #blocks = new Map<string, StatBlock>();
  readonly #publisher: Publisher;
  readonly #decoder: ResourceDecoder;
  readonly #static: StaticSecret[] = [];
  readonly #serving = new Map<string, ServingSecret>();
  readonly #watches = new Map<string, FolderWatch>();
  /** The kind that users of an SDS secret want, by key. */
  readonly #wanted = new Map<string, SecretKind>();

  constructor(publisher: Publisher, decoder: ResourceDecoder, stats: StatStore) {
    this.#stats = stats;
    this.#publisher = publisher;
    this.#decoder = decoder;
  }

  get static(): readonly StaticSecret[] {
    return this.#static;
  }

  /** Static and dynamic ones that serve now, for /certs. */
  get serving(): Iterable<ServingSecret> {
    return this.#serving.values();
  }

  servingOf(key: string): ServingSecret | undefined {
    return this.#serving.get(key);
  }

  /** A secret of the bootstrap. Like Envoy, looks into it only when something uses it. Throws ConfigError. */
  addStatic(message: SecretMessage, path: string): void {
    const kind = secretKind(message);
    if (this.#find(message.name, kind) !== undefined) {
      const type = kind === undefined ? '' : ` ${TYPES[kind].duplicate}`;
      throw new ConfigError(at(path, 'name'), `Duplicate static${type} secret name ${message.name}`);
    }
    this.#static.push({ name: message.name, kind, message, receivedAt: Date.now() });
  }

  /** Something uses a static secret: it must exist and be valid; from now on it serves. Throws ConfigError. */
  useStatic(name: string, kind: SecretKind, path: string): void {
    const found = this.#find(name, kind);
    if (found === undefined) throw new ConfigError(path, `Unknown ${TYPES[kind].unknown}: ${name}`);
    const key = resourceKey(undefined, name);
    if (!this.#serving.has(key)) this.#serve(key, name, '', found.message);
  }

  /** Users of an SDS secret expect a kind; a secret of another is refused. */
  want(key: string, kind: SecretKind): void {
    this.#wanted.set(key, kind);
  }

  statPrefix(name: string): string {
    return `sds.${name}.`;
  }

  watched({ key }: WatchedResource, statPrefix: string): void {
    this.#blocks.set(key, this.#stats.block(SDS_STATS, statPrefix));
  }

  accept(resource: WatchedResource, bytes: Uint8Array, version: string): void {
    const message = this.#decoder.decode(TYPE_NAMES.secret, bytes);
    const wanted = this.#wanted.get(resource.key);
    const kind = secretKind(message);
    if (wanted !== undefined && kind !== wanted) {
      throw new ConfigError('', `Unexpected SDS secret: ${resource.resourceName} is ${kind}, not ${wanted}`);
    }
    const watched = this.#serve(resource.key, resource.resourceName, version, message);
    this.#watches.get(resource.key)?.close();
    this.#watches.delete(resource.key);
    if (watched.size === 0) return;
    this.#watches.set(resource.key, new FolderWatch(watched, () => this.#reload(resource, message)));
  }

  dropped(resource: WatchedResource): void {
    const block = this.#blocks.get(resource.key);
    if (block !== undefined) this.#stats.release(block);
    this.#blocks.delete(resource.key);
    this.#watches.get(resource.key)?.close();
    this.#watches.delete(resource.key);
    this.#wanted.delete(resource.key);
    this.#serving.delete(resource.key);
    this.#publisher.remove('secret', resource.key);
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close();
  }

  #find(name: string, kind: SecretKind | undefined): StaticSecret | undefined {
    return this.#static.find((secret) => secret.name === name && secret.kind === kind);
  }

  #serve(key: string, name: string, version: string, message: SecretMessage): ReadonlySet<string> {
    const { secret, watched } = inlineSecret(message, '');
    const bytes = encode(TYPE_NAMES.secret, secret);
    if (equalBytes(this.#serving.get(key)?.bytes ?? NOTHING, bytes)) return watched;
    compileSecret(decode(TYPE_NAMES.secret, bytes), '');
    this.#serving.set(key, { name, bytes });
    this.#publisher.put({ kind: 'secret', name: key, version, bytes });
    return watched;
  }

  /** Files changed. A half-written pair is not valid, and the old one serves until the rest is there. */
  #reload(resource: WatchedResource, message: SecretMessage): void {
    try {
      this.#serve(resource.key, resource.resourceName, resource.active?.version ?? '', message);
      log.info(`secret ${resource.resourceName} was read again after its files changed`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const block = this.#blocks.get(resource.key);
      if (block !== undefined) block.values[block.base + SDS_STATS.offset.key_rotation_failed]!++;
      log.warning(`secret ${resource.resourceName} stays as it was: ${error.message}`);
    }
  }
}

const NOTHING = new Uint8Array(0);
