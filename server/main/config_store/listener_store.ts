// Listeners: static ones and those of LDS. A new version is compiled (ACK or NACK), waits for its routes, secrets and
// extension configurations while the old one serves, then goes to the workers, who swap filter chains or sockets.
// Envoy: source/common/listener_manager/listener_manager_impl.cc, lds_api.cc.

import { randomUUID } from 'node:crypto';
import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';
import { LISTENER_MANAGER_STATS } from '../../common/stats/families/managers.ts';
import type { DiscoveredResource, RejectedResource, Subscription } from '../xds/subscription.ts';
import { listenerAddresses } from './listener_addresses.ts';
import { type Dependency, mainFactoryContext } from './main_factory_context.ts';
import { equalBytes, type ResourceVersion, TYPE_NAMES, type UpdateFailure } from './resource.ts';
import { type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';
import { WarmingGate } from './warming.ts';

const log = logger('config');
const AT = LISTENER_MANAGER_STATS.offset;

export interface ListenerVersion extends ResourceVersion {
  readonly leases: readonly Lease[];
  /** For the check that no two listeners have the same. */
  readonly addresses: readonly string[];
  readonly reusePort: boolean;
}

/** A version that compiled. */
interface Prepared {
  readonly listener: Listener;
  readonly version: ResourceVersion;
  readonly dependencies: readonly Dependency[];
  readonly addresses: readonly string[];
}

/** Everything known of a listener name. */
export class ListenerRecord {
  readonly name: string;
  readonly isStatic: boolean;
  active: ListenerVersion | undefined;
  warming: ListenerVersion | undefined;
  gate: WarmingGate | undefined;
  failure: UpdateFailure | undefined;
  /** A static listener that was checked and waits for the clusters. */
  prepared: Prepared | undefined;

  constructor(name: string, isStatic: boolean) {
    this.name = name;
    this.isStatic = isStatic;
  }
}

export class ListenerStore {
  readonly #services: StoreServices;
  readonly #onChange: () => void;
  readonly #records = new Map<string, ListenerRecord>();
  readonly #stats;
  readonly #lds: Subscription[] = [];
  /** Warm listeners that wait until the workers start. Undefined once they have. */
  #held: ListenerRecord[] | undefined = [];
  /** While a response is taken in: leases of what goes, given back only after what comes has taken its own. */
  #parting: Lease[] | undefined;
  #warming = 0;
  #active = 0;
  /** version_info of the last LDS response that was taken in full. */
  version = '';

  /** `onChange` is called whenever a listener became warm or went. */
  constructor(services: StoreServices, onChange: () => void) {
    this.#services = services;
    this.#onChange = onChange;
    this.#stats = services.stats.block(LISTENER_MANAGER_STATS, 'listener_manager.');
  }

  /** In the order they came. */
  get all(): Iterable<ListenerRecord> {
    return this.#records.values();
  }

  get warmingCount(): number {
    return this.#warming;
  }

  get(name: string): ListenerRecord | undefined {
    return this.#records.get(name);
  }

  /**
   * A listener of the bootstrap. Throws ConfigError. It enters with `startStatic`, so that clusters come before routes.
   * A second one of the same name is dropped, as Envoy does.
   */
  addStatic(listener: Listener, bytes: Uint8Array, path: string): void {
    const name = listener.name === '' ? randomUUID() : listener.name;
    if (this.#records.has(name)) return;
    const record = new ListenerRecord(name, true);
    record.prepared = this.#prepare(record, listener, { bytes, version: '', receivedAt: Date.now() }, path);
    this.#services.sockets?.bind(name, listener);
    this.#records.set(name, record);
    this.#bump(AT.listener_added);
  }

  /** Static listeners subscribe to what they need. Throws ConfigError. */
  startStatic(): void {
    for (const record of this.#records.values()) {
      if (record.prepared === undefined) continue;
      this.#enter(record, record.prepared);
      record.prepared = undefined;
    }
    this.#count();
  }

  /** Subscribes to LDS; `onFirst` is called when the first answer came or will not come. Throws ConfigError. */
  startLds(source: ConfigSource, onFirst: () => void, path: string): void {
    this.#lds.push(
      this.#services.subscriptions.subscribe(
        source,
        TYPE_NAMES.listener,
        undefined,
        {
          onConfigUpdate: (added, removed, full, version) => {
            const rejected = this.update(added, removed, full, version, 'lds');
            onFirst();
            return rejected;
          },
          onConfigUpdateFailed: (reason) => {
            if (reason !== 'connection') onFirst();
          },
        },
        'listener_manager.lds.',
        path,
      ),
    );
  }

  /** The workers start: gives them all listeners that are warm, and from now on each when it is. */
  startWorkers(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const record of held) {
      // One that was removed before the workers started is not in the table any more.
      if (this.#records.get(record.name) === record) this.#publish(record, record.active!);
    }
    this.#stats.values[this.#stats.base + AT.workers_started] = 1;
  }

  /** Takes an LDS response: all good resources apply, the bad ones are the answer. */
  update(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    systemVersion: string,
    source: string,
  ): RejectedResource[] {
    const rejected: RejectedResource[] = [];
    const names = new Set(added.map((resource) => resource.name));
    // Removals first: the new listeners may take the addresses of those that go. The publisher still sends them last,
    // and their watches stay until the end: a control plane does not send routes again to who asks for the same again.
    this.#parting = [];
    const gone = full ? this.#absentFrom(names) : removed;
    for (const name of gone) this.remove(name, source);
    const seen = new Set<string>();
    for (const resource of added) {
      try {
        if (seen.has(resource.name)) throw new ConfigError('', `duplicate listener ${resource.name} found`);
        seen.add(resource.name);
        this.#addOrUpdate(resource, source);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        rejected.push(this.#reject(resource, error, source));
      }
    }
    releaseAll(this.#parting);
    this.#parting = undefined;
    if (rejected.length === 0) this.version = systemVersion;
    this.#count();
    return rejected;
  }

  remove(name: string, source: string): void {
    const record = this.#records.get(name);
    if (record === undefined || record.isStatic) return;
    this.#records.delete(name);
    this.#services.sockets?.abandon(name);
    this.#dropWarming(record);
    if (record.active !== undefined) {
      this.#services.publisher.remove('listener', name);
      this.#release(record.active.leases);
      this.#active--;
      this.#bump(AT.listener_removed);
      log.info(`lds: remove listener '${name}'`);
    }
    const event = { kind: 'listener', name, version: '', source, at: Date.now() } as const;
    this.#services.history.add({ ...event, bytes: undefined, error: undefined });
    this.#count();
    this.#onChange();
  }

  close(): void {
    for (const subscription of this.#lds) subscription.close();
    for (const record of this.#records.values()) {
      this.#dropWarming(record);
      if (record.active !== undefined) releaseAll(record.active.leases);
    }
  }

  #addOrUpdate(resource: DiscoveredResource, source: string): void {
    const { name, bytes, version } = resource;
    const record = this.#records.get(name);
    if (record?.isStatic) return;
    if (record !== undefined && this.#isKnown(record, bytes, version)) return;
    const listener = this.#services.decoder.decode(TYPE_NAMES.listener, bytes);
    const target = record ?? new ListenerRecord(name, false);
    const receivedAt = Date.now();
    const isNew = target.active === undefined && target.warming === undefined;
    this.#enter(target, this.#prepare(target, listener, { bytes, version, receivedAt }, ''));
    this.#records.set(name, target);
    target.failure = undefined;
    const event = { kind: 'listener', name, version, source, at: receivedAt } as const;
    this.#services.history.add({ ...event, bytes, error: undefined });
    this.#bump(isNew ? AT.listener_added : AT.listener_modified);
    log.info(`lds: add/update listener '${name}'`);
  }

  /** As for clusters: the bytes that serve or warm are no change; a return to the active ones drops what warms. */
  #isKnown(record: ListenerRecord, bytes: Uint8Array, version: string): boolean {
    if (record.warming !== undefined && equalBytes(record.warming.bytes, bytes)) {
      record.warming = { ...record.warming, version };
    } else if (record.active !== undefined && equalBytes(record.active.bytes, bytes)) {
      this.#services.sockets?.abandon(record.name);
      this.#dropWarming(record);
      record.active = { ...record.active, version };
    } else return false;
    record.failure = undefined;
    return true;
  }

  /** The dry run. Throws ConfigError. */
  #prepare(record: ListenerRecord, listener: Listener, version: ResourceVersion, path: string): Prepared {
    const { context, dependencies } = mainFactoryContext(this.#services.environment, record.isStatic);
    this.#services.compilers.listener(listener, context, path);
    const addresses = listenerAddresses(listener);
    this.#checkAddresses(record, addresses, at(path, 'address'));
    const before = record.warming ?? record.active;
    if (before !== undefined && before.reusePort !== reusesPort(listener)) {
      throw new ConfigError('', `Listener ${record.name}: reuse port cannot be changed during an update`);
    }
    return { listener, version, dependencies, addresses };
  }

  #enter(record: ListenerRecord, { listener, version, dependencies, addresses }: Prepared): void {
    const leases = leaseAll(this.#services, dependencies);
    try {
      this.#services.sockets?.bind(record.name, listener);
    } catch (error) {
      releaseAll(leases);
      throw error;
    }
    this.#dropWarming(record);
    const next: ListenerVersion = { ...version, leases, addresses, reusePort: reusesPort(listener) };
    const targets = leases.map((lease) => lease.target);
    if (targets.every((target) => target.ready)) {
      this.#activate(record, next);
      return;
    }
    record.warming = next;
    this.#warming++;
    record.gate = new WarmingGate(targets, () => {
      const warm = record.warming as ListenerVersion;
      record.warming = undefined;
      record.gate = undefined;
      this.#warming--;
      this.#activate(record, warm);
      this.#count();
      this.#onChange();
    });
  }

  #activate(record: ListenerRecord, next: ListenerVersion): void {
    const before = record.active;
    record.active = next;
    if (before === undefined) this.#active++;
    if (this.#held === undefined) this.#publish(record, next);
    else if (!this.#held.includes(record)) this.#held.push(record);
    // After the new version holds its watches, so that a shared one is never dropped in between.
    if (before !== undefined) releaseAll(before.leases);
  }

  #publish(record: ListenerRecord, { version, bytes }: ListenerVersion): void {
    this.#services.publisher.put({ kind: 'listener', name: record.name, version, bytes });
  }

  #checkAddresses(record: ListenerRecord, addresses: readonly string[], path: string): void {
    for (const other of this.#records.values()) {
      if (other === record || other.name === record.name) continue;
      const theirs = other.warming ?? other.active ?? other.prepared;
      const taken = theirs?.addresses.find((each) => addresses.includes(each));
      if (taken === undefined) continue;
      throw new ConfigError(
        path,
        `error adding listener: '${record.name}' has duplicate address '${taken}' as existing listener, to check if the listener has duplicated addresses with other listeners or 'enable_reuse_port' is set to 'false' for the listener`,
      );
    }
  }

  #reject(resource: DiscoveredResource, error: ConfigError, source: string): RejectedResource {
    const { name, bytes, version } = resource;
    const { path, reason } = error;
    const now = Date.now();
    let record = this.#records.get(name);
    if (record === undefined) {
      record = new ListenerRecord(name, false);
      this.#records.set(name, record);
    }
    record.failure = { bytes, version, at: now, path, reason };
    const event = { kind: 'listener', name, version, source, at: now, bytes } as const;
    this.#services.history.add({ ...event, error: { path, reason } });
    log.warning(`lds: listener '${name}' config rejected: ${error.message}`);
    return { name, path, reason };
  }

  #absentFrom(names: ReadonlySet<string>): string[] {
    const gone: string[] = [];
    for (const record of this.#records.values()) {
      if (!record.isStatic && !names.has(record.name)) gone.push(record.name);
    }
    return gone;
  }

  #dropWarming(record: ListenerRecord): void {
    if (record.warming === undefined) return;
    record.gate?.cancel();
    record.gate = undefined;
    this.#release(record.warming.leases);
    record.warming = undefined;
    this.#warming--;
  }

  #release(leases: readonly Lease[]): void {
    if (this.#parting === undefined) releaseAll(leases);
    else this.#parting.push(...leases);
  }

  #bump(offset: number): void {
    this.#stats.values[this.#stats.base + offset]!++;
  }

  #count(): void {
    const { values, base } = this.#stats;
    values[base + AT.total_listeners_warming] = this.#warming;
    values[base + AT.total_listeners_active] = this.#active;
  }
}

function reusesPort(listener: Listener): boolean {
  return listener.enable_reuse_port?.value ?? true;
}
