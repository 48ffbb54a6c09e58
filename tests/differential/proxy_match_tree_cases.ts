// Match trees that choose a cluster: inputs, the matchers of values beside texts, ranges, domains, trees in trees. The cluster that was
// chosen is in the access log. What is not here: addresses, certificates, query parameters, metadata, CEL and keep_matching, with which
// Envoy 1.40 takes the configuration and crashes with the first request, and values of the environment, which it mangles.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import { get } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

type Json = Readonly<Record<string, unknown>>;

const ANY = 'type.googleapis.com/';
const PLUGIN = `${TYPE}router.cluster_specifiers.matcher.v3.`;
const INPUTS = `${TYPE}matching.common_inputs.`;
const MATCHERS = `${TYPE}matching.input_matchers.`;
const extension = (type: string, more: Json = {}): Json => ({
  name: type,
  typed_config: { '@type': type, ...more },
});
const to = (cluster: string): Json => ({ action: extension(`${PLUGIN}ClusterAction`, { cluster }) });
const header = (header_name: string): Json =>
  extension(`${ANY}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`, { header_name });
const network = (name: string, more: Json = {}): Json => extension(`${INPUTS}network.v3.${name}Input`, more);

const list = (...matchers: readonly Json[]): Json => ({ matcher_list: { matchers } });
const when = (input: Json, more: Json, on_match: Json): Json => ({
  predicate: { single_predicate: { input, ...more } },
  on_match,
});
const custom = (type: string, more: Json = {}): Json => ({ custom_match: extension(type, more) });
const map = (input: Json, values: Record<string, Json>, more: Json = {}): Json => ({
  matcher_tree: { input, exact_match_map: { map: values } },
  ...more,
});
const prefixes = (input: Json, values: Record<string, Json>): Json => ({
  matcher_tree: { input, prefix_match_map: { map: values } },
});
const domains = (input: Json, ...all: readonly (readonly [string[], Json])[]): Json => ({
  matcher_tree: {
    input,
    ...custom(`${ANY}xds.type.matcher.v3.ServerNameMatcher`, {
      domain_matchers: all.map(([domains, on_match]) => ({ domains, on_match })),
    }),
  },
});
const ranges = (input: Json, ...all: readonly (readonly [string, number, Json])[]): Json => ({
  matcher_tree: {
    input,
    ...custom(`${ANY}xds.type.matcher.v3.IPMatcher`, {
      range_matchers: all.map(([address_prefix, prefix_len, on_match]) => ({
        ranges: [{ address_prefix, prefix_len }],
        on_match,
      })),
    }),
  },
});

const HOST = { upstream: { answers: [OK] } };
const choosing = (
  name: string,
  cluster_matcher: Json,
  requests: readonly string[],
  more: Partial<Scenario> = {},
): Scenario => ({
  name: `a cluster by ${name}`,
  action: {
    cluster: undefined,
    inline_cluster_specifier_plugin: {
      extension: extension(`${PLUGIN}MatcherClusterSpecifier`, { cluster_matcher }),
    },
  },
  clusters: { one: HOST, two: HOST, three: HOST },
  connections: [requests],
  ...more,
});
const by = (name: string, input: Json, ...values: readonly string[]): Scenario =>
  choosing(
    name,
    map(input, Object.fromEntries(values.map((value) => [value, to('$C-one')])), {
      on_no_match: to('$C-two'),
    }),
    [get('/'), get('/', 'x-forwarded-for: 10.0.0.1')],
  );
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n'];
const named = NAMES.map((name) => get('/', `x-a: ${name}`)).concat(get('/'));

