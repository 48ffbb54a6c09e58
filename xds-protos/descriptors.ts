// Message and enum types, made from generated/descriptors.txt when they are first asked for, and only those.
// A process that reads ten resource types pays for some two hundred messages of more than three thousand.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../server/api/config_error.ts';

/** protoc-gen-validate's FieldRules as written in the .proto, e.g. `{string: {min_len: 1}}`. */
export type Rules = { readonly [rule: string]: unknown };

export interface FieldDescriptor {
  name: string;
  number: number;
  /** A proto scalar type, `message` or `enum` (named by `of`); of a map field: the type of its values. */
  type: string;
  of?: string;
  /** The key type of a map field. */
  key?: string;
  repeated?: true;
  /** A proto3 `optional` field. */
  optional?: true;
  oneof?: string;
  /** Only where json_name was given. */
  json?: string;
  rules?: Rules;
  /** The udpa.annotations.sensitive option: never shown, see redact.ts. */
  sensitive?: true;
}

export interface OneofDescriptor {
  name: string;
  required?: true;
}

export interface MessageDescriptor {
  package: string;
  /** In the order of their declaration. */
  fields: FieldDescriptor[];
  oneofs?: OneofDescriptor[];
  /** The `validate.disabled` option. */
  unvalidated?: true;
}

export interface EnumDescriptor {
  package: string;
  values: Record<string, number>;
}

export type Descriptor = MessageDescriptor | EnumDescriptor;

/** A type name that no descriptor has. */
export class UnknownTypeError extends ConfigError {
  readonly typeName: string;

  constructor(typeName: string, path = '') {
    super(path, `could not find @type '${typeName}'`);
    this.name = 'UnknownTypeError';
    this.typeName = typeName;
  }
}

/** Any decoded message: proto field names to values. Absent fields read as their default through the prototype. */
export type Message = { [field: string]: unknown };

const EMPTY_LIST: readonly never[] = Object.freeze([]);
const EMPTY_MAP: Message = Object.freeze(Object.create(null));

const ZERO: Readonly<Record<string, unknown>> = {
  string: '',
  bool: false,
  bytes: new Uint8Array(0),
  int64: 0n,
  uint64: 0n,
  sint64: 0n,
  fixed64: 0n,
  sfixed64: 0n,
};

export class EnumType {
  readonly name: string;
  readonly numberOf: ReadonlyMap<string, number>;
  /** The first name of an aliased number. */
  readonly nameOf: ReadonlyMap<number, string>;

  constructor(name: string, descriptor: EnumDescriptor) {
    this.name = name;
    const entries = Object.entries(descriptor.values);
    this.numberOf = new Map(entries);
    this.nameOf = new Map(entries.map(([key, value]): [number, string] => [value, key]).reverse());
  }
}

export class Field {
  readonly name: string;
  readonly jsonName: string;
  readonly number: number;
  readonly type: string;
  readonly repeated: boolean;
  /** The key type when this is a map field. */
  readonly key: string | undefined;
  readonly oneof: string | undefined;
  /** Absent and default are different things: a message, a oneof member or an `optional` field. */
  readonly presence: boolean;
  readonly rules: Rules | undefined;
  readonly sensitive: boolean;
  readonly #of: string;
  #message: MessageType | undefined;
  #enum: EnumType | undefined;

  constructor(descriptor: FieldDescriptor) {
    this.name = descriptor.name;
    this.jsonName = descriptor.json ?? lowerCamel(descriptor.name);
    this.number = descriptor.number;
    this.type = descriptor.type;
    this.repeated = descriptor.repeated === true;
    this.key = descriptor.key;
    this.oneof = descriptor.oneof;
    this.presence =
      !this.repeated &&
      this.key === undefined &&
      (this.type === 'message' || this.oneof !== undefined || descriptor.optional === true);
    this.rules = descriptor.rules;
    this.sensitive = descriptor.sensitive === true;
    this.#of = descriptor.of ?? '';
  }

