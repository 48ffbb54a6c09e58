// JSON as YAML, for reading: block style, strings in quotes only where they need them.

import type { Json } from '../api/types.ts';

/** What YAML 1.2 would take for something else than a string. */
const NOT_PLAIN =
  /^$|^[\s\-?:,[\]{}#&*!|>'"%@`]|[:#]\s|\s#|:$|\s$|[\n\t]|^(true|false|null|yes|no|on|off|~)$|^[+-]?[\d.]/i;

export function toYaml(value: Json, indent = ''): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return value.map((each) => `${indent}- ${element(each, `${indent}  `)}`).join('\n');
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value);
    if (fields.length === 0) return '{}';
    return fields.map(([name, each]) => `${indent}${scalar(name)}:${field(each, indent)}`).join('\n');
  }
  return scalar(value as string | number | boolean | null);
}

function isBlock(value: Json): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function element(value: Json, indent: string): string {
  return isBlock(value) ? toYaml(value, indent).slice(indent.length) : toYaml(value);
}

function field(value: Json, indent: string): string {
  return isBlock(value) ? `\n${toYaml(value, `${indent}  `)}` : ` ${toYaml(value)}`;
}

function scalar(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value);
  return NOT_PLAIN.test(value) ? JSON.stringify(value) : value;
}
