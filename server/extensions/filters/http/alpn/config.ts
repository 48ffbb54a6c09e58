// istio.alpn. Istio: source/extensions/filters/http/alpn/config.cc.

import type {
  FilterConfig,
  FilterConfig_Protocol,
} from '../../../../../xds-protos/generated/istio/envoy/config/filter/http/alpn/v2alpha1.ts';
import type { HttpFilterFactory } from '../../../../api/registry.ts';
import { ApplicationProtocols } from '../../../../common/stream_info/filter_state.ts';
import { AlpnFilter, type AlpnOverrides } from './alpn.ts';

export const alpnFactory: HttpFilterFactory<FilterConfig> = {
  compile(config) {
    const overrides: AlpnOverrides = Object.freeze({
      http11: overrideFor('HTTP11', config),
      http2: overrideFor('HTTP2', config),
    });
    return Object.freeze({ isTerminal: false, createFilter: () => new AlpnFilter(overrides) });
  },
};

/** The first entry for a protocol wins. There is no HTTP/1.0 upstream, so that entry of istiod's is never used. */
function overrideFor(
  protocol: FilterConfig_Protocol,
  config: FilterConfig,
): ApplicationProtocols | undefined {
  const override = config.alpn_override.find((entry) => entry.upstream_protocol === protocol)?.alpn_override;
  return override === undefined || override.length === 0
    ? undefined
    : new ApplicationProtocols([...override]);
}
