// Proto messages by full name: decode, encode, create, Any. The door to everything Envoy speaks.
// Decoded messages are described in README.md (presence, enums, 64-bit numbers, maps).

import { decodeMessage, encodeMessage } from './codec.ts';
import type { Message } from './descriptors.ts';
import { hasType, messageType, UnknownTypeError } from './descriptors.ts';
import type { Any } from './generated/google/protobuf.ts';
import type { TypeMap } from './generated/type_map.ts';
import { DecodeError } from './wire.ts';

export type { Any, Message, TypeMap };
export { DecodeError, hasType, UnknownTypeError };

/** What create() and encode() take: any part of the message, at every depth. */
export type Init<T> = T extends Uint8Array | string | number | bigint | boolean | undefined
  ? T
  : T extends readonly (infer E)[]
    ? readonly Init<E>[]
    : { readonly [K in keyof T]?: Init<T[K]> };

/** A name that is not known while compiling; so that a known one is not taken with a message of another shape. */
export type DynamicName<N extends string> = N extends keyof TypeMap ? never : N;

/** Decodes wire bytes. Throws UnknownTypeError, and DecodeError for bytes that are not such a message. */
export function decode<K extends keyof TypeMap>(typeName: K, bytes: Uint8Array): TypeMap[K];
export function decode<T = Message>(typeName: string, bytes: Uint8Array): T;
export function decode(typeName: string, bytes: Uint8Array): Message {
  return decodeMessage(messageType(typeName), bytes);
}

/** The wire bytes of a message or of a plain object of its shape. Throws UnknownTypeError. */
export function encode<K extends keyof TypeMap>(typeName: K, message: Init<TypeMap[K]>): Uint8Array;
export function encode<N extends string>(typeName: DynamicName<N>, message: object): Uint8Array;
export function encode(typeName: string, message: object): Uint8Array {
  return encodeMessage(messageType(typeName), message as Message);
}

/** A new message with the given fields; nested objects become messages too, so their absent fields read as defaults. */
export function create<K extends keyof TypeMap>(typeName: K, init?: Init<TypeMap[K]>): TypeMap[K];
export function create<N extends string>(typeName: DynamicName<N>, init?: object): Message;
export function create(typeName: string, init: object = {}): Message {
  const type = messageType(typeName);
  return decodeMessage(type, encodeMessage(type, init as Message));
}

/** The full message name in a type URL: what follows the last slash. */
export function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

/** The type URL of a full message name, as Envoy writes it. */
export function typeUrlOf(typeName: string): string {
  return `type.googleapis.com/${typeName}`;
}

/** Packs a message into an Any. Throws UnknownTypeError. */
export function encodeAny<K extends keyof TypeMap>(typeName: K, message: Init<TypeMap[K]>): Any {
  return create('google.protobuf.Any', {
    type_url: typeUrlOf(typeName),
    value: encode(typeName, message),
  });
}

/** What an Any holds. */
export interface DecodedAny {
  readonly typeName: string;
  readonly message: Message;
}

/**
 * Decodes what an Any holds, and no Any inside that. `path` names the Any in errors.
 * Throws UnknownTypeError for a type that is not known, DecodeError for bytes that are not of that type.
 */
export function decodeAny(any: Any, path = ''): DecodedAny {
  const typeName = typeNameOf(any.type_url);
  if (!hasType(typeName)) throw new UnknownTypeError(typeName, path);
  try {
    return { typeName, message: decode(typeName, any.value) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new DecodeError(`Unable to unpack as ${typeName}: ${error.reason}`, path);
  }
}
