// Checks a value against the part of JSON Schema that the admin's OpenAPI document uses.

import type { Schema } from '../../server/main/admin/api/endpoint.ts';

/** What is wrong, as `path: reason`. `schemas` are those that `$ref` names. */
export function schemaErrors(
  schema: Schema,
  value: unknown,
  schemas: Readonly<Record<string, Schema>>,
  path = '$',
): string[] {
  if (schema.$ref !== undefined) {
    const target = schemas[schema.$ref.replace('#/components/schemas/', '')];
    if (target === undefined) return [`${path}: no schema ${schema.$ref}`];
    return schemaErrors(target, value, schemas, path);
  }
  if (schema.type !== undefined && typeOf(value, schema.type) !== schema.type)
    return [`${path}: ${JSON.stringify(value)} is no ${schema.type}`];
  if (schema.enum !== undefined && !schema.enum.includes(value as string))
    return [`${path}: ${JSON.stringify(value)} is none of ${schema.enum.join(', ')}`];
  if (Array.isArray(value))
    return value.flatMap((each, i) => schemaErrors(schema.items ?? {}, each, schemas, `${path}[${i}]`));
  if (typeof value !== 'object' || value === null) return [];
  const { properties = {}, required = [], additionalProperties } = schema;
  const errors = required.filter((name) => !(name in value)).map((name) => `${path}.${name}: missing`);
  for (const [name, each] of Object.entries(value)) {
    const property = properties[name];
    if (property !== undefined) errors.push(...schemaErrors(property, each, schemas, `${path}.${name}`));
    else if (additionalProperties === false) errors.push(`${path}.${name}: unknown`);
  }
  return errors;
}

function typeOf(value: unknown, wanted: string): string {
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value) && wanted === 'integer') return 'integer';
  return value === null ? 'null' : typeof value;
}
