// /clusters: every cluster with its limits and hosts, as lines or JSON. Envoy: source/server/admin/clusters_handler.cc.

import type { Address } from '../../api/stream_info.ts';
import { HostHealthFlag, HostSlot } from '../../api/upstream/host.ts';
import { addressJson } from './address_json.ts';
import type { AdminContext, CircuitBreakerLimits, ClusterStatus, HostStatus } from './context.ts';
import { type AdminAnswer, type AdminRequest, prettyJson, text } from './handler.ts';
import { compileSearch, RegexParamError } from './regex_param.ts';

/** In the order of the text's flags; `json` is the field of HostHealthStatus. */
const HEALTH_FLAGS = [
  { flag: HostHealthFlag.FailedActiveHc, text: '/failed_active_hc', json: 'failed_active_health_check' },
  { flag: HostHealthFlag.FailedOutlierCheck, text: '/failed_outlier_check', json: 'failed_outlier_check' },
  { flag: HostHealthFlag.FailedEdsHealth, text: '/failed_eds_health', json: undefined },
  {
    flag: HostHealthFlag.DegradedActiveHc,
    text: '/degraded_active_hc',
    json: 'failed_active_degraded_check',
  },
  { flag: HostHealthFlag.DegradedEdsHealth, text: '/degraded_eds_health', json: undefined },
  {
    flag: HostHealthFlag.PendingDynamicRemoval,
    text: '/pending_dynamic_removal',
    json: 'pending_dynamic_removal',
  },
  { flag: HostHealthFlag.PendingActiveHc, text: '/pending_active_hc', json: 'pending_active_hc' },
  {
    flag: HostHealthFlag.ExcludedViaImmediateHcFail,
    text: '/excluded_via_immediate_hc_fail',
    json: 'excluded_via_immediate_hc_fail',
  },
  { flag: HostHealthFlag.ActiveHcTimeout, text: '/active_hc_timeout', json: 'active_hc_timeout' },
  { flag: HostHealthFlag.EdsStatusDraining, text: '/eds_status_draining', json: undefined },
  {
    flag: HostHealthFlag.DegradedOutlierDetection,
    text: '/degraded_outlier_detection',
    json: undefined,
  },
] as const;

const HOST_COUNTERS = [
  ['cx_connect_fail', HostSlot.ConnectFail],
  ['cx_total', HostSlot.ConnectionTotal],
  ['rq_error', HostSlot.RequestError],
  ['rq_success', HostSlot.RequestSuccess],
  ['rq_timeout', HostSlot.RequestTimeout],
  ['rq_total', HostSlot.RequestTotal],
] as const;

export async function clusters({ query }: AdminRequest, context: AdminContext): Promise<AdminAnswer> {
  const filter = query.get('filter');
  let accepts: (name: string) => boolean = () => true;
  try {
    if (filter !== null && filter !== '') accepts = compileSearch(filter);
  } catch (error) {
    if (error instanceof RegexParamError) return text('Invalid re2 regex', 400);
    throw error;
  }
  const statuses = accepted(context.clusters(undefined, await context.ownHosts()), accepts);
  if (query.get('format') !== 'json') return text(textLines(statuses));
  return { status: 200, contentType: 'application/json', body: jsonPieces(statuses) };
}

function* accepted(
  statuses: Iterable<ClusterStatus>,
  accepts: (name: string) => boolean,
): Generator<ClusterStatus> {
  for (const status of statuses) if (accepts(status.name)) yield status;
}

function* textLines(statuses: Iterable<ClusterStatus>): Generator<string> {
  for (const cluster of statuses) {
    const name = cluster.name;
    let lines = `${name}::observability_name::${cluster.observabilityName}\n`;
    if (cluster.outlier !== undefined) {
      lines += `${name}::outlier::success_rate_average::${general(cluster.outlier.successRateAverage)}\n`;
      lines += `${name}::outlier::success_rate_ejection_threshold::${general(cluster.outlier.successRateEjectionThreshold)}\n`;
      lines += `${name}::outlier::local_origin_success_rate_average::${general(cluster.outlier.localOriginSuccessRateAverage)}\n`;
      lines += `${name}::outlier::local_origin_success_rate_ejection_threshold::${general(cluster.outlier.localOriginSuccessRateEjectionThreshold)}\n`;
    }
    lines += limitLines(`${name}::default_priority`, cluster.defaultPriority);
    lines += limitLines(`${name}::high_priority`, cluster.highPriority);
    lines += `${name}::added_via_api::${cluster.addedViaApi}\n`;
    if (cluster.edsServiceName !== '') lines += `${name}::eds_service_name::${cluster.edsServiceName}\n`;
    for (const host of cluster.hosts) lines += hostLines(`${name}::${host.description.address.text}::`, host);
    yield lines;
  }
}

function limitLines(start: string, limits: CircuitBreakerLimits): string {
  return (
    `${start}::max_connections::${limits.maxConnections}\n` +
    `${start}::max_pending_requests::${limits.maxPendingRequests}\n` +
    `${start}::max_requests::${limits.maxRequests}\n` +
    `${start}::max_retries::${limits.maxRetries}\n`
  );
}

