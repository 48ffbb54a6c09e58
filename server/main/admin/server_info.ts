// What the process says of itself: /ready, /server_info, /memory, /hot_restart_version, /certs, /init_dump.
// Envoy: source/server/admin/server_info_handler.cc, init_dump_handler.cc.

import { getHeapStatistics } from 'node:v8';
import type { Json } from '../../../xds-protos/json.ts';
import { toJson } from '../../../xds-protos/json.ts';
import type { AdminContext } from './context.ts';
import { type AdminAnswer, type AdminRequest, json, text } from './handler.ts';

const WITH_DEFAULTS = { preserveProtoFieldNames: true, alwaysPrintPrimitiveFields: true };

export function ready(_request: AdminRequest, context: AdminContext): AdminAnswer {
  const state = context.server.state();
  return text(`${state}\n`, state === 'LIVE' ? 200 : 503);
}

export function serverInfo(_request: AdminRequest, { server }: AdminContext): AdminAnswer {
  const uptime = server.uptime();
  return json({
    version: server.version,
    state: server.state(),
    uptime_current_epoch: `${Math.floor(uptime.currentEpoch)}s`,
    uptime_all_epochs: `${Math.floor(uptime.allEpochs)}s`,
    hot_restart_version: server.hotRestartVersion,
    command_line_options: toJson(
      'envoy.admin.v3.CommandLineOptions',
      server.commandLineOptions,
      WITH_DEFAULTS,
    ),
    node: toJson('envoy.config.core.v3.Node', server.node, WITH_DEFAULTS),
    hot_restart_initializing: server.hotRestartInitializing(),
  });
}

/** Envoy's names for tcmalloc's figures, with V8's nearest to each. */
export function memory(): AdminAnswer {
  const heap = getHeapStatistics();
  const usage = process.memoryUsage();
  return json({
    allocated: String(usage.heapUsed + usage.external),
    heap_size: String(usage.heapTotal + usage.external),
    pageheap_unmapped: '0',
    pageheap_free: String(heap.total_available_size),
    total_thread_cache: String(heap.malloced_memory),
    total_physical_bytes: String(usage.rss),
  });
}

export function hotRestartVersion(_request: AdminRequest, context: AdminContext): AdminAnswer {
  return text(context.server.hotRestartVersion);
}

export function certs(_request: AdminRequest, context: AdminContext): AdminAnswer {
  const certificates: Json[] = [];
  for (const certificate of context.certificates()) {
    certificates.push(toJson('envoy.admin.v3.Certificate', certificate, WITH_DEFAULTS));
  }
  return json({ certificates });
}

/** `mask` names a component (`listener`): only its targets. */
export function initDump(request: AdminRequest, context: AdminContext): AdminAnswer {
  const mask = request.query.get('mask');
  const dumps: Json[] = [];
  for (const { name, targetNames } of context.unreadyTargets()) {
    if (mask === null || mask === name || name.startsWith(`${mask} `))
      dumps.push({ name, target_names: [...targetNames] });
  }
  return json(dumps.length === 0 ? {} : { unready_targets_dumps: dumps });
}
