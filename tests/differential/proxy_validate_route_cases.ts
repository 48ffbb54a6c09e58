// What --mode validate says of rate limits, scoped routes, cluster specifiers, formats in routes and the filters that belong to them.

import { type Scenario, TYPE } from './proxy_scenario.ts';

type Json = Readonly<Record<string, unknown>>;
type Part = Omit<Scenario, 'name' | 'connections'>;
const OK = undefined;

const filter = (name: string, type: string, config: Json): Part => ({
  filters: [{ name, typed_config: { '@type': `${TYPE}filters.http.${type}`, ...config } }],
});
const LOCAL = 'local_ratelimit.v3.LocalRateLimit';
const bucket = { max_tokens: 1, fill_interval: '1s' };
const fast = { max_tokens: 1, fill_interval: '0.01s' };
const limit = (more: Json): Part =>
  filter('limit', LOCAL, { stat_prefix: 'p', token_bucket: bucket, ...more });
const descriptor = (more: Json = {}): Json => ({
  entries: [{ key: 'a', value: 'b' }],
  token_bucket: bucket,
  ...more,
});
const hits = (hits_addend: Json): Part =>
  limit({ rate_limits: [{ hits_addend, actions: [{ remote_address: {} }] }] });
const limits = (...rate_limits: readonly Json[]): Part => ({ virtualHost: { rate_limits } });
const action = (more: Json): Part => ({ action: more });

const scope = (name: string, ...fragments: readonly string[]): Json => ({
  name,
  key: { fragments: fragments.map((string_key) => ({ string_key })) },
  route_configuration: { name },
});
const byHeader = { header_value_extractor: { name: 'x', index: 0 } };
const scoped = (scopes: readonly Json[], builder: Json = byHeader, more: Json = {}): Part => ({
  manager: {
    route_config: undefined,
    scoped_routes: {
      name: 'scopes',
      scope_key_builder: { fragments: [builder] },
      scoped_route_configurations_list: { scoped_route_configurations: scopes },
      ...more,
    },
  },
});
const extractor = (more: Json): Json => ({ header_value_extractor: { name: 'x', ...more } });
const routerConfig = { '@type': `${TYPE}filters.http.router.v3.Router` };
const plugin = (typed_config: Json, more: Json = {}): Part =>
  action({
    cluster: undefined,
    inline_cluster_specifier_plugin: { extension: { name: 'p', typed_config }, ...more },
  });

