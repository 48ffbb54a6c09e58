// JSON as YAML, for reading: block style, strings in quotes only where they need them; each line with the path of its field.

import type { Json, JsonObject } from '../api/types.ts';

export interface YamlLine {
  readonly text: string;
  /** As the proxy writes paths: clusters[0].name. */
  readonly path: string;
}

/** What YAML 1.2 would take for something else than a string. */
const NOT_PLAIN =
  /^$|^[\s\-?:,[\]{}#&*!|>'"%@`]|[:#]\s|\s#|:$|\s$|[\n\t]|^(true|false|null|yes|no|on|off|~)$|^[+-]?[\d.]/i;

export function toYaml(value: Json): string {
  return yamlLines(value)
    .map(({ text }) => text)
    .join('\n');
}

export function yamlLines(value: Json, path = '', indent = ''): YamlLine[] {
  if (!isBlock(value)) return [{ text: indent + scalar(value), path }];
  if (Array.isArray(value)) return value.flatMap((each, place) => element(each, `${path}[${place}]`, indent));
  return Object.entries(value).flatMap(([name, each]) => {
    const own = path === '' ? name : `${path}.${name}`;
    const text = `${indent}${scalar(name)}:`;
    if (!isBlock(each)) return [{ text: `${text} ${scalar(each)}`, path: own }];
    return [{ text, path: own }, ...yamlLines(each, own, `${indent}  `)];
  });
}

/** Its first line begins with the dash. */
function element(value: Json, path: string, indent: string): YamlLine[] {
  const [first, ...rest] = yamlLines(value, path, `${indent}  `) as [YamlLine, ...YamlLine[]];
  return [{ ...first, text: `${indent}- ${first.text.slice(indent.length + 2)}` }, ...rest];
}

/** Takes lines of its own; what is empty does not. */
function isBlock(value: Json): value is JsonObject | readonly Json[] {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function scalar(value: Json): string {
  if (typeof value === 'string') return NOT_PLAIN.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value);
}
