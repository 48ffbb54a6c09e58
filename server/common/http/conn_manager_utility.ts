// What a connection manager changes in a request's head before its filters see it: hop-by-hop headers go, who the client
// is and how it came is written down, and what only trusted peers may say is removed when the peer is not trusted.
// Follows Envoy's source/common/http/conn_manager_utility.cc and docs: configuration/http/http_conn_man/headers.

import { isIP } from 'node:net';
import type { HeaderMap, RequestHeaderMap } from '../../api/http/header_map.ts';
import type { RouteConfig } from '../../api/router.ts';
import type { Address, ConnectionInfo, StreamInfo } from '../../api/stream_info.ts';
import { ipAddress } from '../network/address.ts';
import type { ConnectionManagerConfig } from './conn_manager_config.ts';
import { mutateForwardedClientCert } from './forwarded_client_cert.ts';
import { hasToken, isUpgrade } from './headers.ts';
import { stripPort, stripTrailingHostDot } from './path_utility.ts';
import { setRequestId } from './request_id.ts';

/** Headers that only internal peers may send; removed from requests of everyone else. Envoy: cleanInternalHeaders. */
const INTERNAL_HEADERS = [
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-upstream-stream-duration-ms',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-original-url',
  'x-envoy-hedge-on-per-try-timeout',
] as const;
/** Removed for edge requests only. */
const EDGE_HEADERS = [
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
  'x-envoy-original-host',
] as const;

/** Changes the head of a request in place and leaves the client's address and the request id in `info`. */
export function mutateRequestHeaders(
  headers: RequestHeaderMap,
  info: StreamInfo,
  config: ConnectionManagerConfig,
  connection: ConnectionInfo,
  routes: RouteConfig | undefined,
): void {
  removeHopByHop(headers);
  joinForwardedFor(headers);
  const trust = config.useRemoteAddress
    ? edgeAddress(headers, config, connection)
    : forwardedAddress(headers, config, connection);
  if (config.schemeToOverwrite !== '') {
    headers.scheme = config.schemeToOverwrite;
    headers.set('x-forwarded-proto', config.schemeToOverwrite);
  } else if (headers.scheme === '') headers.scheme = schemeOf(headers.get('x-forwarded-proto'), connection);

  const internal = trust.single && trust.address !== undefined && config.isInternalAddress(trust.address);
  info.remoteAddress = trust.address ?? connection.remoteAddress;
  const edge = !internal && config.useRemoteAddress;
  headers.remove('x-envoy-internal');
  if (internal) headers.append('x-envoy-internal', 'true');
  else removeInternalHeaders(headers, edge, routes);
  if (config.userAgent !== '') addUserAgent(headers, config);
  if (config.via !== '') appendVia(headers, config.via);
  if (edge && info.remoteAddress.ip !== '') headers.set('x-envoy-external-address', info.remoteAddress.ip);
  if (config.generateRequestId) setRequestId(headers, config, edge);
  info.requestId = headers.get('x-request-id') ?? '';
  mutateForwardedClientCert(headers, config, connection);
}

function removeHopByHop(headers: RequestHeaderMap): void {
  if (!isUpgrade(headers)) {
    // The headers that it named are gone already: see http1/connection_header.ts.
    headers.remove('connection');
    headers.remove('upgrade');
  }
  headers.remove('keep-alive');
  headers.remove('proxy-connection');
  headers.remove('transfer-encoding');
  const te = headers.get('te');
  if (te !== undefined && te !== 'trailers') {
    if (hasToken(te, 'trailers')) headers.set('te', 'trailers');
    else headers.remove('te');
  }
}

/** Several x-forwarded-for lines are one list (Envoy's header map joins them when they are read). */
function joinForwardedFor(headers: RequestHeaderMap): void {
  const first = headers.get('x-forwarded-for');
  if (first === undefined) return;
  const all = headers.getAll('x-forwarded-for')!;
  if (all !== first) headers.set('x-forwarded-for', all);
}

interface Trust {
  readonly address: Address | undefined;
  /** True when x-forwarded-for holds (at most) the one address we know to be right. */
  readonly single: boolean;
}

/** We are the edge: the peer (or the hop before the trusted ones) is the client, and we append it. */
function edgeAddress(
  headers: RequestHeaderMap,
  config: ConnectionManagerConfig,
  connection: ConnectionInfo,
): Trust {
  const remote = connection.remoteAddress;
  const forwarded = headers.getAll('x-forwarded-for');
  const address =
    config.xffNumTrustedHops === 0
      ? remote
      : (lastAddressFromXff(forwarded, config.xffNumTrustedHops - 1) ?? remote);
  if (!config.skipXffAppend) {
    // A loopback peer says nothing about where this proxy is: Envoy writes the proxy's own address.
    const loopback = isLoopback(remote.ip);
    const ip = loopback ? config.localIp : remote.ip;
    const mapped = config.representIpv4AsIpv6Mapped && !loopback && !ip.includes(':') ? `::ffff:${ip}` : ip;
    if (ip !== '') appendValue(headers, 'x-forwarded-for', mapped);
  }
  if (config.xffNumTrustedHops === 0 || !headers.has('x-forwarded-proto')) {
    headers.set('x-forwarded-proto', connection.ssl === undefined ? 'http' : 'https');
  }
  setForwardedPort(headers, config, connection, config.xffNumTrustedHops === 0);
  return { address, single: forwarded === undefined };
}

