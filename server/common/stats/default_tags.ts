// The tags Envoy finds in its own stat names. Patterns are written token by token where that says it all: `$` is the tag's
// value, `*` one token, `**` any. Envoy: source/common/config/well_known_names.cc.

/** A tag and where its value is in a name. */
export interface TagPattern {
  readonly tag: string;
  /** Has the flag `d`. The first group is cut out of the name, the second is the value. */
  readonly regex: RegExp;
  /** Source of a regex that is found in every name with the tag and in few others; '' without one. */
  readonly hint: string;
  /** It matches a name as it matches the tokens that the name begins with: where these have the tag, all names below have it. */
  readonly ofTokens: boolean;
}

const TOKEN = '[^.]+';
const ADDRESS = '(?:\\d+\\.\\d+\\.\\d+\\.\\d+|\\[[a-fA-F_\\d]*\\])_\\d+';

/** In the order in which tags are listed. */
export const DEFAULT_TAG_PATTERNS: readonly TagPattern[] = [
  regex('envoy.response_code', /_rq(_(\d{3}))$/, '_rq_\\d{3}$'),
  regex('envoy.response_code_class', /_rq_((\d))xx$/, '_rq_\\dxx$'),
  regex(
    'envoy.dynamo_partition_id',
    `^http\\.${TOKEN}\\.dynamodb\\.table\\.${TOKEN}\\.capacity\\.${TOKEN}(\\.__partition_id=(\\w{7}))$`,
    '\\.dynamodb\\.table\\.',
  ),
  regex(
    'envoy.dynamo_operation',
    `^http\\.${TOKEN}\\.dynamodb.(?:operation|table\\.${TOKEN}\\.capacity)(\\.(${TOKEN}))(?:\\.|$)`,
    '\\.dynamodb\\.',
  ),
  tokens('envoy.mongo_callsite', 'mongo.*.collection.*.callsite.$.query.**'),
  regex(
    'envoy.dynamo_table',
    `^http\\.${TOKEN}\\.dynamodb.(?:table|error)\\.((${TOKEN})\\.)`,
    '\\.dynamodb\\.',
  ),
  tokens('envoy.mongo_collection', 'mongo.*.collection.$.**.query.*'),
  tokens('envoy.mongo_cmd', 'mongo.*.cmd.$.**'),
  tokens('envoy.grpc_bridge_method', 'cluster.*.grpc.*.$.**'),
  tokens('envoy.http_user_agent', 'http.*.user_agent.$.**'),
  tokens('envoy.virtual_cluster', 'vhost.*.vcluster.$.**'),
  tokens('envoy.fault_downstream_cluster', 'http.*.fault.$.**'),
  regex('envoy.ssl_cipher', /^listener\..*?\.ssl\.ciphers(\.([\w-]+))$/, '\\.ssl\\.ciphers\\.'),
  regex('cipher_suite', `^cluster\\.${TOKEN}\\.ssl\\.ciphers(\\.([\\w-]+))$`, '\\.ssl\\.ciphers\\.'),
  regex('envoy.ssl_curve', /^(?:listener|cluster)\..*?\.ssl\.curves(\.([\w-]+))$/, '\\.ssl\\.curves\\.'),
  regex('envoy.ssl_sigalg', /^(?:listener|cluster)\..*?\.ssl\.sigalgs(\.([\w-]+))$/, '\\.ssl\\.sigalgs\\.'),
  regex(
    'envoy.ssl_version',
    /^(?:listener|cluster)\..*?\.ssl\.versions(\.([\w.-]+))$/,
    '\\.ssl\\.versions\\.',
  ),
  regex(
    'envoy.tls_certificate',
    `^(?:listener|cluster)\\..*?\\.ssl\\.certificate\\.((${TOKEN})\\.).*$`,
    '\\.ssl\\.certificate\\.',
  ),
  tokens('envoy.grpc_bridge_service', 'cluster.*.grpc.$.**'),
  tokens('envoy.tcp_prefix', 'tcp.$.**'),
  tokens('envoy.udp_prefix', 'udp.$.**'),
  tokens('envoy.clientssl_prefix', 'auth.clientssl.$.**'),
  tokens('envoy.ratelimit_prefix', 'ratelimit.$.**'),
  regex(
    'envoy.health_check_name',
    `^cluster\\.${TOKEN}\\.health_check(\\.name\\.(${TOKEN}))\\..+`,
    '\\.health_check\\.',
  ),
  tokens('envoy.cluster_name', 'cluster.$.**'),
  regex(
    'envoy.rbac_policy_name',
    `^http\\.${TOKEN}\\.rbac\\.(?:${TOKEN}\\.)?policy\\.((${TOKEN})\\.)(?:allowed|shadow_allowed|denied|shadow_denied)$`,
    '\\.rbac\\.',
  ),
  regex('envoy.rbac_http_prefix', `^http\\.${TOKEN}\\.rbac\\.((?!policy\\.)(${TOKEN})\\.)`, '\\.rbac\\.'),
  regex('envoy.rds_route_config', `^http\\.${TOKEN}\\.rds\\.(([\\w./-]+)\\.)\\w+?$`, '\\.rds\\.'),
  regex(
    'envoy.scoped_rds_config',
    `^http\\.${TOKEN}\\.scoped_rds\\.(([\\w.-]+)\\.)\\w+?$`,
    '\\.scoped_rds\\.',
  ),
  tokens('envoy.ext_authz_prefix', 'http.*.ext_authz.$.**'),
  regex('envoy.http_conn_manager_prefix', `^listener\\..*?\\.http\\.((${TOKEN})\\.)`, '\\.http\\.'),
  tokens('envoy.http_conn_manager_prefix', 'http.$.**'),
  regex('envoy.listener_address', `^listener\\.((?!admin\\.)(${ADDRESS}|${TOKEN})\\.)`, ''),
  tokens('envoy.virtual_host', 'vhost.$.**'),
  tokens('envoy.mongo_prefix', 'mongo.$.**'),
  regex(
    'envoy.worker_id',
    `^(?:listener\\.(?:${ADDRESS}|${TOKEN})|server|listener_manager|thread_local_cluster_manager)\\.worker_((\\d+)\\.)`,
    'worker_',
  ),
  tokens('envoy.thrift_prefix', 'thrift.$.**'),
  tokens('envoy.redis_prefix', 'redis.$.**'),
  tokens('envoy.local_http_ratelimit_prefix', '$.http_local_rate_limit.**'),
  tokens('envoy.local_network_ratelimit_prefix', 'local_rate_limit.$.**'),
  tokens('envoy.local_listener_ratelimit_prefix', 'listener_local_ratelimit.$.**'),
  tokens('envoy.dns_filter_prefix', 'dns_filter.$.**'),
  tokens('envoy.connection_limit_prefix', 'connection_limit.$.**'),
  tokens('envoy.rbac_prefix', '$.rbac.**'),
  regex('envoy.proxy_protocol_prefix', `^proxy_proto\\.((${TOKEN})\\.).+$`, 'proxy_proto\\.'),
  regex(
    'envoy.proxy_protocol_version',
    `^proxy_proto\\.((?:${TOKEN}\\.)?versions\\.v(\\d)\\.)\\w+$`,
    'proxy_proto\\.',
  ),
  regex('envoy.google_grpc_client_prefix', /^grpc\.((\d+)\.)/, 'grpc\\.'),
  tokens('envoy.ext_authz_prefix', 'cluster.*.ext_authz.$.**'),
  tokens('envoy.route', 'vhost.*.route.$.**'),
  regex('envoy.xds_resource_name', `^sds\\.((${TOKEN})\\.).+`, 'sds\\.'),
];

function regex(tag: string, pattern: string | RegExp, hint: string): TagPattern {
  return { tag, regex: new RegExp(pattern, 'd'), hint, ofTokens: false };
}

function tokens(tag: string, pattern: string): TagPattern {
  const source = pattern
    .split('.')
    .map((token) => {
      if (token === '$') return `((${TOKEN})\\.)`;
      if (token === '**') return '.*';
      return `${token === '*' ? TOKEN : token}\\.`;
    })
    .join('');
  // The longest run of literal tokens behind the first: most names of a family lack it, which is quicker to see.
  const literals = pattern
    .split(/[$*]+/)
    .slice(1)
    .toSorted((a, b) => b.length - a.length);
  const longest = literals[0] === '.' ? '' : (literals[0] ?? '');
  const ofTokens = !pattern.slice(0, -1).includes('**.');
  return { ...regex(tag, `^${source}`, longest.replaceAll('.', '\\.')), ofTokens };
}
