// Reads the JSON object of a POST and checks it against the schema in which its endpoint describes it.

import type { Json } from '../../../../xds-protos/json.ts';
import { ApiError, type Schema } from './endpoint.ts';

/** Throws ApiError (400) that names the field which is wrong. An empty text is an empty object. */
export function checkedBody(schema: Schema, text: string): Readonly<Record<string, Json>> {
  let value: Json;
  try {
    value = text.trim() === '' ? {} : (JSON.parse(text) as Json);
  } catch (error) {
    throw new ApiError(400, `the body is not JSON: ${(error as Error).message}`);
  }
  check(schema, value, '');
  return value as Readonly<Record<string, Json>>;
}

function check(schema: Schema, value: Json, path: string): void {
  const { type } = schema;
  if (type !== undefined && !isOf(type, value))
    throw new ApiError(400, `${named(path)} must be ${WORDS[type]}`);
  if (schema.enum !== undefined && !schema.enum.includes(value as string))
    throw new ApiError(400, `${named(path)} must be one of ${schema.enum.join(', ')}`);
  if (typeof value === 'number') {
    const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
    if (value < minimum || value > maximum)
      throw new ApiError(400, `${named(path)} must be from ${minimum} to ${maximum}`);
  }
  if (Array.isArray(value)) {
    if (schema.items !== undefined)
      for (const [index, item] of value.entries()) check(schema.items, item, `${path}[${index}]`);
  } else if (typeof value === 'object' && value !== null) checkFields(schema, value, path);
}

function checkFields(schema: Schema, value: { readonly [field: string]: Json }, path: string): void {
  const at = (field: string): string => (path === '' ? field : `${path}.${field}`);
  for (const field of schema.required ?? [])
    if (value[field] === undefined) throw new ApiError(400, `'${at(field)}' is required`);
  for (const [field, part] of Object.entries(value)) {
    const known = schema.properties?.[field];
    if (known !== undefined) check(known, part, at(field));
    else if (schema.additionalProperties === false) throw new ApiError(400, `unknown field '${at(field)}'`);
  }
}

const WORDS = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
} as const;

function isOf(type: keyof typeof WORDS, value: Json): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}

function named(path: string): string {
  return path === '' ? 'the body' : `'${path}'`;
}
