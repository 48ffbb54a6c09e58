// What clusters and listeners have in common: a collection that a control plane sends as a whole (CDS, LDS). Good resources
// of a response apply and the bad ones are the answer; a version that is compiled waits for what it needs while the old one
// serves. Envoy: source/common/upstream/cds_api_helper.cc, source/common/listener_manager/lds_api.cc.

import type { ConfigSource } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import { ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';
import type { DiscoveredResource, RejectedResource, Subscription } from '../xds/subscription.ts';
import { equalBytes, type ResourceVersion, TYPE_NAMES, type UpdateFailure } from './resource.ts';
import type { StoreServices } from './services.ts';
import { type Warmable, WarmingGate } from './warming.ts';

const log = logger('config');

/** Everything known of a name. */
export class CollectionRecord<Version extends ResourceVersion> {
  readonly name: string;
  readonly isStatic: boolean;
  active: Version | undefined;
  warming: Version | undefined;
  gate: WarmingGate | undefined;
  failure: UpdateFailure | undefined;
  /** Ours: no control plane has sent it, and what it does not send is no reason for it to go. */
  isOwn = false;

  constructor(name: string, isStatic: boolean) {
    this.name = name;
    this.isStatic = isStatic;
  }
}

export interface CollectionIdentity {
  readonly kind: 'cluster' | 'listener';
  /** `cds` or `lds`. */
  readonly service: string;
  /** Prefix of the subscription's stats. */
  readonly statPrefix: string;
}

export abstract class DiscoveredCollection<
  Version extends ResourceVersion,
  Record extends CollectionRecord<Version>,
> {
  /** version_info of the last response that was taken, in part at least. */
  version = '';
  protected readonly services: StoreServices;
  protected readonly records = new Map<string, Record>();
  readonly #identity: CollectionIdentity;
  readonly #onChange: () => void;
  readonly #subscriptions: Subscription[] = [];
  #warming = 0;
  /** While a response is taken in: versions that go. They are closed only after what comes holds its own watches. */
  #parting: Version[] | undefined;

  /** `onChange` is called whenever a resource became warm or went. */
  constructor(services: StoreServices, identity: CollectionIdentity, onChange: () => void) {
    this.services = services;
    this.#identity = identity;
    this.#onChange = onChange;
  }

  /** In the order they came. */
  get all(): Iterable<Record> {
    return this.records.values();
  }

  get warmingCount(): number {
    return this.#warming;
  }

  get(name: string): Record | undefined {
    return this.records.get(name);
  }

  /** A record for a name that is new. */
  protected abstract createRecord(name: string, isStatic: boolean): Record;
  /** Decodes and compiles a version, and has it `enter`. Throws ConfigError. */
  protected abstract accept(record: Record, version: ResourceVersion): void;
  /** A warm version takes the place of the active one, which the caller closes. */
  protected abstract activate(record: Record, next: Version): void;
  /** The name is gone. Its versions are closed by the caller. */
  protected abstract retire(record: Record): void;
  /** The version that warmed, or was about to, is given up: the active one is the last again. */
  protected abstract abandonWarming(record: Record): void;
  /** Gives back what a version holds. */
  protected abstract closeVersion(version: Version): void;
  /** A response was taken in full, and changed something. */
  protected reloaded(): void {}
  protected abstract count(event: 'added' | 'modified' | 'removed'): void;
  /** Numbers of records changed. */
  protected abstract updateGauges(): void;

  /** Subscribes; `onFirst` is called when the first answer came or will not come. Throws ConfigError. */
  subscribe(source: ConfigSource, onFirst: () => void, path: string): void {
    const { kind, service, statPrefix } = this.#identity;
    this.#subscriptions.push(
      this.services.subscriptions.subscribe(
        source,
        TYPE_NAMES[kind],
        undefined,
        {
          onConfigUpdate: (added, removed, full, version) => {
            const rejected = this.update(added, removed, full, version, service);
            onFirst();
            return rejected;
          },
          onConfigUpdateFailed: (reason) => {
            if (reason !== 'connection') onFirst();
          },
        },
        statPrefix,
        path,
      ),
    );
  }

  /** Takes a response in. */
  update(
    added: readonly DiscoveredResource[],
    removed: readonly string[],
    full: boolean,
    systemVersion: string,
    source: string,
  ): RejectedResource[] {
    const { kind, service } = this.#identity;
    const rejected: RejectedResource[] = [];
    let changes = 0;
    // Removals first: a new listener may take the address of one that goes. The publisher still sends them last, and the
    // watches stay until the end: a control plane does not send routes again to who asks for the same again.
    const parting: Version[] = [];
    this.#parting = parting;
    const gone = full
      ? this.#absentFrom(new Set(added.map(({ name }) => name)))
      : removed.filter((name) => this.records.get(name)?.isOwn !== true);
    for (const name of gone) this.remove(name, source);
    const seen = new Set<string>();
    for (const resource of added) {
      try {
        if (seen.has(resource.name)) throw new ConfigError('', `duplicate ${kind} ${resource.name} found`);
        seen.add(resource.name);
        if (this.#addOrUpdate(resource, source)) changes++;
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        rejected.push(this.#reject(resource, error, source));
      }
    }
    this.#parting = undefined;
    for (const version of parting) this.closeVersion(version);
    if (rejected.length === 0 || changes > 0) this.version = systemVersion;
    if (rejected.length === 0 && changes > 0) this.reloaded();
    log.info(
      `${service}: added/updated ${changes} ${kind}(s), removed ${gone.length}, of ${added.length} sent`,
    );
    this.updateGauges();
    return rejected;
  }

  /** A resource of our own making. Throws ConfigError. Envoy: `avoid_cds_removal` of ClusterManager::addOrUpdateCluster. */
  addOwn(resource: DiscoveredResource, source: string): void {
    this.#addOrUpdate(resource, source);
    this.records.get(resource.name)!.isOwn = true;
    this.updateGauges();
  }

  /** Static resources never go. */
  remove(name: string, source: string): void {
    const record = this.records.get(name);
    if (record === undefined || record.isStatic) return;
    this.records.delete(name);
    this.dropWarming(record);
    this.retire(record);
    if (record.active !== undefined) {
      this.#part(record.active);
      this.count('removed');
      log.debug(`${this.#identity.service}: remove ${this.#identity.kind} '${name}'`);
    }
    this.#remember(source, { name, version: '', at: Date.now(), bytes: undefined, error: undefined });
    this.updateGauges();
    this.#onChange();
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    for (const record of this.records.values()) {
      this.dropWarming(record);
      if (record.active !== undefined) this.closeVersion(record.active);
    }
  }

  /** A compiled version becomes active once `targets` are ready: now, or later. */
  protected enter(record: Record, next: Version, targets: readonly Warmable[]): void {
    this.dropWarming(record);
    if (targets.every((target) => target.ready)) {
      this.#activate(record, next);
      return;
    }
    record.warming = next;
    this.#warming++;
    record.gate = new WarmingGate(targets, () => {
      const warm = record.warming as Version;
      record.warming = undefined;
      record.gate = undefined;
      this.#warming--;
      log.info(`warming ${this.#identity.kind} ${record.name} complete`);
      this.#activate(record, warm);
      this.#onChange();
    });
  }

  protected dropWarming(record: Record): void {
    if (record.warming === undefined) return;
    record.gate?.cancel();
    record.gate = undefined;
    this.#part(record.warming);
    record.warming = undefined;
    this.#warming--;
  }

  #activate(record: Record, next: Version): void {
    const before = record.active;
    this.activate(record, next);
    record.active = next;
    // After the new version holds its watches, so that a shared one is never dropped in between.
    if (before !== undefined) this.closeVersion(before);
    this.updateGauges();
  }

  /** True when something changed. Throws ConfigError. */
  #addOrUpdate({ name, bytes, version }: DiscoveredResource, source: string): boolean {
    const known = this.records.get(name);
    if (known?.isStatic) return false;
    if (known !== undefined && this.#isKnown(known, bytes, version)) return false;
    const record = known ?? this.createRecord(name, false);
    const isNew = record.active === undefined && record.warming === undefined;
    const receivedAt = Date.now();
    this.accept(record, { bytes, version, receivedAt });
    this.records.set(name, record);
    record.failure = undefined;
    this.#remember(source, { name, version, at: receivedAt, bytes, error: undefined });
    this.count(isNew ? 'added' : 'modified');
    log.debug(`${this.#identity.service}: add/update ${this.#identity.kind} '${name}'`);
    return true;
  }

  /** Are these the bytes that serve or that are on their way? A version that warms is dropped when the active one comes back. */
  #isKnown(record: Record, bytes: Uint8Array, version: string): boolean {
    if (record.warming !== undefined && equalBytes(record.warming.bytes, bytes)) {
      record.warming = { ...record.warming, version };
    } else if (record.active !== undefined && equalBytes(record.active.bytes, bytes)) {
      this.abandonWarming(record);
      this.dropWarming(record);
      record.active = { ...record.active, version };
    } else return false;
    record.failure = undefined;
    return true;
  }

  #reject(
    { name, bytes, version }: DiscoveredResource,
    error: ConfigError,
    source: string,
  ): RejectedResource {
    const { kind, service } = this.#identity;
    const { path, reason } = error;
    const at = Date.now();
    let record = this.records.get(name);
    if (record === undefined) {
      record = this.createRecord(name, false);
      this.records.set(name, record);
    }
    record.failure = { bytes, version, at, path, reason };
    this.#remember(source, { name, version, at, bytes, error: { path, reason } });
    log.warning(`${service}: ${kind} '${name}' config rejected: ${error.message}`);
    return { name, path, reason };
  }

  #remember(
    source: string,
    entry: Omit<Parameters<StoreServices['history']['add']>[0], 'kind' | 'source'>,
  ): void {
    this.services.history.add({ ...entry, kind: this.#identity.kind, source });
  }

  #part(version: Version): void {
    if (this.#parting === undefined) this.closeVersion(version);
    else this.#parting.push(version);
  }

  #absentFrom(names: ReadonlySet<string>): string[] {
    const gone: string[] = [];
    for (const { name, isStatic, isOwn } of this.records.values())
      if (!isStatic && !isOwn && !names.has(name)) gone.push(name);
    return gone;
  }
}
