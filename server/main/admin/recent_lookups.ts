// /stats/recentlookups. Envoy: source/server/admin/stats_handler.cc.

import type { AdminContext } from './context.ts';
import { type AdminAnswer, type AdminRequest, text } from './handler.ts';

export function recentLookups(_request: AdminRequest, { stats }: AdminContext): AdminAnswer {
  const { enabled, total } = stats.lookups;
  let body = '   Count Lookup\n';
  if (!enabled) body = 'Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n';
  for (const [name, count] of stats.lookups.counts()) body += `${String(count).padStart(8)} ${name}\n`;
  return text(`${body}\ntotal: ${total}\n`);
}

export function clearLookups(_request: AdminRequest, { stats }: AdminContext): AdminAnswer {
  stats.lookups.clear();
  return text('OK\n');
}

export function disableLookups(_request: AdminRequest, { stats }: AdminContext): AdminAnswer {
  stats.lookups.disable();
  return text('OK\n');
}

export function enableLookups(_request: AdminRequest, { stats }: AdminContext): AdminAnswer {
  stats.lookups.enabled = true;
  return text('OK\n');
}
