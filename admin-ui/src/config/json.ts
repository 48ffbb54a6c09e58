// Reading proto3 JSON with original field names, as /api/resources and /config_dump give it, without believing too much of it.

import type { Json, JsonObject } from '../api/types.ts';

const NOTHING: JsonObject = {};

export function object(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : NOTHING;
}

export function list(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.map(object) : [];
}

export function texts(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

export function text(value: Json | undefined): string {
  return typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? `${value}`
      : '';
}

/** What is below a path of names. */
export function at(value: JsonObject, ...path: readonly string[]): Json | undefined {
  let found: Json | undefined = value;
  for (const name of path) found = object(found)[name];
  return found;
}

/** The last part of an Any's type: `HttpConnectionManager`. */
export function typeOf(config: JsonObject): string {
  return text(config['@type']).replace(/^.*[./]/, '');
}

/** `host:port`, a path, or the name of an internal listener. */
export function address(value: Json | undefined): string {
  const { socket_address, pipe, envoy_internal_address } = object(value);
  if (socket_address !== undefined) {
    const { address: ip, port_value } = object(socket_address);
    return text(ip).includes(':')
      ? `[${text(ip)}]:${text(port_value) || '0'}`
      : `${text(ip)}:${text(port_value) || '0'}`;
  }
  if (pipe !== undefined) return text(object(pipe)['path']);
  return text(object(envoy_internal_address)['server_listener_name']);
}
