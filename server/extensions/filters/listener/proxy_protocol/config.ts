// envoy.filters.listener.proxy_protocol. Envoy: api/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.proto.

import type { ProxyProtocol } from '../../../../../xds-protos/generated/envoy/extensions/filters/listener/proxy_protocol/v3.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, ListenerFilterFactory } from '../../../../api/registry.ts';
import { PROXY_PROTOCOL_STATS, ProxyProtocolConfig } from './proxy_protocol.ts';

const NAME = 'envoy.filters.listener.proxy_protocol';

function compile(config: ProxyProtocol, context: FactoryContext, path: string): ProxyProtocolConfig {
  if (config.pass_through_tlvs !== undefined) {
    throw new ConfigError(at(path, 'pass_through_tlvs'), 'passing TLVs to upstreams is not supported');
  }
  if (config.tlv_location !== 'DYNAMIC_METADATA') {
    throw new ConfigError(at(path, 'tlv_location'), 'only DYNAMIC_METADATA is supported');
  }
  const disallowedVersions = new Set(config.disallowed_versions.map((version) => (version === 'V1' ? 1 : 2)));
  if (disallowedVersions.size === 2) {
    throw new ConfigError(
      path,
      'ProxyProtocol filter is misconfigured: all supported versions are disallowed.',
    );
  }
  const rules = config.rules.map(({ tlv_type, on_tlv_present }) => {
    const namespace = on_tlv_present?.metadata_namespace || NAME;
    return [tlv_type & 0xff, { namespace, key: on_tlv_present?.key ?? '' }] as const;
  });
  const prefix = config.stat_prefix === '' ? 'proxy_proto.' : `proxy_proto.${config.stat_prefix}.`;
  return new ProxyProtocolConfig({
    allowRequestsWithoutProxyProtocol: config.allow_requests_without_proxy_protocol,
    disallowedVersions,
    rules: new Map(rules),
    stats: context.stats.block(PROXY_PROTOCOL_STATS, prefix),
    errors: context.stats.counter('downstream_cx_proxy_proto_error'),
  });
}

export const proxyProtocolFactory: ListenerFilterFactory<ProxyProtocol> = {
  compile,
};