  /** The type of a `message` field's value. */
  get message(): MessageType {
    return (this.#message ??= messageType(this.#of));
  }

  /** The type of an `enum` field's value. */
  get enum(): EnumType {
    return (this.#enum ??= enumType(this.#of));
  }

  /** What one absent value is: of a list or a map, its element's. */
  get zero(): unknown {
    if (this.type === 'enum') return this.enum.nameOf.get(0);
    return ZERO[this.type] ?? 0;
  }
}

export class MessageType {
  readonly name: string;
  /** In the order of their declaration, which validation follows. */
  readonly declared: readonly Field[];
  /** In the order of their numbers. */
  readonly fields: readonly Field[];
  readonly oneofs: readonly OneofDescriptor[];
  readonly unvalidated: boolean;
  readonly byNumber: ReadonlyMap<number, Field>;
  /** Both spellings of every field name. */
  readonly byName: ReadonlyMap<string, Field>;
  readonly #prototype: Message = {};

  constructor(name: string, descriptor: MessageDescriptor) {
    this.name = name;
    this.declared = descriptor.fields.map((field) => new Field(field));
    this.fields = this.declared.toSorted((a, b) => a.number - b.number);
    this.oneofs = descriptor.oneofs ?? [];
    this.unvalidated = descriptor.unvalidated === true;
    this.byNumber = new Map(this.fields.map((field) => [field.number, field]));
    this.byName = new Map(
      this.fields.flatMap((field): [string, Field][] => [
        [field.jsonName, field],
        [field.name, field],
      ]),
    );
    for (const field of this.fields) this.#prototype[field.name] = defaultOf(field);
  }

  /** A message with every field absent. */
  create(): Message {
    return Object.create(this.#prototype) as Message;
  }
}

function defaultOf(field: Field): unknown {
  if (field.key !== undefined) return EMPTY_MAP;
  if (field.repeated) return EMPTY_LIST;
  return field.presence ? undefined : field.zero;
}

/** protobuf's json_name of a proto field name: `drain_timeout` is `drainTimeout`. */
export function lowerCamel(name: string): string {
  return name.replace(/_+([a-zA-Z0-9]?)/g, (_, letter: string) => letter.toUpperCase());
}

const file = path.join(import.meta.dirname, 'generated', 'descriptors.txt');
const NEWLINE = 10;
const TAB = 9;

// Bytes, not strings: a Buffer is outside the heap, and each thread has one.
const bytes = open();
const starts = indexOf(bytes);
const messages = new Map<string, MessageType>();
const enums = new Map<string, EnumType>();

// A first start builds, in a process of its own: the .proto parser would stay in this one's memory.
function open(): Buffer {
  if (!existsSync(file)) {
    const build = path.join(import.meta.dirname, 'build.ts');
    execFileSync(process.execPath, [build], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return readFileSync(file);
}

/** Where each type's JSON begins. */
function indexOf(bytes: Buffer): Map<string, number> {
  const starts = new Map<string, number>();
  for (let start = 0; start < bytes.length; start = bytes.indexOf(NEWLINE, start) + 1) {
    const tab = bytes.indexOf(TAB, start);
    starts.set(bytes.toString('latin1', start, tab), tab + 1);
  }
  return starts;
}

function descriptor(name: string): Descriptor | undefined {
  const start = starts.get(name);
  if (start === undefined) return undefined;
  return JSON.parse(bytes.toString('utf8', start, bytes.indexOf(NEWLINE, start))) as Descriptor;
}

/** Every message name that is known, in order. */
export function typeNames(): string[] {
  return [...starts.keys()].filter((name) => 'fields' in (descriptor(name) as Descriptor));
}

/** True when a message of that full name is known. */
export function hasType(name: string): boolean {
  if (messages.has(name)) return true;
  const found = descriptor(name);
  return found !== undefined && 'fields' in found;
}

/** The message type of a full name such as `envoy.config.cluster.v3.Cluster`. Throws UnknownTypeError. */
export function messageType(name: string): MessageType {
  const known = messages.get(name);
  if (known !== undefined) return known;
  const found = descriptor(name);
  if (found === undefined || !('fields' in found)) throw new UnknownTypeError(name);
  const type = new MessageType(name, found);
  messages.set(name, type);
  return type;
}

/** The enum type of a full name. Throws UnknownTypeError. */
export function enumType(name: string): EnumType {
  const known = enums.get(name);
  if (known !== undefined) return known;
  const found = descriptor(name);
  if (found === undefined || !('values' in found)) throw new UnknownTypeError(name);
  const type = new EnumType(name, found);
  enums.set(name, type);
  return type;
}