export const MATCH_TREE_CASES: readonly Scenario[] = [
  by('filter state', network('FilterState', { key: 'unheard.of' }), ''),
  by(
    'the environment without it',
    extension(`${INPUTS}environment_variable.v3.Config`, { name: 'UNHEARD_OF_' }),
    '',
  ),
  choosing('several values of a header', map(header('x-a'), { '1,2': to('$C-one'), '1': to('$C-two') }), [
    get('/', 'x-a: 1', 'x-a: 2'),
    get('/', 'x-a: 1,2'),
    get('/', 'x-a: 1'),
    get('/', 'x-a: 1, 2'),
  ]),
  choosing(
    'domains',
    domains(
      header('x-a'),
      [['*.com'], to('$C-one')],
      [['a.example.com', '*.example.com'], to('$C-two')],
      [['*'], to('$C-three')],
    ),
    [
      'a.example.com',
      'b.example.com',
      'example.com',
      '.example.com',
      'com',
      'A.EXAMPLE.COM',
      'x',
      '.',
      '*',
      '*.com',
    ]
      .map((value) => get('/', `x-a: ${value}`))
      .concat(get('/'), get('/', 'x-a;')),
  ),
  choosing(
    'domains that lead nowhere',
    domains(
      header('x-a'),
      [['*.com'], to('$C-one')],
      [['a.example.com'], { matcher: map(header('x-b'), { '1': to('$C-two') }) }],
      [['*.example.com'], { matcher: map(header('x-b'), { 2: to('$C-three') }) }],
    ),
    [
      get('/', 'x-a: a.example.com', 'x-b: 1'),
      get('/', 'x-a: a.example.com'),
      get('/', 'x-a: b.example.com'),
    ],
  ),
  choosing(
    'ranges of addresses in a header',
    ranges(
      header('x-a'),
      ['10.0.0.0', 8, to('$C-one')],
      ['10.1.0.0', 16, to('$C-two')],
      ['::', 0, to('$C-three')],
    ),
    ['10.2.3.4', '10.1.2.3', '11.0.0.1', '::1', '::ffff:10.0.0.1', 'x', '10.1.2.3 '].map((value) =>
      get('/', `x-a: ${value}`),
    ),
  ),
  choosing(
    'prefixes',
    prefixes(header('x-a'), { a: to('$C-one'), ab: to('$C-two'), abc: to('$C-three') }),
    ['a', 'ab', 'abc', 'abd', 'b', ''].map((value) => get('/', `x-a: ${value}`)),
  ),
  choosing(
    'addresses',
    list(
      when(
        header('x-a'),
        custom(`${MATCHERS}ip.v3.Ip`, {
          cidr_ranges: [
            { address_prefix: '10.0.0.0', prefix_len: 8 },
            { address_prefix: '2001:db8::', prefix_len: 32 },
          ],
          stat_prefix: 'x',
        }),
        to('$C-one'),
      ),
    ),
    ['10.1.2.3', '11.1.2.3', '2001:db8::1', 'x'].map((value) => get('/', `x-a: ${value}`)).concat(get('/')),
  ),
  choosing(
    'shares of a hash',
    list(
      when(
        header('x-a'),
        custom(`${MATCHERS}consistent_hashing.v3.ConsistentHashing`, { threshold: 60, modulo: 100 }),
        to('$C-one'),
      ),
      when(
        header('x-a'),
        custom(`${MATCHERS}consistent_hashing.v3.ConsistentHashing`, { threshold: 2, modulo: 3, seed: '77' }),
        to('$C-two'),
      ),
    ),
    named,
  ),
  choosing(
    'runtime fractions of a hash',
    list(
      when(
        header('x-a'),
        custom(`${MATCHERS}runtime_fraction.v3.RuntimeFraction`, {
          runtime_fraction: { default_value: { numerator: 40 } },
        }),
        to('$C-one'),
      ),
      when(
        header('x-a'),
        custom(`${MATCHERS}runtime_fraction.v3.RuntimeFraction`, {
          runtime_fraction: {
            default_value: { numerator: 500_000, denominator: 'MILLION' },
            runtime_key: 'k',
          },
          seed: '5',
        }),
        to('$C-two'),
      ),
    ),
    named,
  ),
  choosing(
    'metadata, asked of a header',
    list(
      when(
        header('x-a'),
        custom(`${MATCHERS}metadata.v3.Metadata`, { value: { present_match: true }, invert: true }),
        to('$C-one'),
      ),
    ),
    [get('/', 'x-a: 1')],
  ),
];
