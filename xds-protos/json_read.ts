// Proto3 JSON into messages. Where Envoy's parser is more lenient than the specification, so is this:
// one value stands for a list of one, a null list element for a default one, enum names may be lower-case, an Any may be {}.

import { ConfigError } from '../server/api/config_error.ts';
import { encodeMessage } from './codec.ts';
import type { Field, Message, MessageType } from './descriptors.ts';
import { hasType, messageType, UnknownTypeError } from './descriptors.ts';
import { kindOf, readScalar, ScalarError } from './json_scalars.ts';
import { parseDuration, parseFieldMask, parseTimestamp } from './json_well_known.ts';
import { MAX_DEPTH } from './wire.ts';

type JsonObject = { readonly [key: string]: unknown };

const WRAPPER = /^google\.protobuf\.(Double|Float|U?Int(32|64)|Bool|String|Bytes)Value$/;

/** True for the types whose JSON is not that of their fields: inside an Any it stands under `value`. */
export function hasOwnJson(name: string): boolean {
  if (!name.startsWith('google.protobuf.')) return false;
  return WRAPPER.test(name) || OWN_JSON.has(name.slice('google.protobuf.'.length));
}

/** True for Int32Value and its like. */
export function isWrapper(name: string): boolean {
  return WRAPPER.test(name);
}

const OWN_JSON = new Set([
  'Any',
  'Duration',
  'Timestamp',
  'FieldMask',
  'Struct',
  'Value',
  'ListValue',
  'Empty',
]);
const MAY_BE_FIELDS = new Set(['Duration', 'Timestamp', 'FieldMask']);

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

export class JsonReader {
  readonly #base: string;
  readonly #unknown: string[] | undefined;
  readonly #path: (string | number)[] = [];

  constructor(base: string, unknown: string[] | undefined) {
    this.#base = base;
    this.#unknown = unknown;
  }

