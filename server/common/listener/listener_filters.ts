// Compiles a listener's listener_filters, the predicates that switch them off for some destination ports, and the filter
// that use_original_dst implies. Document: config.listener.v3.ListenerFilter.

import type {
  Listener,
  ListenerFilterChainMatchPredicate,
} from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { encodeAny } from '../../../xds-protos/load.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ListenerFilterConfig } from '../../api/network/filter.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { ConnectionInfo } from '../../api/stream_info.ts';

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
  if (listener.use_original_dst?.value !== true) return configured;
  return [...configured, originalDstFilter(context, at(path, 'use_original_dst'))];
}

/** use_original_dst brings the filter that finds the destination. Envoy: ListenerImpl::buildOriginalDstListenerFilter. */
function originalDstFilter(context: FactoryContext, path: string): ListenerFilterEntry {
  const name = 'envoy.filters.listener.original_dst';
  const any = encodeAny('envoy.extensions.filters.listener.original_dst.v3.OriginalDst', {});
  const resolved = context.registry.resolve('envoy.filters.listener', name, any, path);
  return { name, config: resolved.factory.compile(resolved.config, context, path), disabled: undefined };
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
