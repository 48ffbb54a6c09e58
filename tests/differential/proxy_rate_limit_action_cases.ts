// The actions of rate_limits, each in a descriptor of two tokens: what it makes of requests. Buckets are so slow that nothing comes in.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import { get } from './raw_requests.ts';

type Json = Readonly<Record<string, unknown>>;

const ALWAYS = { default_value: { numerator: 100 } };
const FILTER_TYPE = `${TYPE}filters.http.local_ratelimit.v3.LocalRateLimit`;
export const bucket = (max_tokens: number, fill_interval = '1000s', tokens_per_fill = 1): Json => ({
  max_tokens,
  tokens_per_fill,
  fill_interval,
});
export const limit = (more: Json = {}): Json => ({
  '@type': FILTER_TYPE,
  stat_prefix: '$C',
  filter_enabled: ALWAYS,
  filter_enforced: ALWAYS,
  enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
  token_bucket: bucket(100),
  ...more,
});
export const filters = (more: Json = {}): readonly Json[] => [{ name: 'limit', typed_config: limit(more) }];
export const descriptor = (entries: Readonly<Record<string, string>>, max = 1, more: Json = {}): Json => ({
  entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
  token_bucket: bucket(max),
  ...more,
});
export const generic = (value: string, more: Json = {}): Json => ({
  actions: [{ generic_key: { descriptor_value: value } }],
  ...more,
});
export const header = (name: string, key = name, more: Json = {}): Json => ({
  request_headers: { header_name: name, descriptor_key: key, ...more },
});
/** Requests with the values of x-a one after the other. */
export const withA = (...values: readonly string[]): readonly string[] =>
  values.map((value) => get('/', `x-a: ${value}`));

/** One action in one descriptor of two tokens, asked with each request twice and more. */
function action(
  name: string,
  one: Json,
  entries: Readonly<Record<string, string>>,
  requests: readonly string[],
  more: Partial<Scenario> = {},
): Scenario {
  return {
    name: `rate_limits action ${name}`,
    filters: filters({ descriptors: [descriptor(entries, 2)] }),
    virtualHost: { rate_limits: [{ actions: [one] }] },
    connections: [[...requests, ...requests, ...requests]],
    ...more,
  };
}

export const RATE_LIMIT_ACTION_CASES: readonly Scenario[] = [
  action('source_cluster', { source_cluster: {} }, { source_cluster: 'test-cluster' }, [get('/')]),
  action('destination_cluster', { destination_cluster: {} }, { destination_cluster: '$C' }, [get('/')]),
  action('remote_address', { remote_address: {} }, { remote_address: '127.0.0.1' }, [get('/')]),
  action('remote_address by x-forwarded-for', { remote_address: {} }, { remote_address: '1.2.3.4' }, [
    get('/', 'x-forwarded-for: 1.2.3.4'),
    get('/', 'x-forwarded-for: 1.2.3.5'),
  ]),
  action(
    'masked_remote_address',
    { masked_remote_address: { v4_prefix_mask_len: 16, v6_prefix_mask_len: 64 } },
    { masked_remote_address: '1.2.0.0/16' },
    [get('/', 'x-forwarded-for: 1.2.3.4'), get('/', 'x-forwarded-for: 1.3.3.5')],
  ),
  action(
    'masked_remote_address of IPv6',
    { masked_remote_address: { v6_prefix_mask_len: 64 } },
    { masked_remote_address: '2001:db8::/64' },
    [get('/', 'x-forwarded-for: 2001:db8::1'), get('/', 'x-forwarded-for: 2001:db8:1::5')],
  ),
  action(
    'remote_address_match',
    {
      remote_address_match: {
        descriptor_value: 'v',
        descriptor_key: 'k',
        address_matcher: { ranges: [{ address_prefix: '1.2.0.0', prefix_len: 16 }] },
      },
    },
    { k: 'v' },
    [get('/', 'x-forwarded-for: 1.2.3.4'), get('/', 'x-forwarded-for: 1.3.3.5')],
  ),
  action(
    'remote_address_match without a key',
    {
      remote_address_match: {
        descriptor_value: 'v',
        address_matcher: { ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }] },
      },
    },
    { remote_address_match: 'v' },
    [get('/')],
  ),
  action('generic_key', { generic_key: { descriptor_value: 'v' } }, { generic_key: 'v' }, [get('/')]),
  action(
    'generic_key that looks like a format',
    { generic_key: { descriptor_value: '%REQ(x-a)%', descriptor_key: 'k', default_value: 'd' } },
    { k: '%REQ(x-a)%' },
    [...withA('1')],
  ),
  action('request_headers', header('x-a', 'k'), { k: '1' }, withA('1', '2')),
  action('request_headers :path', header(':path', 'k'), { k: '/x' }, [get('/x'), get('/y')]),
  action('request_headers that come twice', header('x-a', 'k'), { k: '1' }, [get('/', 'x-a: 1', 'x-a: 2')]),
  action('request_headers with an empty value', header('x-a', 'k'), { k: '' }, [get('/', 'x-a:')]),
  action(
    'query_parameters',
    { query_parameters: { query_parameter_name: 'q', descriptor_key: 'k' } },
    { k: '1' },
    [get('/?q=1'), get('/?q=2'), get('/?q=1&q=2'), get('/?p=1'), get('/?q=%31')],
  ),
  action(
    'header_value_match',
    { header_value_match: { descriptor_value: 'v', headers: [{ name: 'x-a', present_match: true }] } },
    { header_match: 'v' },
    [get('/'), ...withA('1')],
  ),
  action(
    'header_value_match that is not expected',
    {
      header_value_match: {
        descriptor_value: 'v',
        descriptor_key: 'k',
        expect_match: false,
        headers: [{ name: 'x-a', present_match: true }],
      },
    },
    { k: 'v' },
    [get('/'), ...withA('1')],
  ),
  action(
    'query_parameter_value_match',
    {
      query_parameter_value_match: {
        descriptor_value: 'v',
        query_parameters: [{ name: 'q', string_match: { prefix: 'a' } }],
      },
    },
    { query_match: 'v' },
    [get('/?q=ab'), get('/?q=b'), get('/?q=%61b')],
  ),
  action(
    'metadata of the route',
    {
      metadata: {
        descriptor_key: 'k',
        metadata_key: { key: 'ns', path: [{ key: 'a' }, { key: 'b' }] },
        source: 'ROUTE_ENTRY',
      },
    },
    { k: 'v' },
    [get('/')],
    { route: { metadata: { filter_metadata: { ns: { a: { b: 'v' } } } } } },
  ),
  action(
    'metadata that is absent',
    {
      metadata: {
        descriptor_key: 'k',
        metadata_key: { key: 'ns', path: [{ key: 'a' }] },
        default_value: 'd',
      },
    },
    { k: 'd' },
    [get('/')],
  ),
  action(
    'extension',
    {
      extension: {
        name: 'mine',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
          header_name: 'x-a',
        },
      },
    },
    { mine: '1' },
    [...withA('1', '2'), get('/')],
  ),
];
