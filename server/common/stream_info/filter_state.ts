// Named objects that filters leave for other filters, for access logs and for upstream connections.
// Envoy: source/common/stream_info/filter_state_impl.h.

import type { FilterState, FilterStateObject } from '../../api/stream_info.ts';

type Sharing = 'none' | 'once' | 'transitive';

interface Entry {
  readonly name: string;
  readonly value: FilterStateObject;
  readonly readOnly: boolean;
  readonly sharing: Sharing;
}

/** Told to upstream connections whether or not they are shared. Envoy: TransportSocketOptionsUtility::fromFilterState. */
const UPSTREAM_OBJECTS: ReadonlySet<string> = new Set([
  'envoy.network.upstream_server_name',
  'envoy.network.application_protocols',
  'envoy.network.upstream_subject_alt_names',
]);
const NOTHING: readonly { name: string; value: FilterStateObject }[] = [];

/** The state of one stream over its connection's (`parent`), or of a connection itself (no parent). */
export class FilterStateMap implements FilterState {
  private readonly parent: FilterState | undefined;
  private entries: Map<string, Entry> | undefined;
  private ownConcernsUpstream: boolean;

  constructor(parent: FilterState | undefined) {
    this.parent = parent;
    this.entries = undefined;
    this.ownConcernsUpstream = false;
  }

  get concernsUpstream(): boolean {
    return this.ownConcernsUpstream || this.parent?.concernsUpstream === true;
  }

  get(name: string): FilterStateObject | undefined {
    const entry = this.entries?.get(name);
    if (entry !== undefined) return entry.value;
    return this.parent?.get(name);
  }

  /** Throws when the object is there and was set read-only: a filter must not change what another relies on. */
  set(
    name: string,
    value: FilterStateObject,
    options?: { readOnly?: boolean; sharedWithUpstream?: Sharing },
  ): void {
    this.entries ??= new Map();
    if (this.entries.get(name)?.readOnly) {
      throw new Error(
        `FilterStateAccessViolation: FilterState::setData<T> called twice on same ReadOnly state: ${name}.`,
      );
    }
    const readOnly = options?.readOnly ?? false;
    const sharing = options?.sharedWithUpstream ?? 'none';
    this.entries.set(name, { name, value, readOnly, sharing });
    if (sharing !== 'none' || UPSTREAM_OBJECTS.has(name)) this.ownConcernsUpstream = true;
  }

  sharedWithUpstream(): readonly { name: string; value: FilterStateObject }[] {
    const inherited = this.parent?.sharedWithUpstream() ?? NOTHING;
    if (this.entries === undefined) return inherited;
    const own = [...this.entries.values()].filter((entry) => entry.sharing !== 'none');
    if (own.length === 0) return inherited;
    return [...inherited.filter((object) => !this.entries!.has(object.name)), ...own];
  }
}

/** Text as a filter-state object. Envoy: Router::StringAccessor. */
export class StringAccessor implements FilterStateObject {
  readonly value: string;

  constructor(value: string) {
    this.value = value;
  }

  serializeAsString(): string {
    return this.value;
  }

  serializeAsJson(): unknown {
    return this.value;
  }
}

/** Text that keeps upstream connections apart when it is shared with them. Envoy: Router::HashableStringObject. */
export class HashableString extends StringAccessor {
  hashKey(): string {
    return this.value;
  }
}

/** ALPN for connections to the upstream instead of the configured one. Envoy: Network::ApplicationProtocols. */
export class ApplicationProtocols implements FilterStateObject {
  /** The object's name in filter state. */
  static readonly key = 'envoy.network.application_protocols';
  readonly value: readonly string[];

  constructor(value: readonly string[]) {
    this.value = value;
  }

  serializeAsString(): string {
    return this.value.join(',');
  }
}