  #where(): string {
    let path = this.#base;
    for (const part of this.#path) {
      path += typeof part === 'number' ? `[${part}]` : path === '' ? part : `.${part}`;
    }
    return path;
  }

  #fail(reason: string): never {
    throw new ConfigError(this.#where(), reason);
  }

  #object(json: unknown, type: string): JsonObject {
    return isObject(json) ? json : this.#fail(`expected an object for message ${type}, got ${kindOf(json)}`);
  }

  #string(json: unknown, type: string): string {
    return typeof json === 'string' ? json : this.#fail(`expected a string for ${type}, got ${kindOf(json)}`);
  }

  /** A message of any type, well-known ones by their own JSON. */
  message(type: MessageType, json: unknown): Message {
    if (this.#path.length > MAX_DEPTH * 2) this.#fail('JSON nested too deeply');
    if (!type.name.startsWith('google.protobuf.')) return this.#fields(type, this.#object(json, type.name));
    const own = type.name.slice('google.protobuf.'.length);
    // Envoy also takes these as the messages they are: {seconds: 1}, {value: 5}.
    if (isObject(json) && (isWrapper(type.name) || MAY_BE_FIELDS.has(own))) return this.#fields(type, json);
    if (isWrapper(type.name)) {
      const value = this.#scalar(type.byName.get('value')!, json);
      return Object.assign(type.create(), { value });
    }
    switch (own) {
      case 'Any':
        return this.#any(type, json);
      case 'Duration':
        return this.#parsed(type, parseDuration(this.#string(json, type.name)));
      case 'Timestamp':
        return this.#parsed(type, parseTimestamp(this.#string(json, type.name)));
      case 'FieldMask':
        return Object.assign(type.create(), { paths: parseFieldMask(this.#string(json, type.name)) });
      case 'Struct':
        return this.#struct(type, this.#object(json, type.name));
      case 'ListValue':
        return this.#list(type, json);
      case 'Value':
        return this.#value(type, json);
      default:
        return this.#fields(type, this.#object(json, type.name));
    }
  }

  #fields(type: MessageType, json: JsonObject, skipped?: string): Message {
    const message = type.create();
    const oneofs = new Map<string, string>();
    for (const key of Object.keys(json)) {
      if (key === skipped) continue;
      const field = type.byName.get(key);
      if (field === undefined) {
        this.#unknownField(type, key);
        continue;
      }
      const value = json[key];
      if (value === undefined || (value === null && !takesNull(field))) continue;
      this.#path.push(field.name);
      if (field.oneof !== undefined) {
        const other = oneofs.get(field.oneof);
        if (other !== undefined) {
          this.#fail(
            `'${field.name}' cannot be set beside '${other}': both belong to oneof '${field.oneof}'`,
          );
        }
        oneofs.set(field.oneof, field.name);
      }
      const read = this.#field(field, value);
      if (read !== undefined) message[field.name] = read;
      this.#path.pop();
    }
    return message;
  }

  #unknownField(type: MessageType, key: string): void {
    if (this.#unknown === undefined) this.#fail(`message ${type.name}: no such field: '${key}'`);
    this.#path.push(key);
    this.#unknown.push(this.#where());
    this.#path.pop();
  }

  #field(field: Field, json: unknown): unknown {
    if (field.key !== undefined) return this.#map(field, field.key, json);
    if (!field.repeated) return this.#one(field, json);
    const list = Array.isArray(json) ? json : [json];
    const values: unknown[] = [];
    for (let index = 0; index < list.length; index++) {
      this.#path.push(index);
      const json = list[index];
      const value = json === null && !takesNull(field) ? defaultElement(field) : this.#one(field, json);
      if (value !== undefined) values.push(value);
      this.#path.pop();
    }
    return values;
  }

  #map(field: Field, keyType: string, json: unknown): Message {
    const map: Message = Object.create(null);
    const entries = isObject(json) ? json : this.#fail(`expected an object for a map, got ${kindOf(json)}`);
    for (const key of Object.keys(entries)) {
      this.#path.push(key);
      const value = this.#one(field, entries[key]);
      if (value !== undefined) map[String(this.#read(keyType, key))] = value;
      this.#path.pop();
    }
    return map;
  }

  /** One value; undefined for an unknown enum name that is collected. */
  #one(field: Field, json: unknown): unknown {
    return field.type === 'message' ? this.message(field.message, json) : this.#scalar(field, json);
  }

  #scalar(field: Field, json: unknown): unknown {
    return field.type === 'enum' ? this.#enum(field, json) : this.#read(field.type, json);
  }

  #read(type: string, json: unknown): unknown {
    try {
      return readScalar(type, json);
    } catch (error) {
      if (error instanceof ScalarError) this.#fail(error.message);
      throw error;
    }
  }

  #enum(field: Field, json: unknown): unknown {
    const type = field.enum;
    if (json === null) return type.nameOf.get(0);
    if (typeof json === 'string' && !/^-?\d+$/.test(json)) {
      const number = type.numberOf.get(json) ?? type.numberOf.get(json.toUpperCase().replaceAll('-', '_'));
      if (number !== undefined) return type.nameOf.get(number);
      if (this.#unknown === undefined) this.#fail(`unknown enum value: '${json}'`);
      this.#unknown.push(this.#where());
      return undefined;
    }
    if (typeof json !== 'number' && typeof json !== 'string') this.#fail('expected number or string');
    const number = this.#read('int32', json) as number;
    return type.nameOf.get(number) ?? number;
  }

  #parsed(type: MessageType, parsed: object | string): Message {
    return typeof parsed === 'string' ? this.#fail(parsed) : Object.assign(type.create(), parsed);
  }

  #any(type: MessageType, json: unknown): Message {
    const any = this.#object(json, type.name);
    const message = type.create();
    const url = any['@type'];
    if (url === undefined) {
      return Object.keys(any).length === 0 ? message : this.#fail("missing '@type' in google.protobuf.Any");
    }
    if (typeof url !== 'string' || !url.includes('/')) this.#fail(`invalid '@type': ${JSON.stringify(url)}`);
    const name = url.slice(url.lastIndexOf('/') + 1);
    if (!hasType(name)) throw new UnknownTypeError(url, this.#where());
    const packed = messageType(name);
    const content = hasOwnJson(name) ? this.#ownJson(packed, any) : this.#fields(packed, any, '@type');
    message['type_url'] = url;
    message['value'] = encodeMessage(packed, content);
    return message;
  }

  #ownJson(type: MessageType, any: JsonObject): Message {
    for (const key of Object.keys(any)) {
      if (key !== '@type' && key !== 'value') this.#unknownField(type, key);
    }
    const value = any['value'];
    if (value === undefined || (value === null && type.name !== 'google.protobuf.Value'))
      return type.create();
    return this.message(type, value);
  }

  #struct(type: MessageType, json: JsonObject): Message {
    const fields: Message = Object.create(null);
    const valueType = type.byName.get('fields')!.message;
    for (const key of Object.keys(json)) {
      if (json[key] === undefined) continue;
      this.#path.push(key);
      fields[key] = this.message(valueType, json[key]);
      this.#path.pop();
    }
    return Object.assign(type.create(), { fields });
  }

  #list(type: MessageType, json: unknown): Message {
    if (!Array.isArray(json)) return this.#fail(`expected an array, got ${kindOf(json)}`);
    const values = this.#field(type.byName.get('values')!, json);
    return Object.assign(type.create(), { values });
  }

  #value(type: MessageType, json: unknown): Message {
    const value = type.create();
    if (json === null) value['null_value'] = 'NULL_VALUE';
    else if (typeof json === 'boolean') value['bool_value'] = json;
    else if (typeof json === 'number' || typeof json === 'bigint') value['number_value'] = Number(json);
    else if (typeof json === 'string') value['string_value'] = this.#read('string', json);
    else if (Array.isArray(json))
      value['list_value'] = this.message(type.byName.get('listValue')!.message, json);
    else value['struct_value'] = this.message(type.byName.get('structValue')!.message, json);
    return value;
  }
}

/** null means absent, except where null is a value. */
function takesNull(field: Field): boolean {
  if (field.repeated || field.key !== undefined) return false;
  if (field.type === 'message') return field.message.name === 'google.protobuf.Value';
  return field.type === 'enum' && field.enum.name === 'google.protobuf.NullValue';
}

function defaultElement(field: Field): unknown {
  return field.type === 'message' ? field.message.create() : field.zero;
}