// biome-ignore format: a line a case
export const ROUTE_VALIDATE_CASES: readonly [name: string, part: Part, reason: RegExp | undefined][] = [
  ['local_ratelimit', limit({}), OK],
  ['local_ratelimit without a stat_prefix', limit({ stat_prefix: '' }), /StatPrefix: value length must be at least 1/],
  ['local_ratelimit without a bucket', limit({ token_bucket: undefined }), OK],
  ['a token bucket that fills too fast', limit({ token_bucket: fast }), /fill timer must be >= 50ms/],
  ['a token bucket of a descriptor that fills too fast', limit({ descriptors: [descriptor({ token_bucket: fast })] }), /descriptor token bucket fill timer must be >= 50ms/],
  ['a descriptor twice', limit({ descriptors: [descriptor(), descriptor()] }), /duplicate descriptor in the local rate descriptor: a=b/],
  ['a stage in a filter', limit({ rate_limits: [{ stage: 1, actions: [{ remote_address: {} }] }] }), /'stage' field and 'disable_key' field are not supported/],
  ['a disable_key in a filter', limit({ rate_limits: [{ disable_key: 'x', actions: [{ remote_address: {} }] }] }), /'stage' field and 'disable_key' field are not supported/],
  ['hits_addend twice', hits({ number: 1, format: '%REQ(x)%' }), /hits_addend must contain either a format or a number/],
  ['hits_addend of two operators', hits({ format: '%REQ(x)%%REQ(y)%' }), /hits_addend format must contain exactly one substitution/],
  ['a bucket that a route lacks', { ...limit({}), virtualHost: { typed_per_filter_config: { limit: { '@type': `${TYPE}filters.http.${LOCAL}`, stat_prefix: 'q' } } } }, /token bucket must be set for per filter configs/],
  ['rate_limits without actions', limits({ actions: [] }), /Actions: value must contain at least 1 item/],
  ['rate_limits with an empty action', limits({ actions: [{}] }), /action_specifier|ActionSpecifier/],
  ['rate_limits of stage 11', limits({ stage: 11, actions: [{ remote_address: {} }] }), /Stage: value must be less than or equal to 10/],
  ['rate_limits by an unknown extension', limits({ actions: [{ extension: { name: 'p', typed_config: routerConfig } }] }), /Router/],
  ['buffer', filter('buffer', 'buffer.v3.Buffer', { max_request_bytes: 1 }), OK],
  ['buffer without a limit', filter('buffer', 'buffer.v3.Buffer', {}), /MaxRequestBytes: value is required/],
  ['buffer with a limit of 0', filter('buffer', 'buffer.v3.Buffer', { max_request_bytes: 0 }), /MaxRequestBytes: value must be greater than 0/],
  ['on_demand', filter('on_demand', 'on_demand.v3.OnDemand', {}), OK],

  ['scoped routes', scoped([scope('s', 'a')]), OK],
  ['scopes of one name', scoped([scope('s', 'a'), scope('s', 'b')]), OK],
  ['scopes of one key', scoped([scope('s', 'a'), scope('t', 'a')]), OK],
  ['a scope without a key', scoped([{ name: 's', route_configuration: { name: 's' } }]), /Key: value is required/],
  ['a scope without fragments', scoped([scope('s')]), /Fragments: value must contain at least 1 item/],
  ['an inline scope without routes', scoped([{ ...scope('s', 'a'), route_configuration: undefined }]), /must specify a route_configuration with inline scoped routes/],
  ['an inline scope with routes by RDS', scoped([{ ...scope('s', 'a'), route_configuration_name: 'r' }]), /not supported with inline scoped routes/],
  ['a scope with routes that are not valid', scoped([{ ...scope('s', 'a'), route_configuration: { virtual_hosts: [{ name: 'v', domains: ['*'] }, { name: 'w', domains: ['*'] }] } }]), /Only a single wildcard domain is permitted/],
  ['scoped routes without a name', scoped([scope('s', 'a')], byHeader, { name: '' }), /Name: value length must be at least 1/],
  ['a fragment of nothing', scoped([scope('s', 'a')], {}), /type/i],
  ['an index without a separator', scoped([scope('s', 'a')], extractor({ index: 1 })), /Index > 0 for empty string element separator/],
  ['nothing to extract', scoped([scope('s', 'a')], extractor({ element_separator: ',' })), /extract_type not set/],
  ['an element without a separator', scoped([scope('s', 'a')], extractor({ element: { key: 'k' } })), /Separator: value length must be at least 1/],

  ['an unknown cluster specifier plugin', plugin(routerConfig), /Didn't find a registered implementation for 'p'/],
  ['an optional one that is unknown', plugin(routerConfig, { is_optional: true }), OK],
  ['a cluster specifier plugin of a name that nobody has', action({ cluster: undefined, cluster_specifier_plugin: 'nope' }), /Unknown cluster specifier plugin name: nope is used in the route/],
  ['an early data policy that is none', action({ early_data_policy: { name: 'p', typed_config: routerConfig } }), /Didn't find a registered implementation for 'p'/],
  ['path_rewrite and prefix_rewrite', action({ path_rewrite: '/a', prefix_rewrite: '/b' }), /Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy/],
  ['a path_rewrite that is no format', action({ path_rewrite: '%REQ(x' }), /%REQ\(x/],
  ['a host_rewrite of an unknown operator', action({ host_rewrite: '%NOPE%' }), /NOPE/],
  ['a body_format of an unknown operator', { route: { route: undefined, direct_response: { status: 200, body_format: { text_format_source: { inline_string: '%NOPE%' } } } } }, /NOPE/],
];
