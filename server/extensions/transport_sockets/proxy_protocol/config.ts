// envoy.transport_sockets.upstream_proxy_protocol: a PROXY protocol header before what another transport socket sends.
// Envoy: source/extensions/transport_sockets/proxy_protocol, api/envoy/extensions/transport_sockets/proxy_protocol/v3.

import type { ProxyProtocolUpstreamTransport } from '../../../../xds-protos/generated/envoy/extensions/transport_sockets/proxy_protocol/v3.ts';
import { at } from '../../../api/config_error.ts';
import type { UpstreamTransportSocketExtension } from '../../../api/registry.ts';
import { rejectOtherFields } from '../../../common/config/handled_fields.ts';
import { ProxyProtocolSocketFactory } from './proxy_protocol.ts';
import { v1Header, v2Header } from './proxy_protocol_header.ts';

// Not handled: TLVs, neither the client's nor added ones.
const HANDLED = new Set(['config', 'transport_socket']);
const CONFIG_HANDLED = new Set(['version']);

export const upstreamProxyProtocolFactory: UpstreamTransportSocketExtension<ProxyProtocolUpstreamTransport> =
  {
    compile(message, context, path) {
      const { config, transport_socket: inner } = message;
      rejectOtherFields(message, HANDLED, path);
      rejectOtherFields(config ?? {}, CONFIG_HANDLED, at(path, 'config'));
      const where = at(path, 'transport_socket.typed_config');
      const resolved = context.registry.resolve(
        'envoy.transport_sockets.upstream',
        inner?.name ?? '',
        inner?.typed_config,
        where,
      );
      const factory = resolved.factory.compile(resolved.config, context, where);
      return new ProxyProtocolSocketFactory(factory, config?.version === 'V2' ? v2Header : v1Header);
    },
  };