function hostLines(start: string, host: HostStatus): string {
  const { description } = host;
  const read = (slot: number): number => slotOf(host, slot);
  return (
    `${start}cx_active::${read(HostSlot.ActiveConnections)}\n` +
    `${start}cx_connect_fail::${read(HostSlot.ConnectFail)}\n` +
    `${start}cx_total::${read(HostSlot.ConnectionTotal)}\n` +
    `${start}rq_active::${read(HostSlot.ActiveRequests)}\n` +
    `${start}rq_error::${read(HostSlot.RequestError)}\n` +
    `${start}rq_pending_active::${host.pendingRequests}\n` +
    `${start}rq_success::${read(HostSlot.RequestSuccess)}\n` +
    `${start}rq_timeout::${read(HostSlot.RequestTimeout)}\n` +
    `${start}rq_total::${read(HostSlot.RequestTotal)}\n` +
    `${start}hostname::${description.hostname}\n` +
    `${start}health_flags::${healthFlags(read(HostSlot.HealthFlags))}\n` +
    `${start}weight::${description.weight}\n` +
    `${start}region::${description.locality.region}\n` +
    `${start}zone::${description.locality.zone}\n` +
    `${start}sub_zone::${description.locality.subZone}\n` +
    `${start}canary::${host.canary}\n` +
    `${start}priority::${description.priority}\n` +
    `${start}success_rate::${general(host.successRate)}\n` +
    `${start}local_origin_success_rate::${general(host.localOriginSuccessRate)}\n`
  );
}

/** A number as Envoy's streams print it: six digits. */
function general(value: number): number {
  return Number(value.toPrecision(6));
}

function healthFlags(bits: number): string {
  const names = healthFlagNames(bits);
  return names.length === 0 ? 'healthy' : `/${names.join('/')}`;
}

/** The words for what is set in the bits of HostHealthFlag. */
export function healthFlagNames(bits: number): string[] {
  return HEALTH_FLAGS.filter(({ flag }) => (bits & flag) !== 0).map(({ text }) => text.slice(1));
}

/** `{"cluster_statuses": [...]}` cluster by cluster. */
function* jsonPieces(statuses: Iterable<ClusterStatus>): Generator<string> {
  let first = true;
  for (const status of statuses) {
    yield `${first ? '{\n "cluster_statuses": [\n' : ',\n'}${prettyJson(clusterJson(status)).trimEnd().replace(/^/gm, '  ')}`;
    first = false;
  }
  yield first ? '{}\n' : '\n ]\n}\n';
}

// Fields below are in the order of admin.v3's messages and left out at their defaults.

function clusterJson(cluster: ClusterStatus): object {
  const hosts = [...cluster.hosts];
  const { outlier } = cluster;
  return {
    name: cluster.name,
    ...(cluster.addedViaApi && { added_via_api: true }),
    ...percent('success_rate_ejection_threshold', outlier?.successRateEjectionThreshold),
    ...(hosts.length > 0 && { host_statuses: hosts.map(hostJson) }),
    ...percent(
      'local_origin_success_rate_ejection_threshold',
      outlier?.localOriginSuccessRateEjectionThreshold,
    ),
    circuit_breakers: {
      thresholds: [
        limitsJson(cluster.defaultPriority),
        { priority: 'HIGH', ...limitsJson(cluster.highPriority) },
      ],
    },
    observability_name: cluster.observabilityName,
    ...(cluster.edsServiceName !== '' && { eds_service_name: cluster.edsServiceName }),
  };
}

function limitsJson(limits: CircuitBreakerLimits): object {
  return {
    max_connections: limits.maxConnections,
    max_pending_requests: limits.maxPendingRequests,
    max_requests: limits.maxRequests,
    max_retries: limits.maxRetries,
  };
}

function hostJson(host: HostStatus): object {
  const { address, locality, hostname, priority, weight } = host.description;
  const gauge = (name: string, value: number): object => ({ type: 'GAUGE', ...nonZero(value), name });
  return {
    address: addressJson(address satisfies Address),
    stats: [
      ...HOST_COUNTERS.map(([name, slot]) => ({ ...nonZero(slotOf(host, slot)), name })),
      gauge('cx_active', slotOf(host, HostSlot.ActiveConnections)),
      gauge('rq_active', slotOf(host, HostSlot.ActiveRequests)),
      gauge('rq_pending_active', host.pendingRequests),
    ],
    health_status: healthJson(host),
    ...percent('success_rate', host.successRate),
    weight,
    ...(hostname !== '' && { hostname }),
    ...(priority !== 0 && { priority }),
    ...percent('local_origin_success_rate', host.localOriginSuccessRate),
    locality: {
      ...(locality.region !== '' && { region: locality.region }),
      ...(locality.zone !== '' && { zone: locality.zone }),
      ...(locality.subZone !== '' && { sub_zone: locality.subZone }),
    },
  };
}

function healthJson(host: HostStatus): object {
  const bits = slotOf(host, HostSlot.HealthFlags);
  const status: Record<string, unknown> = {};
  for (const { flag, json } of HEALTH_FLAGS.slice(0, 4)) {
    if (json !== undefined && (bits & flag) !== 0) status[json] = true;
  }
  if (host.edsHealthStatus !== 'UNKNOWN') status['eds_health_status'] = host.edsHealthStatus;
  for (const { flag, json } of HEALTH_FLAGS.slice(4)) {
    if (json !== undefined && (bits & flag) !== 0) status[json] = true;
  }
  return status;
}

function percent(field: string, value: number | undefined): object | undefined {
  return value !== undefined && value >= 0 ? { [field]: value === 0 ? {} : { value } } : undefined;
}

function nonZero(value: number): object | undefined {
  return value === 0 ? undefined : { value: String(value) };
}

/** A live number of the host. */
export function slotOf(host: HostStatus, slot: number): number {
  return Atomics.load(host.description.table, host.description.slot + slot) >>> 0;
}
