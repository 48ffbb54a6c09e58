// /help, and the same list under "invalid path" for a 404. Envoy: source/server/admin/admin.cc.

import type { AdminHandler, AdminParam } from './handler.ts';

/** The list of `handlers`, sorted by path. */
export function helpText(handlers: readonly AdminHandler[]): string {
  let text = 'admin commands are:\n';
  for (const handler of sortedByPath(handlers)) {
    text += `  ${handler.path}${handler.mutates ? ' (POST)' : ''}: ${handler.help}\n`;
    for (const param of handler.params) text += `      ${param.name}: ${param.help}${choices(param)}\n`;
  }
  return text;
}

export function sortedByPath(handlers: readonly AdminHandler[]): AdminHandler[] {
  return [...handlers].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function choices({ type }: AdminParam): string {
  return typeof type === 'object' ? `; One of (${type.choices.join(', ')})` : '';
}
