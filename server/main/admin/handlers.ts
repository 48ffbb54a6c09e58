// THE table of admin endpoints. `/`, /help and the 404 text are made from it. Texts are Envoy's, whose users search for them.

import * as actions from './actions.ts';
import { clusters } from './clusters.ts';
import { configDump } from './config_dump.ts';
import { type AdminHandler, type AdminParam, text } from './handler.ts';
import { helpText } from './help.ts';
import { homePage } from './home_page.ts';
import { listeners } from './listeners.ts';
import { logging } from './logging.ts';
import * as profiling from './profiling.ts';
import * as lookups from './recent_lookups.ts';
import { runtime, runtimeModify } from './runtime.ts';
import * as serverInfo from './server_info.ts';
import { stats, statsPrometheus } from './stats.ts';

const USED_ONLY: AdminParam = {
  name: 'usedonly',
  type: 'boolean',
  help: 'Only include stats that have been written by system since restart',
};
const STATS_FILTER: readonly AdminParam[] = [
  { name: 'filter', type: 'string', help: 'Regular expression (Google re2) for filtering stats' },
  { name: 'invert_filter', type: 'boolean', help: 'Invert the filter regex' },
];

export const HANDLERS: readonly AdminHandler[] = [
  get('/', 'Admin home page', () => {
    return { status: 200, contentType: 'text/html; charset=UTF-8', body: homePage(HANDLERS) };
  }),
  post(
    '/allocprofiler',
    'enable/disable the allocation profiler (if supported)',
    profiling.allocationProfiler,
    enable('enable/disable the allocation profiler'),
  ),
  get('/certs', 'print certs on machine', serverInfo.certs),
  get('/clusters', 'upstream cluster status', clusters, [
    {
      name: 'filter',
      type: 'string',
      help: 'Regular expression (Google re2) for filtering clusters by name',
    },
  ]),
  get('/config_dump', 'dump current Envoy configs', configDump, [
    { name: 'resource', type: 'string', help: 'The resource to dump' },
    {
      name: 'mask',
      type: 'string',
      help: 'The mask to apply. When both resource and mask are specified, the mask is applied to every element in the desired repeated field so that only a subset of fields are returned. The mask is parsed as a Protobuf::FieldMask',
    },
    {
      name: 'name_regex',
      type: 'string',
      help: 'Dump only the currently loaded configurations whose names match the specified regex. Can be used with both resource and mask query parameters.',
    },
    {
      name: 'include_eds',
      type: 'boolean',
      help: 'Dump currently loaded configuration including EDS. See the response definition for more information',
    },
  ]),
  get('/contention', 'dump current Envoy mutex contention stats (if enabled)', profiling.contention),
  post(
    '/cpuprofiler',
    'enable/disable the CPU profiler',
    profiling.cpuProfiler,
    enable('enables the CPU profiler'),
  ),
  post('/drain_listeners', 'drain listeners', actions.drainListeners, [
    {
      name: 'graceful',
      type: 'boolean',
      help: 'When draining listeners, enter a graceful drain period prior to closing listeners. This behaviour and duration is configurable via server options or CLI',
    },
    {
      name: 'skip_exit',
      type: 'boolean',
      help: 'When draining listeners, drain the connections but never stop the listeners. The graceful parameter has no effect when this is set, since the drain period only delays stopping the listeners',
    },
    {
      name: 'inboundonly',
      type: 'boolean',
      help: 'Drains all inbound listeners. traffic_direction field in envoy_v3_api_msg_config.listener.v3.Listener is used to determine whether a listener is inbound or outbound.',
    },
  ]),
  post('/healthcheck/fail', 'cause the server to fail health checks', actions.failHealthChecks),
  post('/healthcheck/ok', 'cause the server to pass health checks', actions.passHealthChecks),
  get('/heap_dump', 'dump current Envoy heap (if supported)', profiling.heapDump),
  post(
    '/heapprofiler',
    'enable/disable the heap profiler',
    profiling.heapProfiler,
    enable('enable/disable the heap profiler'),
  ),
  get('/help', 'print out list of admin commands', () => text(helpText(HANDLERS))),
  get('/hot_restart_version', 'print the hot restart compatibility version', serverInfo.hotRestartVersion),
  get('/init_dump', 'dump current Envoy init manager information (experimental)', serverInfo.initDump, [
    {
      name: 'mask',
      type: 'mask',
      help: 'The desired component to dump unready targets. The mask is parsed as a Protobuf::FieldMask. For example, get the unready targets of all listeners with /init_dump?mask=listener`',
    },
  ]),
  get('/listeners', 'print listener info', listeners, [
    { name: 'format', type: { choices: ['text', 'json'] }, help: 'File format to use' },
  ]),
  post('/logging', 'query/change logging levels', logging, [
    {
      name: 'paths',
      type: 'string',
      help: 'Change multiple logging levels by setting to <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>. If fine grain logging is enabled, use __FILE__ or a glob experision as the logger name. For example, source/common*:warning',
    },
    {
      name: 'group',
      type: 'string',
      help: 'Change given logger group to desired level, set to <logger_group_name>:<desired_level>. logger_group_name must be a logger name.',
    },
    {
      name: 'level',
      type: { choices: ['', 'trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] },
      help: "desired logging level, this will change all loggers's level",
    },
  ]),
  get('/memory', 'print current allocation/heap usage', serverInfo.memory),
  get('/memory/tcmalloc', 'print TCMalloc stats', profiling.tcmalloc),
  get('/peak_heap_dump', 'dump peak Envoy heap (if supported)', profiling.peakHeapDump),
  post('/quitquitquit', 'exit the server', actions.quit),
  get('/ready', 'print server state, return 200 if LIVE, otherwise return 503', serverInfo.ready),
  post('/reopen_logs', 'reopen access logs', actions.reopenLogs),
  post('/reset_counters', 'reset all counters to zero', actions.resetCounters),
  get('/runtime', 'print runtime values', runtime),
  post(
    '/runtime_modify',
    'Adds or modifies runtime values as passed in query parameters. To delete a previously added key, use an empty string as the value. Note that deletion only applies to overrides added via this endpoint; values loaded from disk can be modified via override but not deleted. E.g. ?key1=value1&key2=value2...',
    runtimeModify,
  ),
  get('/server_info', 'print server version/status information', serverInfo.serverInfo),
  get('/stats', 'print server stats', stats, [
    USED_ONLY,
    ...STATS_FILTER,
    { name: 'format', type: { choices: ['html', 'active-html', 'text', 'json'] }, help: 'Format to use' },
    {
      name: 'type',
      type: { choices: ['All', 'Counters', 'Histograms', 'Gauges', 'TextReadouts'] },
      help: 'Stat types to include.',
    },
    {
      name: 'histogram_buckets',
      type: { choices: ['cumulative', 'disjoint', 'detailed', 'summary'] },
      help: 'Histogram bucket display mode',
    },
  ]),
  get('/stats/prometheus', 'print server stats in prometheus format', statsPrometheus, [
    USED_ONLY,
    {
      name: 'text_readouts',
      type: 'boolean',
      help: 'Render text_readouts as new gaugues with value 0 (increases Prometheus data size)',
    },
    ...STATS_FILTER,
    {
      name: 'histogram_buckets',
      type: { choices: ['cumulative', 'summary'] },
      help: 'Histogram bucket display mode',
    },
  ]),
  get('/stats/recentlookups', 'Show recent stat-name lookups', lookups.recentLookups),
  post('/stats/recentlookups/clear', 'clear list of stat-name lookups and counter', lookups.clearLookups),
  post(
    '/stats/recentlookups/disable',
    'disable recording of reset stat-name lookup names',
    lookups.disableLookups,
  ),
  post(
    '/stats/recentlookups/enable',
    'enable recording of reset stat-name lookup names',
    lookups.enableLookups,
  ),
];

function enable(help: string): readonly AdminParam[] {
  return [{ name: 'enable', type: { choices: ['y', 'n'] }, help }];
}

function get(
  path: string,
  help: string,
  handle: AdminHandler['handle'],
  params: readonly AdminParam[] = [],
): AdminHandler {
  return { path, help, mutates: false, params, handle };
}

function post(
  path: string,
  help: string,
  handle: AdminHandler['handle'],
  params: readonly AdminParam[] = [],
): AdminHandler {
  return { path, help, mutates: true, params, handle };
}
