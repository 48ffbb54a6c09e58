// Which filter chain serves a connection: a tree with one level per criterion, in Envoy's order of precedence.
// Each level keeps the most specific entry only and never goes back: a dead end is the default filter chain.
// Envoy: source/common/listener_manager/filter_chain_manager_impl.cc; FilterChainMatch in listener_components.proto.

import type { FilterChainMatch } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { Address, ConnectionInfo } from '../../api/stream_info.ts';
import { leaf } from '../matcher/explain.ts';
import { CidrRange, type CidrRangeMessage, isSameIpOrLoopback, parseIp } from './address.ts';
import { CidrTable } from './cidr_table.ts';

/** A filter chain and when to choose it. */
export interface FilterChainEntry<T> {
  /** FilterChain.name, for messages. */
  readonly name: string;
  /** Its place in the listener. */
  readonly index: number;
  readonly match: FilterChainMatch | undefined;
  readonly chain: T;
}

/** Finds the filter chain of a connection. */
export interface FilterChainMatcher<T> {
  /** The chain, the default chain, or undefined when there is none. */
  find(info: ConnectionInfo): T | undefined;
  /** Cold twin of `find`: a child per criterion, and the chosen chain's name in `reason`. */
  explain(info: ConnectionInfo): ExplainNode;
}

type Key = string | number;

/** A criterion with plain values: the first of the connection's candidates that is configured wins. */
interface KeyStep {
  readonly kind: 'key';
  readonly name: string;
  configured(match: FilterChainMatch, path: string): readonly Key[];
  /** Most specific first. */
  candidates(info: ConnectionInfo): readonly Key[];
}

/** A criterion with IP ranges: the longest that holds the address wins. */
interface RangeStep {
  readonly kind: 'range';
  readonly name: string;
  readonly field: 'prefix_ranges' | 'direct_source_prefix_ranges' | 'source_prefix_ranges';
  address(info: ConnectionInfo): Address;
}

type Step = KeyStep | RangeStep;

const STEPS: readonly Step[] = [
  {
    kind: 'key',
    name: 'destination port',
    configured: (match) => (match.destination_port?.value ? [match.destination_port.value] : []),
    candidates: (info) => [info.localAddress.port],
  },
  { kind: 'range', name: 'destination IP', field: 'prefix_ranges', address: (info) => info.localAddress },
  {
    kind: 'key',
    name: 'server name',
    configured: serverNames,
    candidates: (info) => serverNameCandidates(info.requestedServerName),
  },
  {
    kind: 'key',
    name: 'transport protocol',
    configured: (match) => (match.transport_protocol === '' ? [] : [match.transport_protocol]),
    candidates: (info) => [transportProtocol(info)],
  },
  {
    kind: 'key',
    name: 'application protocol',
    configured: (match) => match.application_protocols,
    candidates: (info) => info.requestedApplicationProtocols,
  },
  {
    kind: 'range',
    name: 'direct source IP',
    field: 'direct_source_prefix_ranges',
    address: (info) => info.directRemoteAddress,
  },
  {
    kind: 'key',
    name: 'source type',
    configured: (match) => (match.source_type === 'ANY' ? [] : [match.source_type]),
    candidates: (info) => [
      isSameIpOrLoopback(info.remoteAddress, info.localAddress) ? 'SAME_IP_OR_LOOPBACK' : 'EXTERNAL',
    ],
  },
  { kind: 'range', name: 'source IP', field: 'source_prefix_ranges', address: (info) => info.remoteAddress },
  {
    kind: 'key',
    name: 'source port',
    configured: (match) => match.source_ports,
    candidates: (info) => [info.remoteAddress.port],
  },
];

/** What no listener filter detected is plain. Envoy: ActiveTcpSocket::newConnection. */
export function transportProtocol(info: ConnectionInfo): string {
  return info.detectedTransportProtocol === '' ? 'raw_buffer' : info.detectedTransportProtocol;
}

function serverNames(match: FilterChainMatch, path: string): string[] {
  return match.server_names.map((name, index) => {
    if (name.startsWith('*.')) return name.slice(1).toLowerCase();
    if (!name.includes('*')) return name.toLowerCase();
    throw new ConfigError(
      at(at(path, 'server_names'), index),
      'partial wildcards are not supported in "server_names"',
    );
  });
}

/** `www.example.com`, `.example.com`, `.com`: wildcards are kept without their star. */
function serverNameCandidates(name: string): string[] {
  const candidates = [name];
  for (let dot = name.indexOf('.', 1); dot >= 0 && dot < name.length - 1; dot = name.indexOf('.', dot + 1)) {
    candidates.push(name.slice(dot));
  }
  return candidates;
}

/** The end of a way through the tree. */
interface Leaf<T> {
  readonly entry: FilterChainEntry<T>;
}

/** One level below one choice of each level above. */
class Level<T> {
  readonly step: Step;
  readonly keys = new Map<Key, Level<T> | Leaf<T>>();
  readonly ranges = new CidrTable<Level<T> | Leaf<T>>();
  /** Where chains go that do not ask for this criterion. */
  any: Level<T> | Leaf<T> | undefined = undefined;
  /** True while no chain asks for this criterion: the connection need not be looked at. */
  anyOnly = true;

  constructor(step: Step) {
    this.step = step;
  }

  next(info: ConnectionInfo): Level<T> | Leaf<T> | undefined {
    return (this.anyOnly ? undefined : this.specific(info)) ?? this.any;
  }

