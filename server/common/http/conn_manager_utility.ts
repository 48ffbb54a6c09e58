// What a connection manager changes in a request's head before its filters see it: hop-by-hop headers go, who the client
// is and how it came is written down, and what only trusted peers may say is removed when the peer is not trusted.
// Follows Envoy's source/common/http/conn_manager_utility.cc and docs: configuration/http/http_conn_man/headers.

import { randomUUID } from 'node:crypto';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { RouteConfig } from '../../api/router.ts';
import type { Address, ConnectionInfo, StreamInfo } from '../../api/stream_info.ts';
import { ipAddress } from '../network/address.ts';
import type { ConnectionManagerConfig } from './conn_manager_config.ts';
import { mutateForwardedClientCert } from './forwarded_client_cert.ts';
import { isUpgrade } from './headers.ts';
import { stripPort, stripTrailingHostDot } from './path_utility.ts';
import { packTraceReason } from './request_id.ts';

/** Headers that only internal peers may send; removed from requests of external clients. Envoy: cleanInternalHeaders. */
const INTERNAL_HEADERS = [
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
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
  const trust = config.useRemoteAddress
    ? edgeAddress(headers, config, connection)
    : forwardedAddress(headers, config, connection);
  if (config.schemeToOverwrite !== '') headers.scheme = config.schemeToOverwrite;
  else if (headers.scheme === '' || connection.ssl === undefined)
    headers.scheme = schemeOf(headers.get('x-forwarded-proto'), connection);

  const internal = trust.single && trust.address !== undefined && config.isInternalAddress(trust.address);
  info.remoteAddress = trust.address ?? connection.remoteAddress;
  const edge = !internal && config.useRemoteAddress;
  if (internal) headers.set('x-envoy-internal', 'true');
  else {
    headers.remove('x-envoy-internal');
    if (edge) removeInternalHeaders(headers, routes);
  }
  if (config.userAgent !== '') {
    headers.set('x-envoy-downstream-service-cluster', config.userAgent);
    if (!headers.has('user-agent')) headers.set('user-agent', config.userAgent);
  }
  if (config.via !== '') appendValue(headers, 'via', config.via);
  if (edge && info.remoteAddress.ip !== '') headers.set('x-envoy-external-address', info.remoteAddress.ip);
  if (config.generateRequestId) setRequestId(headers, config, edge);
  info.requestId = headers.get('x-request-id') ?? '';
  mutateForwardedClientCert(headers, config, connection);
}

function removeHopByHop(headers: RequestHeaderMap): void {
  if (!isUpgrade(headers)) {
    if (headers.has('connection')) removeConnectionNamed(headers);
    headers.remove('upgrade');
  }
  headers.remove('keep-alive');
  headers.remove('proxy-connection');
  headers.remove('transfer-encoding');
  const te = headers.get('te');
  if (te !== undefined && te !== 'trailers') {
    if (te.split(',').some((one) => one.trim().toLowerCase().split(';')[0] === 'trailers'))
      headers.set('te', 'trailers');
    else headers.remove('te');
  }
}

/** Headers that `connection` may not name: they are ours, or pseudo-headers. Envoy: Utility::sanitizeConnectionHeader. */
const NEVER_REMOVED = new Set([
  'cookie',
  'host',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'connection',
  'close',
  'keep-alive',
  'te',
]);

/** Removes `connection` and the headers that it names as hop-by-hop (RFC 9110 7.6.1). */
function removeConnectionNamed(headers: RequestHeaderMap): void {
  const value = headers.getAll('connection')!;
  if (value !== 'close' && value !== 'keep-alive') {
    for (const token of value.toLowerCase().split(',')) {
      const name = token.trim();
      if (name !== '' && !name.startsWith(':') && !NEVER_REMOVED.has(name)) headers.remove(name);
    }
  }
  headers.remove('connection');
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
    const ip = isLoopback(remote.ip) ? config.localIp : remote.ip;
    const mapped = config.representIpv4AsIpv6Mapped && !ip.includes(':') ? `::ffff:${ip}` : ip;
    if (ip !== '') appendValue(headers, 'x-forwarded-for', mapped);
  }
  if (config.xffNumTrustedHops === 0 || !headers.has('x-forwarded-proto')) {
    headers.set('x-forwarded-proto', connection.ssl === undefined ? 'http' : 'https');
  }
  if (config.appendXForwardedPort && (config.xffNumTrustedHops === 0 || !headers.has('x-forwarded-port'))) {
    headers.set('x-forwarded-port', String(connection.localAddress.port));
  }
  return { address, single: forwarded === undefined };
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
  return text === undefined || !isAddress(text) ? undefined : ipAddress(text, 0);
}

function isAddress(text: string): boolean {
  return /^[0-9.]+$|:/.test(text) && ipPattern.test(text);
}
const ipPattern = /^(\d{1,3}\.){3}\d{1,3}$|^[0-9a-fA-F:.%]+$/;

function schemeOf(forwardedProto: string | undefined, connection: ConnectionInfo): string {
  if (forwardedProto === 'https' || forwardedProto === 'http') return forwardedProto;
  return connection.ssl === undefined ? 'http' : 'https';
}

function removeInternalHeaders(headers: RequestHeaderMap, routes: RouteConfig | undefined): void {
  for (const name of INTERNAL_HEADERS) headers.remove(name);
  for (const name of EDGE_HEADERS) headers.remove(name);
  if (routes !== undefined) for (const name of routes.internalOnlyHeaders) headers.remove(name);
}

function setRequestId(headers: RequestHeaderMap, config: ConnectionManagerConfig, edge: boolean): void {
  const force = edge && !config.preserveExternalRequestId;
  if (!force && headers.has('x-request-id')) return;
  const id = randomUUID();
  headers.set('x-request-id', config.packTraceReason ? packTraceReason(id, 'none') : id);
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
