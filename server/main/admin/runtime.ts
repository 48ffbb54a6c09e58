// /runtime and /runtime_modify. Envoy: source/server/admin/runtime_handler.cc.

import type { AdminContext } from './context.ts';
import { type AdminAnswer, type AdminRequest, json, text } from './handler.ts';

const USAGE =
  'usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n' +
  '       or send the parameters as form values\n' +
  'use an empty value to remove a previously added override';

export function runtime(_request: AdminRequest, { runtime }: AdminContext): AdminAnswer {
  const entries = runtime.entries.map(({ name, layerValues, finalValue }) => [
    name,
    { final_value: finalValue, layer_values: layerValues },
  ]);
  return json({ entries: Object.fromEntries(entries), layers: runtime.layerNames });
}

export function runtimeModify({ query }: AdminRequest, { runtime }: AdminContext): AdminAnswer {
  if (query.size === 0) return text(USAGE, 400);
  if (!runtime.modify(new Map(query))) return text('No admin layer specified', 503);
  return text('OK\n');
}
