// A static cluster that speaks gRPC, as JSON: for the bootstraps this program writes itself.

const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** `address` is the JSON of an envoy.config.core.v3.Address. */
export function grpcCluster(name: string, type: 'STATIC' | 'STRICT_DNS', address: object): object {
  return {
    name,
    type,
    connect_timeout: '1s',
    lb_policy: 'ROUND_ROBIN',
    typed_extension_protocol_options: {
      [HTTP_PROTOCOL_OPTIONS]: {
        '@type': `type.googleapis.com/${HTTP_PROTOCOL_OPTIONS}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
  };
}

/** `dynamic_resources` of one delta ADS stream to a cluster, with CDS and LDS on it and no limit on the first fetch. */
export function deltaAds(cluster: string): object {
  const source = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  return {
    ads_config: {
      api_type: 'DELTA_GRPC',
      transport_api_version: 'V3',
      set_node_on_first_message_only: true,
      grpc_services: [{ envoy_grpc: { cluster_name: cluster } }],
    },
    cds_config: source,
    lds_config: source,
  };
}

/** The admin port where nothing else is said: where Istio has it. */
export const DEFAULT_ADMIN = { address: { socket_address: { address: '127.0.0.1', port_value: 15000 } } };
