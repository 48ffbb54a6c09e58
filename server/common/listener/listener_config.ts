// Compiles a Listener: its addresses, listener filters, filter chains and how a connection finds its chain.
// Envoy: source/common/listener_manager/listener_impl.cc; document: config.listener.v3.Listener.

import { createRequire } from 'node:module';
import type { TcpKeepalive as TcpKeepaliveMessage } from '../../../xds-protos/generated/envoy/config/core/v3.ts';
import type { FilterChain, Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { encode } from '../../../xds-protos/load.ts';
import { durationMs, structToJson, wrapperValue } from '../../../xds-protos/well_known.ts';
import type { AccessLog } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { NetworkFilterConfig } from '../../api/network/filter.ts';
import type { DownstreamTransportSocketFactory } from '../../api/network/transport_socket.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { Address } from '../../api/stream_info.ts';
import { compileAccessLogs } from '../access_log/access_log_config.ts';
import { rejectOtherFields } from '../config/handled_fields.ts';
import { xxHash64All } from '../hash/xx_hash_64.ts';
import { parseAddress } from '../network/address.ts';
import { compileFilterChainMatch, type FilterChainMatcher } from '../network/filter_chain_match.ts';
import type { TcpKeepalive } from '../network/tcp_keepalive.ts';
import { type FilterMetadata, filterMetadata } from '../upstream/metadata.ts';
import { DrainState } from './drain_state.ts';
import { compileExactBalance, type ExactBalance } from './exact_balance.ts';
import { compileListenerFilters, type ListenerFilterEntry } from './listener_filters.ts';

const require = createRequire(import.meta.url);

/** Sources: the fields' documentation. */
const DEFAULT_LISTENER_FILTERS_TIMEOUT_MS = 15_000;
const DEFAULT_BUFFER_LIMIT_BYTES = 1_048_576;
/** Envoy's default is the system's somaxconn, which is this on current Linux. */
const DEFAULT_BACKLOG = 4096;

const HANDLED = new Set([
  'name',
  'address',
  'additional_addresses',
  'stat_prefix',
  'filter_chains',
  'filter_chain_matcher',
  'use_original_dst',
  'default_filter_chain',
  'per_connection_buffer_limit_bytes',
  'metadata',
  'deprecated_v1',
  'drain_type',
  'listener_filters',
  'listener_filters_timeout',
  'continue_on_listener_filters_timeout',
  'traffic_direction',
  'connection_balance_config',
  'reuse_port',
  'enable_reuse_port',
  'access_log',
  'tcp_backlog_size',
  'tcp_keepalive',
  'bind_to_port',
  'max_connections_to_accept_per_socket_event',
  'ignore_global_conn_limit',
  'bypass_overload_manager',
]);
const ADDITIONAL_ADDRESS_FIELDS = new Set(['address', 'tcp_keepalive']);
const CHAIN_FIELDS = new Set([
  'filter_chain_match',
  'filters',
  'transport_socket',
  'transport_socket_connect_timeout',
  'metadata',
  'name',
]);

/** A compiled filter chain. Equal chain messages of two versions of a listener share one: their connections stay. */
export interface FilterChainConfig {
  readonly name: string;
  /** The chain's message, to tell whether it changed. */
  readonly key: string;
  readonly filters: readonly NetworkFilterConfig[];
  /** undefined is plaintext. */
  readonly transportSocket: DownstreamTransportSocketFactory | undefined;
  /** ms; 0 = none. */
  readonly transportSocketConnectTimeoutMs: number;
  readonly drain: DrainState;
  /** Read into a buffer of the connection's own (bulk TCP). */
  readonly bulk: boolean;
  readonly metadata: FilterMetadata | undefined;
}

export interface ListenerConfig {
  readonly name: string;
  readonly addresses: readonly Address[];
  /** Of connections to each of the addresses. */
  readonly tcpKeepalives: readonly (TcpKeepalive | undefined)[];
  readonly statName: string;
  readonly bindToPort: boolean;
  readonly useOriginalDst: boolean;
  readonly reusePort: boolean;
  readonly backlog: number;
  readonly perConnectionBufferLimitBytes: number;
  readonly listenerFilters: readonly ListenerFilterEntry[];
  /** ms; 0 = none. */
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnListenerFiltersTimeout: boolean;
  readonly filterChains: readonly FilterChainConfig[];
  readonly matcher: FilterChainMatcher<FilterChainConfig>;
  readonly exactBalance: ExactBalance | undefined;
  readonly accessLogs: readonly AccessLog[];
  readonly trafficDirection: 'UNSPECIFIED' | 'INBOUND' | 'OUTBOUND';
  /** Everything but the filter chains, to tell whether an update may happen in place. */
  readonly shellKey: string;
}

/** `previous` lends its compiled chains to equal messages where nothing but chains differs. Throws ConfigError at the first field that cannot be honoured. */
export function compileListener(
  listener: Listener,
  context: FactoryContext,
  path: string,
  previous?: ListenerConfig,
): ListenerConfig {
  rejectOtherFields(listener, HANDLED, path);
  if (listener.api_listener !== undefined)
    throw new ConfigError(at(path, 'api_listener'), 'API listeners are not supported');
  if (listener.connection_balance_config?.extend_balance !== undefined) {
    throw new ConfigError(
      at(path, 'connection_balance_config.extend_balance'),
      "Didn't find a registered implementation for the connection balance extension",
    );
  }
  const addresses = compileAddresses(listener, path);
  const statName = listenerStatName(listener, path);
  const bufferLimit = wrapperValue(listener.per_connection_buffer_limit_bytes) ?? DEFAULT_BUFFER_LIMIT_BYTES;
  const shell = shellKey(listener);
  // A listener that is replaced as a whole drains its chains: those of the new one are its own.
  const inPlace = previous?.shellKey === shell ? previous : undefined;
  const chains = compileChains(listener, context, statName, bufferLimit, path, inPlace);
  const listenerContext = withListener(
    context,
    listener,
    statName,
    bufferLimit,
    drainState(listener),
    () => '',
  );
  return Object.freeze({
    name: listener.name,
    addresses,
    tcpKeepalives: compileKeepalives(listener, path),
    statName,
    bindToPort: (listener.bind_to_port ?? listener.deprecated_v1?.bind_to_port)?.value ?? true,
    useOriginalDst: listener.use_original_dst?.value ?? false,
    reusePort: listener.enable_reuse_port?.value ?? true,
    backlog: wrapperValue(listener.tcp_backlog_size) ?? DEFAULT_BACKLOG,
    perConnectionBufferLimitBytes: bufferLimit,
    listenerFilters: compileListenerFilters(listener, listenerContext, at(path, 'listener_filters')),
    listenerFiltersTimeoutMs:
      durationMs(listener.listener_filters_timeout) ?? DEFAULT_LISTENER_FILTERS_TIMEOUT_MS,
    continueOnListenerFiltersTimeout: listener.continue_on_listener_filters_timeout,
    filterChains: chains.all,
    matcher: chains.matcher,
    exactBalance: compileExactBalance(listener, statName, context),
    accessLogs: compileAccessLogs(listener.access_log, listenerContext, at(path, 'access_log')),
    trafficDirection: trafficDirection(listener),
    shellKey: shell,
  });
}

function compileAddresses(listener: Listener, path: string): Address[] {
  if (listener.address === undefined) throw new ConfigError(at(path, 'address'), 'value is required');
  if (listener.address.socket_address?.protocol === 'UDP') {
    throw new ConfigError(at(path, 'address.socket_address.protocol'), 'UDP listeners are not supported');
  }
  return [
    parseAddress(listener.address, at(path, 'address')),
    ...listener.additional_addresses.map((one, index) =>
      parseAddress(one.address, at(at(at(path, 'additional_addresses'), index), 'address')),
    ),
  ];
}

function compileKeepalives(
  { tcp_keepalive: own, additional_addresses: additional }: Listener,
  path: string,
): (TcpKeepalive | undefined)[] {
  return [
    compileKeepalive(own, at(path, 'tcp_keepalive')),
    ...additional.map((one, index) => {
      const where = at(at(path, 'additional_addresses'), index);
      rejectOtherFields(one, ADDITIONAL_ADDRESS_FIELDS, where);
      return compileKeepalive(one.tcp_keepalive ?? own, at(where, 'tcp_keepalive'));
    }),
  ];
}

function compileKeepalive(message: TcpKeepaliveMessage | undefined, path: string): TcpKeepalive | undefined {
  if (message === undefined) return undefined;
  const { compileTcpKeepalive } =
    require('../network/tcp_keepalive.ts') as typeof import('../network/tcp_keepalive.ts');
  return compileTcpKeepalive(message, path);
}

interface Chains {
  readonly all: readonly FilterChainConfig[];
  readonly matcher: FilterChainMatcher<FilterChainConfig>;
}

function compileChains(
  listener: Listener,
  context: FactoryContext,
  statName: string,
  bufferLimit: number,
  path: string,
  previous: ListenerConfig | undefined,
): Chains {
  if (listener.filter_chains.length === 0 && listener.default_filter_chain === undefined) {
    throw new ConfigError(
      path,
      `error adding listener '${listener.address?.socket_address?.address ?? listener.name}': no filter chains specified`,
    );
  }
  const reusable = new Map(previous?.filterChains.map((chain) => [chain.key, chain]));
  const compileOne = (chain: FilterChain, where: string): FilterChainConfig => {
    const key = chainKey(chain);
    return reusable.get(key) ?? compileChain(chain, key, context, listener, statName, bufferLimit, where);
  };
  const entries = listener.filter_chains.map((chain, index) => ({
    name: chain.name,
    index,
    match: chain.filter_chain_match,
    chain: compileOne(chain, at(at(path, 'filter_chains'), index)),
  }));
  const fallback =
    listener.default_filter_chain === undefined
      ? undefined
      : compileOne(listener.default_filter_chain, at(path, 'default_filter_chain'));
  const all = entries.map((entry) => entry.chain);
  if (fallback !== undefined) all.push(fallback);
  const tree = listener.filter_chain_matcher;
  const matcher =
    tree === undefined
      ? compileFilterChainMatch(entries, fallback, path)
      : filterChainMatcher().compileFilterChainMatcher(tree, entries, fallback, context, path);
  return { all, matcher };
}

/** Loaded with the first listener that has a tree. */
function filterChainMatcher(): typeof import('../network/filter_chain_matcher.ts') {
  return require('../network/filter_chain_matcher.ts');
}

/** Chains with equal keys are the same. */
export function chainKey(chain: FilterChain): string {
  return Buffer.from(encode('envoy.config.listener.v3.FilterChain', chain)).toString('latin1');
}

function compileChain(
  chain: FilterChain,
  key: string,
  outer: FactoryContext,
  listener: Listener,
  statName: string,
  bufferLimit: number,
  path: string,
): FilterChainConfig {
  rejectOtherFields(chain, CHAIN_FIELDS, path);
  const drain = drainState(listener);
  const chainId = (): string => xxHash64All([shellKey(listener), key]).toString(16);
  const context: FactoryContext = {
    ...withListener(outer, listener, statName, bufferLimit, drain, chainId),
    resource: { path, id: chainId },
  };
  const filters = chain.filters.map((filter, index) => {
    const where = at(at(path, 'filters'), index);
    if (filter.config_discovery !== undefined)
      throw new ConfigError(at(where, 'config_discovery'), 'dynamic network filters are not supported');
    const typed = at(where, 'typed_config');
    const resolved = context.registry.resolve(
      'envoy.filters.network',
      filter.name,
      filter.typed_config,
      typed,
    );
    const compiled = resolved.factory.compile(resolved.config, context, typed);
    const last = index === chain.filters.length - 1;
    if (compiled.isTerminal !== last) {
      const kind = last ? 'non-terminal' : 'terminal';
      const must = last
        ? 'is the last filter in a network filter chain.'
        : 'must be the last filter in a network filter chain.';
      throw new ConfigError(
        where,
        `${kind} filter named ${filter.name} of type ${resolved.typeName} ${must}`,
      );
    }
    return compiled;
  });
  return Object.freeze({
    name: chain.name,
    key,
    filters,
    transportSocket: compileTransportSocket(chain, context, path),
    transportSocketConnectTimeoutMs: durationMs(chain.transport_socket_connect_timeout) ?? 0,
    drain,
    bulk: filters.at(-1)?.bulk === true,
    metadata: filterMetadata(chain.metadata),
  });
}

function compileTransportSocket(
  chain: FilterChain,
  context: FactoryContext,
  path: string,
): DownstreamTransportSocketFactory | undefined {
  const socket = chain.transport_socket;
  if (socket === undefined) return undefined;
  const where = at(path, 'transport_socket.typed_config');
  const resolved = context.registry.resolve(
    'envoy.transport_sockets.downstream',
    socket.name,
    socket.typed_config,
    where,
  );
  const factory = resolved.factory.compile(resolved.config, context, where);
  return factory.secure ? factory : undefined;
}

/** The `<x>` of `listener.<x>.`: stat_prefix, or the address. Throws ConfigError for an address that is none. */
export function listenerStatName(listener: Listener, path: string): string {
  const name = listener.stat_prefix || parseAddress(listener.address, at(path, 'address')).text;
  return name.replaceAll(':', '_');
}

function withListener(
  context: FactoryContext,
  listener: Listener,
  statName: string,
  bufferLimit: number,
  drain: DrainState,
  chainId: () => string,
): FactoryContext {
  return {
    ...context,
    listener: {
      name: listener.name,
      statName,
      trafficDirection: trafficDirection(listener),
      metadata:
        listener.metadata === undefined
          ? undefined
          : Object.fromEntries(
              Object.entries(listener.metadata.filter_metadata).map(([name, struct]) => [
                name,
                structToJson(struct),
              ]),
            ),
      chainId,
      draining: () => drain.drainClose(),
      perConnectionBufferLimitBytes: bufferLimit,
    },
  };
}

function drainState({ drain_type: type }: Listener): DrainState {
  return new DrainState(type === 'MODIFY_ONLY' ? 'MODIFY_ONLY' : 'DEFAULT');
}

function trafficDirection(listener: Listener): ListenerConfig['trafficDirection'] {
  return listener.traffic_direction === 'INBOUND' || listener.traffic_direction === 'OUTBOUND'
    ? listener.traffic_direction
    : 'UNSPECIFIED';
}

/** Everything but the filter chains: an update that leaves it alone happens in place. */
export function shellKey(listener: Listener): string {
  const shell = {
    ...listener,
    filter_chains: [],
    default_filter_chain: undefined,
    filter_chain_matcher: undefined,
  };
  return Buffer.from(encode('envoy.config.listener.v3.Listener', shell)).toString('latin1');
}
