// envoy.upstreams.http.http_protocol_options: how HTTP is spoken to a cluster. The cluster compiles the message, together
// with its own deprecated fields (common/upstream/http_protocol_options.ts). Envoy: source/extensions/upstreams/http.

import type { HttpProtocolOptions } from '../../../../xds-protos/generated/envoy/extensions/upstreams/http/v3.ts';
import type { SettingsFactory } from '../../../api/registry.ts';

export const httpProtocolOptionsFactory: SettingsFactory<HttpProtocolOptions> = {
  compile: (config) => config,
};
