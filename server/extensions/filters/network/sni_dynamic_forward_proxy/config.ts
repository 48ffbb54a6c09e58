// envoy.filters.network.sni_dynamic_forward_proxy: holds a TLS connection until the server that its client asks for has been
// looked up. Envoy: source/extensions/filters/network/sni_dynamic_forward_proxy/proxy_filter.cc.

import type { FilterConfig } from '../../../../../xds-protos/generated/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type {
  CachedDnsHost,
  DnsCache,
  DnsCacheCallbacks,
  DnsCacheHandle,
} from '../../../../api/dns_cache.ts';
import {
  type NetworkFilter,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import { rejectOtherFields } from '../../../../common/config/handled_fields.ts';
import { hostKey } from '../../../../common/dynamic_forward_proxy/host_key.ts';
import { StringAccessor } from '../../../../common/stream_info/filter_state.ts';

const DYNAMIC_HOST = 'envoy.upstream.dynamic_host';
const DYNAMIC_PORT = 'envoy.upstream.dynamic_port';
const HANDLED = new Set(['dns_cache_config', 'port_value']);
/** Source: FilterConfig.port_value, 443. */
const DEFAULT_PORT = 443;

class SniDynamicForwardProxyFilter implements NetworkFilter, DnsCacheCallbacks {
  private readonly cache: DnsCache;
  private readonly port: number;
  private callbacks!: ReadFilterCallbacks;
  private load: DnsCacheHandle | undefined = undefined;

  constructor(cache: DnsCache, port: number) {
    this.cache = cache;
    this.port = port;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.callbacks = callbacks;
    callbacks.connection.addConnectionCallbacks({
      onEvent: (event) => {
        if (event !== 'Connected') this.cancel();
      },
    });
  }

  onNewConnection(): NetworkFilterStatus {
    const { connection } = this.callbacks;
    const { filterState, requestedServerName } = connection.info;
    const host = filterState.get(DYNAMIC_HOST)?.serializeAsString() ?? requestedServerName;
    if (host === '') return NetworkFilterStatus.Continue;
    const chosen = Number(filterState.get(DYNAMIC_PORT)?.serializeAsString() ?? 0);
    const port = chosen > 0 && chosen <= 65535 ? chosen : this.port;
    // The cluster finds the host by the same name and port.
    filterState.set(DYNAMIC_PORT, new StringAccessor(String(port)));
    const key = hostKey(host, port);
    if (this.cache.get(key) !== undefined) return NetworkFilterStatus.Continue;
    const load = this.cache.load(key, this);
    if (typeof load === 'string') connection.close('NoFlush');
    else this.load = load;
    return NetworkFilterStatus.StopIteration;
  }

  onData(): NetworkFilterStatus {
    return this.load === undefined ? NetworkFilterStatus.Continue : NetworkFilterStatus.StopIteration;
  }

  onLoadDnsCacheComplete(_host: CachedDnsHost): void {
    this.load = undefined;
    this.callbacks.continueReading();
  }

  private cancel(): void {
    this.load?.cancel();
    this.load = undefined;
  }
}

export const sniDynamicForwardProxyFactory: NetworkFilterFactory<FilterConfig> = {
  compile(config, context, path) {
    rejectOtherFields(config, HANDLED, path);
    const where = at(path, 'dns_cache_config');
    if (config.dns_cache_config === undefined) throw new ConfigError(where, 'value is required');
    const cache = context.dnsCache(config.dns_cache_config, where);
    const port = config.port_value ?? DEFAULT_PORT;
    return { isTerminal: false, createFilter: () => new SniDynamicForwardProxyFilter(cache, port) };
  },
};
