// google.protobuf.FieldMask over a message's JSON: which paths exist, and the message with only those. A path may go
// through an Any into its message, but not through a list. Envoy: source/server/admin/config_dump_handler.cc.

import { type MessageType, messageType } from '../../../xds-protos/descriptors.ts';
import type { Json } from '../../../xds-protos/json.ts';

type JsonObject = { [key: string]: Json };

export class FieldMask {
  readonly text: string;
  readonly #paths: readonly (readonly string[])[];

  /** Paths with dots, separated by commas. */
  constructor(text: string) {
    this.text = text;
    this.#paths = text.split(',').map((path) => path.split('.'));
  }

  /** As protobuf prints the mask in its error texts. */
  get debugString(): string {
    return `goo.gle/debugonly   \n${this.#paths.map((path) => `paths: "${path.join('.')}"\n`).join('')}`;
  }

  /** Does every path name a field of the type? `json` tells what is in an Any; without it anything may be. */
  isValid(typeName: string, json?: JsonObject): boolean {
    return this.#paths.every((path) => exists(messageType(typeName), path, json));
  }

  /** `json` with only the fields of the mask. */
  trim(json: JsonObject): JsonObject {
    const trimmed: JsonObject = {};
    for (const path of this.#paths) copyPath(json, trimmed, path);
    return trimmed;
  }
}

function exists(
  type: MessageType,
  [name = '', ...rest]: readonly string[],
  json: JsonObject | undefined,
): boolean {
  const field = type.byName.get(name);
  if (field === undefined) return false;
  if (rest.length === 0) return true;
  if (field.repeated || field.key !== undefined || field.type !== 'message') return false;
  const inner = json?.[name];
  if (field.message.name !== 'google.protobuf.Any')
    return exists(field.message, rest, inner as JsonObject | undefined);
  const url = (inner as JsonObject | undefined)?.['@type'];
  return typeof url === 'string'
    ? exists(messageType(url.slice(url.lastIndexOf('/') + 1)), rest, inner as JsonObject)
    : true;
}

function copyPath(from: JsonObject, to: JsonObject, [name = '', ...rest]: readonly string[]): void {
  if (from['@type'] !== undefined) to['@type'] = from['@type'];
  const value = from[name];
  if (value === undefined) return;
  if (rest.length === 0) {
    to[name] = value;
    return;
  }
  to[name] ??= {};
  copyPath(value as JsonObject, to[name] as JsonObject, rest);
}