function setForwardedPort(
  headers: RequestHeaderMap,
  config: ConnectionManagerConfig,
  connection: ConnectionInfo,
  overwrite: boolean,
): void {
  if (config.appendXForwardedPort && (overwrite || !headers.has('x-forwarded-port')))
    headers.set('x-forwarded-port', String(connection.localAddress.port));
}

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1';
}

/** We are not the edge: x-forwarded-for tells the client. */
function forwardedAddress(
  headers: RequestHeaderMap,
  config: ConnectionManagerConfig,
  connection: ConnectionInfo,
): Trust {
  const forwarded = headers.getAll('x-forwarded-for');
  if (!headers.has('x-forwarded-proto'))
    headers.set('x-forwarded-proto', connection.ssl === undefined ? 'http' : 'https');
  setForwardedPort(headers, config, connection, false);
  if (forwarded === undefined) return { address: undefined, single: false };
  const address = lastAddressFromXff(forwarded, config.xffNumTrustedHops);
  return {
    address,
    single: address !== undefined && config.xffNumTrustedHops === 0 && !forwarded.includes(','),
  };
}

/** The address `skip` entries before the last one, or undefined when there is none or it is no IP address. */
function lastAddressFromXff(value: string | undefined, skip: number): Address | undefined {
  if (value === undefined) return undefined;
  const entries = value.split(',');
  const text = entries.at(-1 - skip)?.trim();
  return text === undefined || isIP(text) === 0 ? undefined : ipAddress(text, 0);
}

function schemeOf(forwardedProto: string | undefined, connection: ConnectionInfo): string {
  if (forwardedProto === 'https' || forwardedProto === 'http') return forwardedProto;
  return connection.ssl === undefined ? 'http' : 'https';
}

/** Is there any `x-envoy-...`? One look at the names is cheaper than twenty removals, and mostly there is none. */
function hasEnvoyHeader(list: readonly string[]): boolean {
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i];
    if (name.charCodeAt(0) === 120 && name.charCodeAt(2) === 101 && name.startsWith('x-envoy-')) return true;
  }
  return false;
}

function removeInternalHeaders(
  headers: RequestHeaderMap,
  edge: boolean,
  routes: RouteConfig | undefined,
): void {
  if (hasEnvoyHeader(headers.list)) {
    for (let i = 0; i < INTERNAL_HEADERS.length; i++) headers.remove(INTERNAL_HEADERS[i]);
    if (edge) for (let i = 0; i < EDGE_HEADERS.length; i++) headers.remove(EDGE_HEADERS[i]);
  }
  if (routes === undefined) return;
  const internalOnly = routes.internalOnlyHeaders(headers);
  for (let i = 0; i < internalOnly.length; i++) headers.remove(internalOnly[i]);
}

function addUserAgent(headers: RequestHeaderMap, config: ConnectionManagerConfig): void {
  headers.set('x-envoy-downstream-service-cluster', config.userAgent);
  if (!headers.get('user-agent')) headers.set('user-agent', config.userAgent);
  if (config.nodeId !== '') headers.set('x-envoy-downstream-service-node', config.nodeId);
}

/** Adds this proxy to those that the message came through. */
export function appendVia(headers: HeaderMap, via: string): void {
  const before = headers.getAll('via');
  headers.set('via', before === undefined || before === '' ? via : `${before}, ${via}`);
}

/** Appends to a comma-separated header, as one value. */
export function appendValue(headers: RequestHeaderMap, name: string, value: string): void {
  const before = headers.getAll(name);
  headers.set(name, before === undefined || before === '' ? value : `${before},${value}`);
}

/** Strips the port and the trailing dot from the host where configured. */
export function normalizeHost(
  headers: RequestHeaderMap,
  config: ConnectionManagerConfig,
  connection: ConnectionInfo,
): void {
  const host = headers.host;
  if (host === undefined || host === '') return;
  if (config.stripTrailingHostDot) headers.host = stripTrailingHostDot(host);
  if (config.stripPort === 'none' || headers.method === 'CONNECT') return;
  headers.host = stripPort(
    headers.host!,
    config.stripPort === 'any' ? undefined : connection.localAddress.port,
  );
}
