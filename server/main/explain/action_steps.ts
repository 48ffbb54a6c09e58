// What a route makes of a request: an answer, a redirect, or a cluster with its timeouts and retries; and which HTTP filters see it.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import { RetryOn, type Route, type RouteEntry } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import type { ConnectionManagerConfig, HttpFilterEntry } from '../../common/http/conn_manager_config.ts';
import { upgradeType } from '../../common/http/headers.ts';
import { finalTimeouts } from '../../extensions/filters/http/router/timeouts.ts';
import type { ExplainedResponse, ExplainStep, StepItem } from './explanation.ts';
import { ended, passed } from './steps.ts';

const ACTION = 'Action';

/** A route that answers by itself. */
export function directAction(
  route: Route,
  headers: RequestHeaderMap,
  info: StreamInfo,
): { readonly step: ExplainStep; readonly response: ExplainedResponse; readonly redirect: boolean } {
  const direct = route.directResponseEntry!;
  const status = direct.responseCode;
  direct.rewritePathHeader(headers);
  const redirect = status >= 300 && status < 400;
  const location = redirect || status === 201 ? direct.newUri(headers) : '';
  const body = direct.responseBody(headers, info);
  const response: ExplainedResponse = {
    status,
    flags: [],
    details: 'direct_response',
    ...(body !== '' && { body }),
    ...(location !== '' && { location }),
  };
  const found = redirect ? `redirect to ${location}` : `response ${status}`;
  const step = passed('action', ACTION, found, 'the route answers by itself, nothing is sent to a cluster');
  return { step, response, redirect };
}

/** What is done with a request that is forwarded. Changes `headers` as the router does. */
export function forwardAction(
  entry: RouteEntry,
  clusterName: string,
  headers: RequestHeaderMap,
  info: StreamInfo,
): ExplainStep {
  const items: StepItem[] = [];
  const note = (name: string, text: string): void => void items.push({ name, note: text, ok: true });
  const [path, host] = [headers.path, headers.host];
  const timeouts = finalTimeouts(entry, headers, {
    suppressEnvoyHeaders: false,
    respectExpectedRequestTimeout: false,
  });
  entry.finalizeRequestHeaders(headers, info, true);
  if (headers.path !== path) note('path', `'${path}' is rewritten to '${headers.path}'`);
  if (headers.host !== host) note('host', `'${host}' is rewritten to '${headers.host}'`);
  if (entry.autoHostRewrite) note('host', "becomes the chosen host's name (auto_host_rewrite)");
  note('timeout', timeouts.global === 0 ? 'none' : `${timeouts.global} ms for the whole request`);
  if (timeouts.perTry > 0) note('per_try_timeout', `${timeouts.perTry} ms`);
  const idle = entry.idleTimeoutMs;
  if (idle !== undefined) note('idle_timeout', idle === 0 ? 'none' : `${idle} ms`);
  if (entry.maxStreamDurationMs !== undefined) note('max_stream_duration', `${entry.maxStreamDurationMs} ms`);
  const retry = entry.retryPolicy;
  if (retry !== undefined)
    note('retry_policy', `up to ${retry.numRetries} retries on ${retryConditions(retry.retryOn)}`);
  if (entry.hedgeOnPerTryTimeout) note('hedge_policy', 'another attempt begins beside one that is late');
  for (const { cluster, clusterHeader } of entry.shadowPolicies)
    note(
      'request_mirror_policies',
      `copies go to ${cluster === '' ? `the cluster that header ${clusterHeader} names` : `'${cluster}'`}`,
    );
  if (entry.metadataMatch !== undefined) note('metadata_match', JSON.stringify(entry.metadataMatch));
  if (entry.priority === 1) note('priority', 'HIGH: it has circuit breakers of its own');
  const found = clusterName === '' ? '' : `cluster '${clusterName}'`;
  return passed('action', ACTION, found, 'the request is forwarded', { items });
}

export function retryConditions(bits: number): string {
  const names = Object.entries(RetryOn).filter(([, bit]) => (bits & bit) !== 0);
  return names.length === 0 ? 'nothing' : names.map(([name]) => name).join(', ');
}

/** An upgrade that is not allowed here is refused. Undefined for a request that asks for none. */
export function upgradeStep(
  headers: RequestHeaderMap,
  route: Route | undefined,
  config: ConnectionManagerConfig,
):
  | { readonly step: ExplainStep; readonly refused: boolean; readonly filters: readonly HttpFilterEntry[] }
  | undefined {
  const upgrade = upgradeType(headers);
  if (upgrade === '' || route === undefined) return undefined;
  const configured = config.upgrades.get(upgrade);
  const ofRoute = route.routeEntry?.upgradeEnabled(upgrade);
  const allowed = ofRoute ?? configured?.enabled ?? false;
  const who = ofRoute === undefined ? 'the connection manager' : 'the route';
  const filters = configured?.filters ?? config.filters;
  if (allowed) {
    const step = passed('request', 'Upgrade', upgrade, `${who} allows it`);
    return { step, refused: false, filters };
  }
  const reason = `the upgrade '${upgrade}' is not allowed: ${ofRoute === undefined && configured === undefined ? 'neither the route nor the connection manager has an upgrade_config for it' : `${who} says so`}`;
  return { step: ended('request', 'Upgrade', reason), refused: true, filters };
}

/** Which filters see the request, in their order. */
export function filtersStep(
  entries: readonly HttpFilterEntry[],
  route: Route | undefined,
  headers: RequestHeaderMap,
  info: StreamInfo,
): { readonly step: ExplainStep; readonly response: ExplainedResponse | undefined } {
  const title = 'HTTP filters';
  const items: StepItem[] = [];
  let missing = false;
  let active = 0;
  for (const { name, disabled, provider } of entries) {
    const byRoute = route?.filterDisabled(name);
    if (byRoute ?? disabled) {
      const who =
        byRoute === undefined
          ? 'disabled in http_filters'
          : 'disabled for this route (typed_per_filter_config)';
      items.push({ name, note: who, ok: true });
      continue;
    }
    if (provider.current === undefined) {
      missing = true;
      items.push({ name, note: 'its configuration has not come (ECDS), and it has no default', ok: false });
      continue;
    }
    active++;
    const own = route?.perFilterConfig(name);
    const sees = own === undefined ? 'sees it' : 'sees it, with a configuration of this route';
    const explained = provider.current.explain?.(headers, info, own);
    const { answer } = explained ?? {};
    items.push({
      name,
      note: explained === undefined ? sees : `${sees}: ${explained.note}`,
      ok: answer === undefined,
    });
    if (explained === undefined || answer === undefined || missing) continue;
    const reason = `HTTP filter '${name}' answers ${answer.status}: ${explained.note}`;
    const tree = explained.tree === undefined ? {} : { tree: explained.tree };
    return {
      step: ended('http_filters', title, reason, { items, ...tree }),
      response: { ...answer, flags: [] },
    };
  }
  if (missing) {
    const reason = 'a filter has no configuration: the request is answered with 500 (NFCF)';
    const response = { status: 500, flags: ['NFCF'], details: 'filter_config_not_available' };
    return { step: ended('http_filters', title, reason, { items }), response };
  }
  const reason =
    'any of them may answer, change or delay the request: of access control alone that is followed here';
  const step = passed('http_filters', title, `${active} of ${items.length}`, reason, { items });
  return { step, response: undefined };
}
