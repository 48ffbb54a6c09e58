// From an address to a filter chain: which listener gets the connection, what its listener filters learn of it, and which chain is
// chosen. As worker/listener_manager.ts and worker/active_listener.ts do it.

import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { typeNameOf } from '../../../xds-protos/load.ts';
import type { Address, SslConnectionInfo } from '../../api/stream_info.ts';
import type { FilterChainConfig, ListenerConfig } from '../../common/listener/listener_config.ts';
import { ipAddress, parseAddress } from '../../common/network/address.ts';
import { explainFilterChain } from '../../common/network/explain_filter_chains.ts';
import { filterChainTitle } from '../../common/network/filter_chain_match.ts';
import { ConnectionInfoRecord } from '../../common/stream_info/stream_info.ts';
import type { ExplainedListener } from './configuration.ts';
import { addressText, type Description } from './description.ts';
import { nearestOf } from './edit_distance.ts';
import type { ExplainStep, StepItem } from './explanation.ts';
import { type Candidate, ended, nearestName, passed, rejectedOf } from './steps.ts';

interface Found {
  readonly listener: ExplainedListener | undefined;
  readonly step: ExplainStep;
  /** The connection was redirected to the listener that took it: its destination was restored. */
  readonly restored: boolean;
}

interface Known {
  readonly listener: ExplainedListener;
  readonly addresses: readonly Address[];
  readonly binds: boolean;
  readonly restores: boolean;
  readonly handsOff: boolean;
}

const TITLE = 'Listener';

export function findListener(all: readonly ExplainedListener[], wanted: Description): Found {
  const known = all.map(knownOf);
  if (wanted.listener !== '') return byName(known, wanted);
  const { destinationIp: ip, destinationPort: port } = wanted;
  if (ip === '' && port === 0) return single(known);
  const direct = known.filter(({ binds }) => binds);
  const exact = direct.find(({ addresses }) =>
    addresses.some((each) => each.ip === ip && each.port === port),
  );
  if (exact !== undefined) return found(exact, `it listens on ${addressText(ip, port)}`, false);
  const any = direct.find(({ addresses }) =>
    addresses.some((each) => isWildcard(each, ip) && each.port === port),
  );
  if (any !== undefined) return found(any, `it listens on port ${port} of every address`, false);
  if (ip === '') {
    const onPort = direct.find(({ addresses }) => addresses.some((each) => each.port === port));
    if (onPort !== undefined) return found(onPort, `it listens on port ${port}`, false);
  }
  return redirected(known, wanted);
}

/** A connection that iptables sends to the listener that restores where it was going. */
function redirected(
  known: readonly Known[],
  { destinationIp: ip, destinationPort: port, direction }: Description,
): Found {
  const takers = known.filter(({ binds, restores }) => binds && restores);
  const inbound = direction === 'inbound' ? 'INBOUND' : 'OUTBOUND';
  const taker = takers.find(({ listener }) => listener.message.traffic_direction === inbound) ?? takers[0];
  const text = addressText(ip, port);
  if (taker === undefined) {
    const candidates = known.map((each) => candidate(each, `it has ${addressesText(each)}`, text));
    const reason = `nobody listens on ${text}`;
    const samePort = known.find(({ addresses }) => addresses.some((each) => each.port === port));
    const miss = samePort === undefined ? undefined : nearestAddress(samePort, port, text);
    return {
      listener: undefined,
      restored: false,
      step: ended('listener', TITLE, reason, {
        ...rejectedOf(candidates),
        ...(miss !== undefined && { nearest_miss: miss }),
      }),
    };
  }
  const first = `'${taker.listener.name}' takes redirected connections`;
  if (!taker.handsOff) return found(taker, `${first} and keeps them`, true);
  const exact = known.find(({ addresses }) => addresses.some((each) => each.ip === ip && each.port === port));
  const target =
    exact ??
    known.find(({ addresses }) => addresses.some((each) => isWildcard(each, ip) && each.port === port));
  if (target !== undefined && target !== taker) {
    const why = exact === undefined ? `any address with port ${port}` : text;
    return found(target, `${first}; this one is for ${why}`, true);
  }
  return found(taker, `${first}, and no other listener is for ${text}`, true);
}

function single(known: readonly Known[]): Found {
  const bound = known.filter(({ binds }) => binds);
  if (bound.length === 1) return found(bound[0] as Known, 'it is the only one', false);
  const names = bound.map(({ listener }) => `'${listener.name}'`).join(', ');
  const reason =
    bound.length === 0
      ? 'there is no listener'
      : `say which one, by connection.listener or an address: ${names}`;
  return { listener: undefined, restored: false, step: ended('listener', TITLE, reason) };
}

