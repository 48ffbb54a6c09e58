// envoy.filters.network.set_filter_state: puts formatted texts into the connection's filter state, for filters behind it and
// for upstream connections. Envoy: source/extensions/filters/network/set_filter_state/config.cc,
// source/extensions/filters/common/set_filter_state/filter_config.cc.

import type { FilterStateValue } from '../../../../../xds-protos/generated/envoy/extensions/filters/common/set_filter_state/v3.ts';
import type { Config } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/set_filter_state/v3.ts';
import type { Formatter } from '../../../../api/access_log.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import {
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { FactoryContext, NetworkFilterFactory } from '../../../../api/registry.ts';
import { connectionLogContext } from '../../../../common/access_log/connection_log_context.ts';
import { compileSubstitutionFormatString } from '../../../../common/formatter/substitution_formatter.ts';
import { HashableString, StringAccessor } from '../../../../common/stream_info/filter_state.ts';

const HASHABLE = 'envoy.hashable_string';
/** Object kinds whose value is a text. Envoy: registered StreamInfo::FilterState::ObjectFactory. */
const FACTORIES = new Set([
  'envoy.string',
  HASHABLE,
  'envoy.network.upstream_server_name',
  'envoy.network.application_protocols',
  'envoy.network.upstream_subject_alt_names',
  'envoy.tcp_proxy.cluster',
  'envoy.filters.listener.original_dst.local_ip',
  'envoy.filters.listener.original_dst.remote_ip',
  'envoy.network.transport_socket.original_dst_address',
  'envoy.upstream.dynamic_host',
  'envoy.upstream.dynamic_port',
]);

const SHARING = { NONE: 'none', ONCE: 'once', TRANSITIVE: 'transitive' } as const;

interface Setting {
  readonly key: string;
  readonly format: Formatter;
  readonly skipIfEmpty: boolean;
  readonly ObjectType: typeof StringAccessor;
  readonly options: {
    readonly readOnly: boolean;
    readonly sharedWithUpstream: 'none' | 'once' | 'transitive';
  };
}

class SetFilterState implements NetworkFilter {
  readonly #settings: readonly Setting[];
  #callbacks: ReadFilterCallbacks | undefined = undefined;

  constructor(settings: readonly Setting[]) {
    this.#settings = settings;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.#callbacks = callbacks;
  }

  onNewConnection(): NetworkFilterStatus {
    const { streamInfo, info } = this.#callbacks!.connection;
    const context = connectionLogContext(streamInfo);
    for (const { key, format, skipIfEmpty, ObjectType, options } of this.#settings) {
      const text = format.format(context);
      if (text !== '' || !skipIfEmpty) info.filterState.set(key, new ObjectType(text), options);
    }
    return NetworkFilterStatus.Continue;
  }
}

function compileSetting(config: FilterStateValue, context: FactoryContext, path: string): Setting {
  const key = config.object_key ?? '';
  const factory = config.factory_key === '' ? key : config.factory_key;
  if (!FACTORIES.has(factory)) {
    throw new ConfigError(
      at(path, config.factory_key === '' ? 'object_key' : 'factory_key'),
      `'${factory}' does not have an object factory`,
    );
  }
  const formatPath = at(path, 'format_string');
  if (config.format_string === undefined) throw new ConfigError(formatPath, 'value is required');
  return {
    key,
    format: compileSubstitutionFormatString(config.format_string, context, formatPath),
    skipIfEmpty: config.skip_if_empty,
    ObjectType: factory === HASHABLE ? HashableString : StringAccessor,
    options: {
      readOnly: config.read_only,
      sharedWithUpstream: SHARING[config.shared_with_upstream as keyof typeof SHARING] ?? 'none',
    },
  };
}

/** Filters are made when TLS is done, so both lists are for the same moment. */
function compile(config: Config, context: FactoryContext, path: string): NetworkFilterConfig {
  const settings = (['on_new_connection', 'on_downstream_tls_handshake'] as const).flatMap((field) =>
    config[field].map((value, index) => compileSetting(value, context, at(at(path, field), index))),
  );
  return { isTerminal: false, createFilter: () => new SetFilterState(settings) };
}

export const setFilterStateFactory: NetworkFilterFactory<Config> = {
  compile,
};
