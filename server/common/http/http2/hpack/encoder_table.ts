// The dynamic table as its encoder sees it: which values of a name the peer's decoder holds, and under which index. What is
// evicted is forgotten at the name, so that the table's size bounds what a connection remembers. Source: RFC 7541 2.3.2, 4.

import { KIND_CONNECTION_SPECIFIC, KIND_TE, KIND_TRANSFER_ENCODING } from '../../header_names.ts';
import { ENTRY_OVERHEAD, namedField } from './header_field.ts';
import { FIRST_DYNAMIC_INDEX, STATIC_NAMES } from './static_table.ts';

/** Values remembered per name: a search looks at all of them. */
const VALUES_PER_NAME = 8;
/** Names of their own; further ones are encoded in full each time. */
const MAX_NAMES = 256;
/** A name may show this many values that are not used again before its values are no longer put into the table. */
const FREE_MISSES = 8;
/** After so many the name gets another chance. */
const FORGIVEN_MISSES = 1024;
/** An entry may take at most this part of the table. */
const LARGEST_SHARE = 0.5;

export const SEND_ALWAYS = 0;
/** Belongs to an HTTP/1 connection: not sent. */
export const SEND_NEVER = 1;
/** Sent only with the value `trailers`. */
export const SEND_TRAILERS_VALUE = 2;

// How a name's new values are represented.
const INDEX = 0;
/** Never indexed when short, so that guessing it byte by byte does not work. Source: RFC 7541 7.1.3; nghttp2 does so too. */
const INDEX_LONG = 1;
const NEVER_INDEX = 2;

/** A cookie shorter than this is easy to guess. Source: nghttp2, which Envoy uses. */
const SHORT_VALUE = 20;

/** A name and what the table holds of it. */
export class EncodedName {
  readonly name: string;
  readonly sending: number;
  /** In the static table, 0 for none. */
  readonly staticIndex: number;
  readonly staticValues: readonly string[];
  readonly staticIndices: readonly number[];
  private readonly indexing: number;
  /** Values in the dynamic table, and their insertion numbers, oldest first. */
  readonly values: string[] = [];
  readonly insertions: number[] = [];
  /** False while its values differ each time, as ids and times do: these would only drive the others out of the table. */
  repeats = true;
  private hits = 0;
  private misses = 0;

  constructor(name: string) {
    const known = STATIC_NAMES.get(name);
    this.name = name;
    this.sending = sendingOf(name);
    this.staticIndex = known?.index ?? 0;
    this.staticValues = known?.values ?? [];
    this.staticIndices = known?.indices ?? [];
    this.indexing = indexingOf(name);
  }

  /** The static index of the name with this value, or 0. */
  findStatic(value: string): number {
    const { staticValues } = this;
    for (let i = 0; i < staticValues.length; i++) {
      if (staticValues[i] === value) return this.staticIndices[i];
    }
    return 0;
  }

  /** The insertion number of this value, or -1: then it is to be sent in full. */
  find(value: string): number {
    if (this.repeats) {
      const { values } = this;
      for (let i = 0; i < values.length; i++) {
        if (values[i] !== value) continue;
        this.hits++;
        return this.insertions[i];
      }
    }
    this.miss();
    return -1;
  }

  private miss(): void {
    this.misses++;
    if (this.misses > FORGIVEN_MISSES) {
      this.misses = 0;
      this.hits = 0;
    }
    this.repeats = this.misses <= FREE_MISSES || this.hits * 2 > this.misses;
  }

  neverIndexes(value: string): boolean {
    return this.indexing === NEVER_INDEX || (this.indexing === INDEX_LONG && value.length < SHORT_VALUE);
  }

  remember(value: string, insertion: number): void {
    if (this.values.length === VALUES_PER_NAME) {
      this.values.shift();
      this.insertions.shift();
    }
    this.values.push(value);
    this.insertions.push(insertion);
  }

  forget(insertion: number): void {
    // Oldest first, as the table evicts them.
    if (this.insertions[0] !== insertion) return;
    this.values.shift();
    this.insertions.shift();
  }
}

function sendingOf(name: string): number {
  const { kind } = namedField(name, '');
  if (kind === KIND_CONNECTION_SPECIFIC || kind === KIND_TRANSFER_ENCODING) return SEND_NEVER;
  return kind === KIND_TE ? SEND_TRAILERS_VALUE : SEND_ALWAYS;
}

function indexingOf(name: string): number {
  switch (name) {
    case 'authorization':
    case 'proxy-authorization':
      return NEVER_INDEX;
    case 'cookie':
    case 'set-cookie':
      return INDEX_LONG;
    default:
      return INDEX;
  }
}

export class EncoderTable {
  private readonly names = new Map<string, EncodedName>();
  /** Of each entry, oldest first from `evicted` on: whose it is and how big. A ring by insertion number. */
  private owners: (EncodedName | undefined)[] = [];
  private sizes: number[] = [];
  private inserted = 0;
  private evicted = 0;
  private size = 0;
  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  name(name: string): EncodedName {
    const known = this.names.get(name);
    if (known !== undefined) return known;
    const fresh = new EncodedName(name);
    if (this.names.size < MAX_NAMES) this.names.set(name, fresh);
    return fresh;
  }

  /** The index that the entry with this insertion number has now. */
  index(insertion: number): number {
    return FIRST_DYNAMIC_INDEX + this.inserted - 1 - insertion;
  }

  /** The index of an entry with this name, 0 when there is none. */
  nameIndex(name: EncodedName): number {
    const { insertions, staticIndex } = name;
    if (staticIndex > 0 || insertions.length === 0) return staticIndex;
    return this.index(insertions[insertions.length - 1]);
  }

  /** Whether an entry of this name and value has its place. If so it is inserted, and the peer has to be told. */
  tryInsert(name: EncodedName, value: string): boolean {
    const bytes = name.name.length + value.length + ENTRY_OVERHEAD;
    if (bytes > this.capacity * LARGEST_SHARE || !name.repeats) return false;
    this.evictTo(this.capacity - bytes);
    if (this.inserted - this.evicted === this.owners.length) this.grow();
    const at = this.inserted & (this.owners.length - 1);
    this.owners[at] = name;
    this.sizes[at] = bytes;
    this.size += bytes;
    name.remember(value, this.inserted++);
    return true;
  }

  setCapacity(bytes: number): void {
    this.capacity = bytes;
    this.evictTo(bytes);
  }

  private evictTo(bytes: number): void {
    while (this.size > bytes) {
      const at = this.evicted & (this.owners.length - 1);
      this.owners[at]!.forget(this.evicted++);
      this.owners[at] = undefined;
      this.size -= this.sizes[at];
    }
  }

  private grow(): void {
    const { owners, sizes, evicted, inserted } = this;
    const length = Math.max(16, owners.length * 2);
    this.owners = new Array(length).fill(undefined);
    this.sizes = new Array(length).fill(0);
    for (let i = evicted; i < inserted; i++) {
      this.owners[i & (length - 1)] = owners[i & (owners.length - 1)];
      this.sizes[i & (length - 1)] = sizes[i & (owners.length - 1)];
    }
  }
}