function byName(known: readonly Known[], { listener: name }: Description): Found {
  const one = known.find(({ listener }) => listener.name === name);
  if (one !== undefined) return found(one, 'it was asked for by its name', one.restores && !one.binds);
  const nearest = nearestOf(name, known, ({ listener }) => listener.name);
  const miss =
    nearest &&
    nearestName('name', nearest.found.listener.name, nearest.found.listener.name, name, nearest.distance);
  const step = ended(
    'listener',
    TITLE,
    `there is no listener '${name}'`,
    miss === undefined ? {} : { nearest_miss: miss },
  );
  return { listener: undefined, restored: false, step };
}

function found({ listener }: Known, reason: string, restored: boolean): Found {
  const link = { kind: 'listener', name: listener.name } as const;
  return { listener, restored, step: passed('listener', TITLE, listener.name, reason, { link }) };
}

function candidate(known: Known, reason: string, wanted: string): Candidate {
  const what = `listens on ${wanted}`;
  const condition = { what, matched: false, reason, children: [] };
  const node = { what: `listener '${known.listener.name}'`, matched: false, reason, children: [condition] };
  return { name: known.listener.name, node };
}

function nearestAddress(known: Known, port: number, wanted: string) {
  const address = known.addresses.find((each) => each.port === port) as Address;
  const hint = `'${known.listener.name}' has this port on ${address.text}${known.binds ? '' : ', and does not listen itself'}`;
  return { name: known.listener.name, what: 'address', wanted: address.text, got: wanted, distance: 0, hint };
}

function addressesText({ addresses }: Known): string {
  return addresses.map(({ text }) => text).join(', ');
}

function isWildcard(address: Address, ip: string): boolean {
  return address.ip === '0.0.0.0' ? !ip.includes(':') : address.ip === '::';
}

function knownOf(listener: ExplainedListener): Known {
  const { message, addresses } = listener;
  return {
    listener,
    addresses: addresses.length > 0 ? addresses : configuredAddresses(message),
    binds: (message.bind_to_port ?? message.deprecated_v1?.bind_to_port)?.value ?? true,
    restores: hasFilter(message, 'original_dst'),
    handsOff: message.use_original_dst?.value ?? false,
  };
}

export function configuredAddresses(message: Listener): Address[] {
  const all = [message.address, ...message.additional_addresses.map(({ address }) => address)];
  return all.map((address) => parseAddress(address, ''));
}

function hasFilter(message: Listener, name: string): boolean {
  return message.listener_filters.some(({ typed_config: config }) =>
    typeNameOf(config?.type_url ?? '').startsWith(`envoy.extensions.filters.listener.${name}.`),
  );
}

// ---- connection ---------------------------------------------------------------------------------------------------------

/** What the listener filters make of the connection. */
export function connectionOf(
  { message, addresses, name }: ExplainedListener,
  wanted: Description,
  restored: boolean,
): { readonly info: ConnectionInfoRecord; readonly step: ExplainStep } {
  const [own = ipAddress('127.0.0.1', 0)] = addresses.length > 0 ? addresses : configuredAddresses(message);
  const ip = wanted.destinationIp || (own.ip === '0.0.0.0' || own.ip === '::' ? '127.0.0.1' : own.ip);
  const local = ip === '' ? own : ipAddress(ip, wanted.destinationPort || own.port);
  const info = new ConnectionInfoRecord(0, ipAddress(wanted.sourceIp, wanted.sourcePort), local, name);
  const items: StepItem[] = [];
  const note = (filter: string, text: string, ok = true): void =>
    void items.push({ name: filter, note: text, ok });
  if (hasFilter(message, 'original_dst') || restored) {
    info.localAddressRestored = restored;
    note('original_dst', restored ? `it was going to ${local.text}` : 'it was not redirected');
  }
  if (hasFilter(message, 'proxy_protocol'))
    note('proxy_protocol', 'the source that is asked about is taken as what the header says');
  if (hasFilter(message, 'tls_inspector')) inspectTls(info, wanted, note);
  else if (wanted.tls)
    note(
      'tls_inspector',
      'there is none: server name and protocol of TLS are not known before the handshake',
      false,
    );
  const http = wanted.request !== undefined && info.detectedTransportProtocol === '' && !wanted.tls;
  if (hasFilter(message, 'http_inspector') && http) {
    const protocol = wanted.protocol === 'HTTP/2' ? 'h2c' : wanted.protocol.toLowerCase();
    info.requestedApplicationProtocols = [protocol];
    note('http_inspector', `finds ${protocol}`);
  }
  const text =
    items.length === 0
      ? 'none of them changes what is known of the connection'
      : `${items.length} looked at the connection`;
  return { info, step: passed('listener_filters', 'Listener filters', '', text, { items }) };
}

