// Hides what the protos call sensitive (private keys, passwords, tokens) before a message is shown, as Envoy's config_dump does, and a little more:
// strings and bytes below such a field become "[redacted]", other values go. Source: MessageUtil::redact.

import { decodeMessage, encodeMessage } from './codec.ts';
import type { Field, Message, MessageType } from './descriptors.ts';
import { hasType, messageType } from './descriptors.ts';
import type { TypeMap } from './generated/type_map.ts';
import { fromJson, toJson } from './json.ts';

const REDACTED = '[redacted]';
const ANY = 'google.protobuf.Any';
/** Envoy shows their values; whoever may look at a configuration need not be able to log in elsewhere with it. */
const CREDENTIAL_HEADER = /^(?:proxy-)?authorization$|^(?:set-)?cookie$|token|secret|password|api-?key/i;
const HEADER = 'envoy.config.core.v3.HeaderValue';
const CALL_CREDENTIALS = 'envoy.config.core.v3.GrpcService.GoogleGrpc.CallCredentials';
/** Fields that hold a credential and which the protos do not mark. */
const UNMARKED: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [CALL_CREDENTIALS, new Set(['access_token', 'google_refresh_token'])],
  [`${CALL_CREDENTIALS}.ServiceAccountJWTAccessCredentials`, new Set(['json_key'])],
  [`${CALL_CREDENTIALS}.GoogleIAMCredentials`, new Set(['authorization_token'])],
]);
const TYPED_STRUCTS = new Set(['udpa.type.v1.TypedStruct', 'xds.type.v3.TypedStruct']);

/** A copy without secrets, looking into every Any and TypedStruct of a known type. */
export function redact<K extends keyof TypeMap>(typeName: K, message: TypeMap[K]): TypeMap[K];
export function redact(typeName: string, message: object): Message;
export function redact(typeName: string, message: object): Message {
  const type = messageType(typeName);
  const copy = decodeMessage(type, encodeMessage(type, message as Message));
  redactMessage(type, copy, false);
  return copy;
}

/** True when it changed something: most messages have no secrets, and need not be encoded again. */
function redactMessage(type: MessageType, message: Message, isSensitive: boolean): boolean {
  if (type.name === ANY) return redactAny(message, isSensitive);
  if (TYPED_STRUCTS.has(type.name)) return redactTypedStruct(message, isSensitive);
  const unmarked = UNMARKED.get(type.name);
  const isCredential = type.name === HEADER && CREDENTIAL_HEADER.test((message['key'] ?? '') as string);
  let changed = false;
  for (const name of Object.keys(message)) {
    const field = type.byName.get(name)!;
    const isHidden = field.sensitive || unmarked?.has(name) || (isCredential && name !== 'key');
    if (redactField(field, message, isSensitive || isHidden)) changed = true;
  }
  return changed;
}

function redactField(field: Field, message: Message, isSensitive: boolean): boolean {
  const value = message[field.name];
  if (field.type === 'message') {
    let changed = false;
    for (const each of valuesOf(field, value)) {
      if (redactMessage(field.message, each as Message, isSensitive)) changed = true;
    }
    return changed;
  }
  if (!isSensitive) return false;
  if (field.type === 'string') message[field.name] = replaced(field, value, REDACTED);
  else if (field.type === 'bytes') message[field.name] = replaced(field, value, Buffer.from(REDACTED));
  else delete message[field.name];
  return true;
}

function valuesOf(field: Field, value: unknown): readonly unknown[] {
  if (field.key !== undefined) return Object.values(value as Message);
  return field.repeated ? (value as readonly unknown[]) : [value];
}

function replaced(field: Field, value: unknown, by: unknown): unknown {
  if (field.key === undefined) return field.repeated ? (value as readonly unknown[]).map(() => by) : by;
  const map: Message = Object.create(null);
  for (const key of Object.keys(value as Message)) map[key] = by;
  return map;
}

function redactAny(any: Message, isSensitive: boolean): boolean {
  const url = (any['type_url'] ?? '') as string;
  const name = url.slice(url.lastIndexOf('/') + 1);
  if (!hasType(name)) {
    // Nobody knows what is in it.
    any['value'] = Buffer.from(REDACTED);
    return true;
  }
  const type = messageType(name);
  const content = decodeMessage(type, any['value'] as Uint8Array);
  if (!redactMessage(type, content, isSensitive)) return false;
  any['value'] = encodeMessage(type, content);
  return true;
}

function redactTypedStruct(typed: Message, isSensitive: boolean): boolean {
  const url = (typed['type_url'] ?? '') as string;
  const name = url.slice(url.lastIndexOf('/') + 1);
  const struct = typed['value'];
  if (!hasType(name) || struct === undefined) return false;
  const type = messageType(name);
  const content = fromJson<Message>(name, toJson('google.protobuf.Struct', struct as Message), {
    unknownFields: [],
  });
  if (!redactMessage(type, content, isSensitive)) return false;
  typed['value'] = fromJson(
    'google.protobuf.Struct',
    toJson(name, content, { preserveProtoFieldNames: true }),
  );
  return true;
}