  specific(info: ConnectionInfo): Level<T> | Leaf<T> | undefined {
    if (this.step.kind === 'range') {
      const ip = parseIp(this.step.address(info).ip);
      return ip === undefined ? undefined : this.ranges.find(ip);
    }
    for (const candidate of this.step.candidates(info)) {
      const next = this.keys.get(candidate);
      if (next !== undefined) return next;
    }
    return undefined;
  }
}

class TreeMatcher<T> implements FilterChainMatcher<T> {
  readonly #root = new Level<T>(STEPS[0]);
  readonly #default: T | undefined;

  constructor(defaultChain: T | undefined) {
    this.#default = defaultChain;
  }

  add(entry: FilterChainEntry<T>, path: string): void {
    this.#insert(this.#root, 0, entry, path);
  }

  /** Adds every combination of the entry's values below `level`. */
  #insert(level: Level<T>, depth: number, entry: FilterChainEntry<T>, path: string): void {
    const { step } = level;
    const configured = entry.match === undefined ? [] : configuredValues(step, entry.match, path);
    if (configured.length === 0) {
      level.any = this.#descend(level.any, depth, entry, path);
      return;
    }
    level.anyOnly = false;
    for (const value of configured) {
      if (value instanceof CidrRange) {
        level.ranges.set(value, this.#descend(level.ranges.get(value), depth, entry, path));
      } else {
        level.keys.set(value, this.#descend(level.keys.get(value), depth, entry, path));
      }
    }
  }

  #descend(
    existing: Level<T> | Leaf<T> | undefined,
    depth: number,
    entry: FilterChainEntry<T>,
    path: string,
  ): Level<T> | Leaf<T> {
    if (depth === STEPS.length - 1) {
      if (existing === undefined) return { entry };
      throw new ConfigError(path, 'multiple filter chains with overlapping matching rules are defined');
    }
    const level = existing instanceof Level ? existing : new Level<T>(STEPS[depth + 1]);
    this.#insert(level, depth + 1, entry, path);
    return level;
  }

  find(info: ConnectionInfo): T | undefined {
    let node: Level<T> | Leaf<T> | undefined = this.#root;
    while (node instanceof Level) node = node.next(info);
    return node === undefined ? this.#default : node.entry.chain;
  }

  explain(info: ConnectionInfo): ExplainNode {
    const children: ExplainNode[] = [];
    let node: Level<T> | Leaf<T> | undefined = this.#root;
    while (node instanceof Level) {
      const specific = node.specific(info);
      children.push(explainStep(node, info, specific));
      node = specific ?? node.any;
    }
    const fallback = this.#default === undefined ? 'no filter chain' : 'the default filter chain';
    const reason = node === undefined ? fallback : filterChainTitle(node.entry.name, node.entry.index);
    return { what: 'filter chain match', matched: node !== undefined, reason, children };
  }
}

/** What to call a chain: most have no name. */
export function filterChainTitle(name: string, index: number): string {
  return name === '' ? `filter chain ${index}` : `filter chain '${name}'`;
}

function configuredValues(step: Step, match: FilterChainMatch, path: string): readonly (Key | CidrRange)[] {
  if (step.kind === 'key') return step.configured(match, path);
  const ranges: readonly CidrRangeMessage[] = match[step.field];
  return ranges.map((range, index) => CidrRange.compile(range, at(at(path, step.field), index)));
}

function explainStep<T>(
  level: Level<T>,
  info: ConnectionInfo,
  specific: Level<T> | Leaf<T> | undefined,
): ExplainNode {
  const { step } = level;
  const value = step.kind === 'range' ? step.address(info).text : step.candidates(info).join(', ');
  const matched = specific !== undefined || level.any !== undefined;
  let reason = `'${value}' is asked for by name`;
  if (specific === undefined) {
    reason = matched ? `'${value}' falls to the chains for any` : `no chain left takes '${value}'`;
  }
  return leaf(step.name, matched, reason);
}

/**
 * Compiles the filter chains of a listener; `path` is the listener's. Throws ConfigError for chains that overlap or are
 * equal, and for fields that Envoy does not implement.
 */
export function compileFilterChainMatch<T>(
  entries: readonly FilterChainEntry<T>[],
  defaultChain: T | undefined,
  path: string,
): FilterChainMatcher<T> {
  const matcher = new TreeMatcher<T>(defaultChain);
  const seen = new Map<string, string>();
  entries.forEach((entry, index) => {
    const chainPath = at(at(path, 'filter_chains'), index);
    rejectUnimplemented(entry, chainPath);
    const text = JSON.stringify(entry.match ?? {});
    const twin = seen.get(text);
    if (twin !== undefined) {
      throw new ConfigError(
        chainPath,
        `filter chain '${entry.name}' has the same matching rules defined as '${twin}'. duplicate matcher is: ${text}`,
      );
    }
    seen.set(text, entry.name);
    matcher.add(entry, at(chainPath, 'filter_chain_match'));
  });
  return matcher;
}

function rejectUnimplemented(entry: FilterChainEntry<unknown>, path: string): void {
  if (entry.match === undefined) return;
  if (entry.match.address_suffix !== '' || entry.match.suffix_len !== undefined) {
    throw new ConfigError(path, `filter chain '${entry.name}' contains unimplemented fields`);
  }
}
