// /listeners. Envoy: source/server/admin/listeners_handler.cc.

import { addressJson } from './address_json.ts';
import type { AdminContext } from './context.ts';
import { type AdminAnswer, type AdminRequest, json, text } from './handler.ts';

export function listeners({ query }: AdminRequest, context: AdminContext): AdminAnswer {
  const all = [...context.listeners()];
  if (query.get('format') !== 'json') {
    return text(all.map(({ name, localAddress }) => `${name}::${localAddress.text}\n`).join(''));
  }
  if (all.length === 0) return json({});
  const byName = Map.groupBy(all, ({ name }) => name);
  return json({
    listener_statuses: [...byName].map(([name, [first, ...others]]) => ({
      name,
      local_address: addressJson(first!.localAddress),
      ...(others.length > 0 && {
        additional_local_addresses: others.map(({ localAddress }) => addressJson(localAddress)),
      }),
    })),
  });
}