function inspectTls(
  info: ConnectionInfoRecord,
  { tls, serverName, alpn }: Description,
  note: (filter: string, text: string) => void,
): void {
  if (!tls) {
    note('tls_inspector', 'finds no TLS');
    return;
  }
  info.detectedTransportProtocol = 'tls';
  info.requestedServerName = serverName;
  info.requestedApplicationProtocols = alpn;
  const name = serverName === '' ? 'no server name' : `the server name '${serverName}'`;
  note(
    'tls_inspector',
    `finds TLS with ${name}${alpn.length === 0 ? '' : ` and the protocols ${alpn.join(', ')}`}`,
  );
}

/** A handshake that went well, as the client was described. */
export function presentedTls({ serverName, alpn, clientSan }: Description): SslConnectionInfo {
  const none: readonly string[] = [];
  const presented = clientSan !== '';
  return {
    peerCertificatePresented: presented,
    peerCertificateValidated: presented,
    uriSanPeer: presented ? [clientSan] : none,
    handshakeCompleteMs: 0,
    uriSanLocal: none,
    dnsSanPeer: none,
    dnsSanLocal: none,
    ipSanPeer: none,
    ipSanLocal: none,
    emailSanPeer: none,
    emailSanLocal: none,
    otherNameSanPeer: none,
    otherNameSanLocal: none,
    subjectPeer: '',
    subjectLocal: '',
    issuerPeer: '',
    serialNumberPeer: '',
    sha256PeerCertificateDigest: '',
    sha1PeerCertificateDigest: '',
    serialNumbersPeerCertificates: none,
    sha256PeerCertificateChainDigests: none,
    sha1PeerCertificateChainDigests: none,
    sha256PeerCertificateIssuerDigest: '',
    serialNumberPeerCertificateIssuer: '',
    peerCertificatePem: '',
    peerCertificateChainPem: '',
    validFromPeerMs: 0,
    expirationPeerMs: 0,
    tlsVersion: 'TLSv1.3',
    cipher: '',
    group: '',
    sessionId: '',
    sni: serverName,
    alpn: alpn[0] ?? '',
  };
}

// ---- filter chain -------------------------------------------------------------------------------------------------------

/** The chain of a connection, and why each of the others is not. */
export function chooseFilterChain(
  { message }: ExplainedListener,
  config: ListenerConfig,
  info: ConnectionInfoRecord,
): { readonly chain: FilterChainConfig | undefined; readonly step: ExplainStep } {
  const chain = config.matcher.find(info);
  const tree = config.matcher.explain(info);
  const byTree = message.filter_chain_matcher !== undefined;
  const isDefault = message.default_filter_chain !== undefined && chain === config.filterChains.at(-1);
  const others = message.filter_chains.flatMap(({ name, filter_chain_match: match }, index): Candidate[] => {
    if (config.filterChains[index] === chain) return [];
    const label = chainName(name, index);
    if (byTree) return [];
    const node = explainFilterChain(filterChainTitle(name, index), match, info);
    if (!node.matched) return [{ name: label, node }];
    const reason = 'another chain is more specific';
    const lost = { what: 'the most specific', matched: false, reason, children: [] };
    return [{ name: label, node: { ...node, matched: false, reason, children: [...node.children, lost] } }];
  });
  const rejected = rejectedOf(others);
  const title = 'Filter chain';
  if (chain === undefined) {
    const nearest = rejected.rejected[0];
    const miss = nearest && {
      name: nearest.name,
      what: nearest.first_failed.what,
      wanted: nearest.first_failed.what,
      got: nearest.first_failed.reason,
      distance: 0,
      hint: `'${nearest.name}' would take it, but: ${nearest.first_failed.what}; ${nearest.first_failed.reason}`,
    };
    const reason = 'no filter chain matches, and there is no default one: the connection is closed';
    return {
      chain,
      step: ended('filter_chain', title, reason, {
        ...rejected,
        tree,
        ...(miss !== undefined && { nearest_miss: miss }),
      }),
    };
  }
  const place = config.filterChains.indexOf(chain);
  const name = isDefault ? chain.name || 'the default filter chain' : chainName(chain.name, place);
  const reason = isDefault ? 'no other matches: it is the default one' : tree.reason;
  return { chain, step: passed('filter_chain', title, name, reason, { ...rejected, tree }) };
}

function chainName(name: string, index: number): string {
  return name === '' ? `filter chain ${index}` : name;
}
