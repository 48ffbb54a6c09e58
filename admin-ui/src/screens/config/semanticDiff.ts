// What differs between two configurations, field by field. Elements of lists are told apart by their names, as the proxy does in
// /api/history, so that an element that moved is no change.

import type { Change, Json, JsonObject } from '../../api/types.ts';

/** More are not for reading. */
const MAX_CHANGES = 2_000;

export function semanticDiff(before: Json | undefined, after: Json | undefined): Change[] {
  const changes: Change[] = [];
  compare(before, after, '', changes);
  return changes;
}

function compare(before: Json | undefined, after: Json | undefined, path: string, changes: Change[]): void {
  if (changes.length >= MAX_CHANGES || before === after) return;
  if (isObject(before) && isObject(after)) {
    for (const field of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare(before[field], after[field], path === '' ? field : `${path}.${field}`, changes);
  } else if (Array.isArray(before) && Array.isArray(after)) {
    const [old, now] = [byName(before), byName(after)];
    for (const key of new Set([...old.keys(), ...now.keys()]))
      compare(old.get(key), now.get(key), `${path}[${key}]`, changes);
  } else if (JSON.stringify(before) !== JSON.stringify(after)) {
    changes.push({
      path,
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
    });
  }
}

/** By name where all have one and none has it twice, by place otherwise. */
function byName(list: readonly Json[]): ReadonlyMap<string, Json> {
  const names = list.map((element) => (isObject(element) ? element['name'] : undefined));
  const named = names.every((name) => typeof name === 'string') && new Set(names).size === list.length;
  return new Map(list.map((element, place) => [named ? String(names[place]) : String(place), element]));
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
