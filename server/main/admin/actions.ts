// Endpoints that make the server do something and say OK. Envoy: source/server/admin/server_cmd_handler.cc, listeners_handler.cc.

import { inTurns } from '../../common/event/steps.ts';
import type { AdminContext } from './context.ts';
import { type AdminAnswer, type AdminRequest, text } from './handler.ts';

export function failHealthChecks(_request: AdminRequest, context: AdminContext): AdminAnswer {
  context.failHealthChecks(true);
  return text('OK\n');
}

export function passHealthChecks(_request: AdminRequest, context: AdminContext): AdminAnswer {
  context.failHealthChecks(false);
  return text('OK\n');
}

export function quit(_request: AdminRequest, context: AdminContext): AdminAnswer {
  return { ...text('OK\n'), afterwards: () => context.quit() };
}

export async function resetCounters(_request: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  await inTurns(context.stats.resetCounters());
  return text('OK\n');
}

export function reopenLogs(_request: AdminRequest, context: AdminContext): AdminAnswer {
  context.reopenLogs();
  return text('OK\n');
}

export function drainListeners({ query }: AdminRequest, context: AdminContext): AdminAnswer {
  const graceful = query.has('graceful');
  const skipExit = query.has('skip_exit');
  context.drainListeners({ inboundOnly: query.has('inboundonly'), graceful, skipExit });
  return text('OK\n');
}
