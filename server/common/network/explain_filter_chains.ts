// Why a connection does not go to a filter chain: its FilterChainMatch, criterion by criterion, in Envoy's order of precedence. The
// tree of filter_chain_match.ts decides; this tells how far each of the others was. Loaded when somebody asks.

import type { FilterChainMatch } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { Address, ConnectionInfo } from '../../api/stream_info.ts';
import { allOf, leaf } from '../matcher/explain.ts';
import { CidrRange, type CidrRangeMessage, isSameIpOrLoopback, parseIp } from './address.ts';
import { transportProtocol } from './filter_chain_match.ts';

/**
 * Does every criterion of the chain hold? That is necessary to be chosen; another chain may be more specific. `what` is what to call
 * it: see filterChainTitle.
 */
export function explainFilterChain(
  what: string,
  match: FilterChainMatch | undefined,
  info: ConnectionInfo,
): ExplainNode {
  if (match === undefined) return { what, matched: true, reason: 'takes any connection', children: [] };
  const parts = [...criteria(match, info)];
  return parts.length === 0
    ? { what, matched: true, reason: 'takes any connection', children: [] }
    : allOf(what, parts);
}

function* criteria(match: FilterChainMatch, info: ConnectionInfo): Generator<ExplainNode> {
  const { localAddress: local, remoteAddress: remote, directRemoteAddress: direct } = info;
  const port = match.destination_port?.value ?? 0;
  if (port !== 0) yield leaf(`destination port is ${port}`, local.port === port, `the port is ${local.port}`);
  yield* ranges('destination IP', match.prefix_ranges, local);
  if (match.server_names.length > 0) {
    const name = info.requestedServerName;
    yield leaf(
      `server name is ${oneOf(match.server_names)}`,
      match.server_names.some((each) => isServerName(each.toLowerCase(), name)),
      name === '' ? 'there is no server name (SNI)' : `the server name is '${name}'`,
    );
  }
  if (match.transport_protocol !== '') {
    const found = transportProtocol(info);
    const wanted = match.transport_protocol;
    yield leaf(`transport protocol is '${wanted}'`, found === wanted, `it is '${found}'`);
  }
  if (match.application_protocols.length > 0) {
    const offered = info.requestedApplicationProtocols;
    yield leaf(
      `application protocol is ${oneOf(match.application_protocols)}`,
      offered.some((each) => match.application_protocols.includes(each)),
      offered.length === 0 ? 'none is known of' : `the client offers ${offered.join(', ')}`,
    );
  }
  yield* ranges('direct source IP', match.direct_source_prefix_ranges, direct);
  if (match.source_type !== 'ANY') {
    const type = isSameIpOrLoopback(remote, local) ? 'SAME_IP_OR_LOOPBACK' : 'EXTERNAL';
    yield leaf(`source type is ${match.source_type}`, type === match.source_type, `the source is ${type}`);
  }
  yield* ranges('source IP', match.source_prefix_ranges, remote);
  if (match.source_ports.length > 0) {
    const wanted = match.source_ports.join(', ');
    yield leaf(`source port is ${wanted}`, match.source_ports.includes(remote.port), `it is ${remote.port}`);
  }
}

function* ranges(
  what: string,
  configured: readonly CidrRangeMessage[],
  address: Address,
): Generator<ExplainNode> {
  if (configured.length === 0) return;
  const ip = parseIp(address.ip);
  const matched = ip !== undefined && configured.some((range) => CidrRange.compile(range, '').contains(ip));
  const text = configured.map(
    ({ address_prefix, prefix_len }) => `${address_prefix}/${prefix_len?.value ?? 0}`,
  );
  yield leaf(`${what} is in ${text.join(', ')}`, matched, `it is ${address.ip === '' ? 'none' : address.ip}`);
}

/** `*.example.com` stands for every name below it. */
function isServerName(configured: string, name: string): boolean {
  return configured.startsWith('*.')
    ? name.length >= configured.length && name.endsWith(configured.slice(1))
    : configured === name;
}

function oneOf(values: readonly string[]): string {
  return values.map((value) => `'${value}'`).join(' or ');
}
