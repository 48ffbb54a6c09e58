// Compiles a listener's listener_filters, the predicates that switch them off for some destination ports, and the filters
// that other settings imply. Document: config.listener.v3.ListenerFilter; Envoy: source/common/listener_manager/listener_impl.cc.

import type {
  Listener,
  ListenerFilterChainMatchPredicate,
} from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { encodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ListenerFilterConfig } from '../../api/network/filter.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ConnectionInfo } from '../../api/stream_info.ts';

const IMPLIED = {
  original_dst: 'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
  tls_inspector: 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
} as const;

/** Is the filter switched off for this connection? */
type Predicate = (info: ConnectionInfo) => boolean;

export interface ListenerFilterEntry {
  readonly name: string;
  readonly config: ListenerFilterConfig;
  readonly disabled: Predicate | undefined;
}

export function compileListenerFilters(
  listener: Listener,
  context: FactoryContext,
  path: string,
): readonly ListenerFilterEntry[] {
  const configured = listener.listener_filters.map((filter, index): ListenerFilterEntry => {
    const where = at(path, index);
    if (filter.config_discovery !== undefined)
      throw new ConfigError(at(where, 'config_discovery'), 'dynamic listener filters are not supported');
    const typed = at(where, 'typed_config');
    const resolved = context.registry.resolve(
      'envoy.filters.listener',
      filter.name,
      filter.typed_config,
      typed,
    );
    return {
      name: filter.name,
      config: resolved.factory.compile(resolved.config, context, typed),
      disabled:
        filter.filter_disabled === undefined
          ? undefined
          : compilePredicate(filter.filter_disabled, at(where, 'filter_disabled')),
    };
  });
  const implied: ListenerFilterEntry[] = [];
  if (listener.use_original_dst?.value === true) implied.push(impliedFilter('original_dst', context, path));
  if (needsTlsInspector(listener)) implied.push(impliedFilter('tls_inspector', context, path));
  return [...configured, ...implied];
}

/** A filter that other settings of the listener ask for. */
function impliedFilter(
  segment: keyof typeof IMPLIED,
  context: FactoryContext,
  path: string,
): ListenerFilterEntry {
  const name = `envoy.filters.listener.${segment}`;
  const resolved = context.registry.resolve(
    'envoy.filters.listener',
    name,
    encodeAny(IMPLIED[segment]),
    path,
  );
  return { name, config: resolved.factory.compile(resolved.config, context, path), disabled: undefined };
}

/** Does a chain match on what only the ClientHello tells? Envoy: needTlsInspector in listener_impl.cc. */
function needsTlsInspector(listener: Listener): boolean {
  if (
    listener.listener_filters.some(({ name, typed_config }) => isTlsInspector(name, typed_config?.type_url))
  )
    return false;
  return listener.filter_chains.some(({ filter_chain_match: match }) => {
    if (match === undefined || match.transport_protocol === 'tls') return match !== undefined;
    return (
      match.transport_protocol === '' &&
      (match.server_names.length > 0 || match.application_protocols.length > 0)
    );
  });
}

function isTlsInspector(name: string, typeUrl = ''): boolean {
  return name === 'envoy.filters.listener.tls_inspector' || typeUrl.endsWith(`/${IMPLIED.tls_inspector}`);
}

function compilePredicate(predicate: ListenerFilterChainMatchPredicate, path: string): Predicate {
  if (predicate.or_match !== undefined) {
    const rules = predicate.or_match.rules.map((rule, index) =>
      compilePredicate(rule, at(at(path, 'or_match.rules'), index)),
    );
    return (info) => rules.some((rule) => rule(info));
  }
  if (predicate.and_match !== undefined) {
    const rules = predicate.and_match.rules.map((rule, index) =>
      compilePredicate(rule, at(at(path, 'and_match.rules'), index)),
    );
    return (info) => rules.every((rule) => rule(info));
  }
  if (predicate.not_match !== undefined) {
    const rule = compilePredicate(predicate.not_match, at(path, 'not_match'));
    return (info) => !rule(info);
  }
  const range = predicate.destination_port_range;
  if (range !== undefined)
    return ({ localAddress }) => localAddress.port >= range.start && localAddress.port < range.end;
  if (predicate.any_match === true) return () => true;
  throw new ConfigError(path, 'a rule is required');
}
