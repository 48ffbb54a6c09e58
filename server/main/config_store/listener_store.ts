// Listeners: static ones and those of LDS. They wait for routes, secrets and extension configurations, then go to the
// workers, who swap filter chains or sockets. Envoy: source/common/listener_manager/listener_manager_impl.cc.

import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import { crypto } from '../../common/builtins.ts';
import { LISTENER_MANAGER_STATS } from '../../common/stats/families/managers.ts';
import { CollectionRecord, DiscoveredCollection } from './discovered_collection.ts';
import { listenerAddresses } from './listener_addresses.ts';
import { type Dependency, mainFactoryContext } from './main_factory_context.ts';
import { type ResourceVersion, TYPE_NAMES } from './resource.ts';
import { type Lease, leaseAll, releaseAll, type StoreServices } from './services.ts';

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
export class ListenerRecord extends CollectionRecord<ListenerVersion> {
  /** A static listener that was checked and waits for the clusters. */
  prepared: Prepared | undefined;
}

const EVENTS = { added: AT.listener_added, modified: AT.listener_modified, removed: AT.listener_removed };

export class ListenerStore extends DiscoveredCollection<ListenerVersion, ListenerRecord> {
  readonly #stats;
  /** Warm listeners that wait until the workers start. Undefined once they have. */
  #held: ListenerRecord[] | undefined = [];
  #active = 0;

  /** `onChange` is called whenever a listener became warm or went. */
  constructor(services: StoreServices, onChange: () => void) {
    super(services, { kind: 'listener', service: 'lds', statPrefix: 'listener_manager.lds.' }, onChange);
    this.#stats = services.stats.block(LISTENER_MANAGER_STATS, 'listener_manager.');
  }

  /**
   * A listener of the bootstrap. Throws ConfigError. It enters with `startStatic`, so that clusters come before routes.
   * A second one of the same name is dropped, as Envoy does.
   */
  addStatic(listener: Listener, bytes: Uint8Array, path: string): void {
    const name = listener.name === '' ? crypto.randomUUID() : listener.name;
    if (this.records.has(name)) return;
    const record = new ListenerRecord(name, true);
    record.prepared = this.#prepare(record, listener, { bytes, version: '', receivedAt: Date.now() }, path);
    this.services.sockets?.bind(name, listener);
    this.records.set(name, record);
    this.count('added');
  }

  /** Static listeners subscribe to what they need. Throws ConfigError. */
  startStatic(): void {
    for (const record of this.records.values()) {
      if (record.prepared === undefined) continue;
      this.#enter(record, record.prepared);
      record.prepared = undefined;
    }
    this.updateGauges();
  }

  /** The workers start: gives them all listeners that are warm, and from now on each when it is. */
  startWorkers(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const record of held) {
      // One that was removed before the workers started is not in the table any more.
      if (this.records.get(record.name) === record) this.#publish(record, record.active!);
    }
    this.#stats.values[this.#stats.base + AT.workers_started] = 1;
  }

  protected createRecord(name: string, isStatic: boolean): ListenerRecord {
    return new ListenerRecord(name, isStatic);
  }

  protected accept(record: ListenerRecord, version: ResourceVersion): void {
    const listener = this.services.decoder.decode(TYPE_NAMES.listener, version.bytes);
    this.#enter(record, this.#prepare(record, listener, version, ''));
  }

  protected activate(record: ListenerRecord, next: ListenerVersion): void {
    if (record.active === undefined) this.#active++;
    if (this.#held === undefined) this.#publish(record, next);
    else if (!this.#held.includes(record)) this.#held.push(record);
  }

  protected retire(record: ListenerRecord): void {
    this.services.sockets?.abandon(record.name);
    if (record.active === undefined) return;
    this.services.publisher.remove('listener', record.name);
    this.#active--;
  }

  protected abandonWarming(record: ListenerRecord): void {
    this.services.sockets?.abandon(record.name);
  }

  protected closeVersion({ leases }: ListenerVersion): void {
    releaseAll(leases);
  }

  protected count(event: keyof typeof EVENTS): void {
    this.#stats.values[this.#stats.base + EVENTS[event]]!++;
  }

  protected updateGauges(): void {
    const { values, base } = this.#stats;
    values[base + AT.total_listeners_warming] = this.warmingCount;
    values[base + AT.total_listeners_active] = this.#active;
  }

  /** Says what would be said of this listener if it came, and takes nothing. Throws ConfigError. */
  check(bytes: Uint8Array): void {
    const listener = this.services.decoder.decode(TYPE_NAMES.listener, bytes);
    const { context } = mainFactoryContext(this.services.environment, false);
    // Whoever only asks makes no files.
    const logFiles = { open: () => ({ write: () => undefined }) };
    this.services.compilers.listener(listener, { ...context, logFiles }, '');
    const record = this.records.get(listener.name) ?? this.createRecord(listener.name, false);
    this.#checkUpdate(record, listener, listenerAddresses(listener), '');
  }

  /** The dry run. Throws ConfigError. */
  #prepare(record: ListenerRecord, listener: Listener, version: ResourceVersion, path: string): Prepared {
    const { context, dependencies } = mainFactoryContext(this.services.environment, record.isStatic);
    this.services.compilers.listener(listener, context, path);
    const addresses = listenerAddresses(listener);
    this.#checkUpdate(record, listener, addresses, path);
    return { listener, version, dependencies, addresses };
  }

  #checkUpdate(record: ListenerRecord, listener: Listener, addresses: readonly string[], path: string): void {
    this.#checkAddresses(record, addresses, at(path, 'address'));
    const before = record.warming ?? record.active;
    if (before !== undefined && before.reusePort !== reusesPort(listener)) {
      throw new ConfigError('', `Listener ${record.name}: reuse port cannot be changed during an update`);
    }
  }

  #enter(record: ListenerRecord, { listener, version, dependencies, addresses }: Prepared): void {
    const leases = leaseAll(this.services, dependencies);
    try {
      this.services.sockets?.bind(record.name, listener);
    } catch (error) {
      releaseAll(leases);
      throw error;
    }
    const next: ListenerVersion = { ...version, leases, addresses, reusePort: reusesPort(listener) };
    this.enter(
      record,
      next,
      leases.map((lease) => lease.target),
    );
  }

  #publish(record: ListenerRecord, { version, bytes }: ListenerVersion): void {
    this.services.publisher.put({ kind: 'listener', name: record.name, version, bytes });
  }

  #checkAddresses(record: ListenerRecord, addresses: readonly string[], path: string): void {
    for (const other of this.records.values()) {
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
}

function reusesPort(listener: Listener): boolean {
  return listener.enable_reuse_port?.value ?? true;
}
