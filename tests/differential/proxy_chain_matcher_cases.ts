// Filter chains that a matcher tree of the listener chooses: inputs, maps and lists, and connections that it leads nowhere.

import { type Scenario, TYPE } from './proxy_scenario.ts';

type Json = Readonly<Record<string, unknown>>;

const chain = (name: string): Json => ({
  name,
  filters: [
    {
      name: 'direct',
      typed_config: {
        '@type': `${TYPE}filters.network.direct_response.v3.Config`,
        response: { inline_string: name },
      },
    },
  ],
});
const take = (name: string): Json => ({
  action: {
    name,
    typed_config: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: name },
  },
});
const input = (name: string, more: Json = {}): Json => ({
  name,
  typed_config: { '@type': `${TYPE}matching.common_inputs.network.v3.${name}Input`, ...more },
});
const custom = (type: string, more: Json): Json => ({
  name: type,
  typed_config: { '@type': `${TYPE}matching.input_matchers.${type}`, ...more },
});
const subject: Json = {
  name: 'subject',
  typed_config: { '@type': `${TYPE}matching.common_inputs.ssl.v3.SubjectInput` },
};
const CHAINS = ['first', 'second', 'third'].map(chain);
const CONNECTIONS = [[{ await: 'close' }]] as const;
const matched = (name: string, filter_chain_matcher: Json, more: Json = {}): Scenario => ({
  name,
  listener: { filter_chains: CHAINS, filter_chain_matcher, ...more },
  connections: CONNECTIONS,
});
const map = (by: Json, values: Record<string, Json>, more: Json = {}): Json => ({
  matcher_tree: { input: by, exact_match_map: { map: values } },
  ...more,
});
/** Address, length, and the chain or what else it leads to; exclusive or not. */
type Range = readonly [string, number, string | Json, boolean?];
const ip = (...ranges: readonly Range[]): Json => ({
  matcher_tree: {
    input: input('SourceIP'),
    custom_match: {
      name: 'ip',
      typed_config: {
        '@type': 'type.googleapis.com/xds.type.matcher.v3.IPMatcher',
        range_matchers: ranges.map(([address_prefix, prefix_len, to, exclusive]) => ({
          ranges: [
            { address_prefix: '::', prefix_len: 64 },
            { address_prefix, prefix_len },
          ],
          on_match: typeof to === 'string' ? take(to) : { matcher: to },
          exclusive,
        })),
      },
    },
  },
});

const NOWHERE = map(input('SourceType'), { remote: take('first') });

export const CHAIN_MATCHER_CASES: readonly Scenario[] = [
  matched('a chain by the type of the source', map(input('SourceType'), { local: take('second') })),
  matched('a chain by the address', map(input('DestinationIP'), { '127.0.0.1': take('third') })),
  matched(
    'a chain by ranges of addresses',
    ip(['0.0.0.0', 0, 'first'], ['127.0.0.0', 8, 'second'], ['10.0.0.0', 8, 'third']),
  ),
  matched('a chain by one of two equal ranges', ip(['127.0.0.0', 8, 'second'], ['127.0.0.0', 8, 'first'])),
  matched('a chain by a wider range', ip(['127.0.0.1', 32, NOWHERE], ['127.0.0.0', 8, 'second'])),
  matched('a chain by an exclusive range', ip(['127.0.0.1', 32, NOWHERE, true], ['127.0.0.0', 8, 'second'])),
  matched(
    'a chain by a range that is exclusive, and not the narrowest',
    ip(['127.0.0.1', 32, NOWHERE], ['127.0.0.0', 8, 'second', true], ['0.0.0.0', 0, 'third']),
  ),
  matched(
    'a chain by the protocol of the transport',
    map(input('TransportProtocol'), { tls: take('first'), raw_buffer: take('second') }),
  ),
  matched('a chain by a list of conditions', {
    matcher_list: {
      matchers: [
        {
          predicate: {
            single_predicate: {
              input: input('ServerName'),
              value_match: { safe_regex: { regex: '.*', google_re2: {} } },
            },
          },
          on_match: take('first'),
        },
        {
          predicate: {
            and_matcher: {
              predicate: [
                { single_predicate: { input: input('SourceIP'), value_match: { prefix: '127.' } } },
                {
                  not_matcher: {
                    single_predicate: { input: input('SourceIP'), value_match: { exact: '10.0.0.1' } },
                  },
                },
              ],
            },
          },
          on_match: take('second'),
        },
      ],
    },
  }),
  matched(
    'a chain by a tree in a tree',
    map(input('SourceIP'), {
      '127.0.0.1': {
        matcher: map(input('SourceType'), { remote: take('first') }, { on_no_match: take('third') }),
      },
    }),
  ),
  matched('no chain that matches', map(input('SourceIP'), { '10.0.0.1': take('first') })),
  matched('no chain that matches, and a default one', map(input('SourceIP'), { '10.0.0.1': take('first') }), {
    default_filter_chain: chain('default'),
  }),
  matched('a chain that is not there', map(input('SourceIP'), { '127.0.0.1': take('unheard of') }), {
    default_filter_chain: chain('default'),
  }),
  matched('a chain by a share of the hash of the address', {
    matcher_list: {
      matchers: ['5', '6', '7'].map((seed, index) => ({
        predicate: {
          single_predicate: {
            input: input('SourceIP'),
            custom_match: custom('consistent_hashing.v3.ConsistentHashing', {
              threshold: 50,
              modulo: 100,
              seed,
            }),
          },
        },
        on_match: take(['first', 'second', 'third'][index]!),
      })),
    },
  }),
  matched('a chain by addresses that a matcher knows', {
    matcher_list: {
      matchers: [
        {
          predicate: {
            single_predicate: {
              input: input('SourceIP'),
              custom_match: custom('ip.v3.Ip', {
                cidr_ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }],
                stat_prefix: 'x',
              }),
            },
          },
          on_match: take('second'),
        },
      ],
    },
  }),
  matched('a chain by domains', {
    matcher_tree: {
      input: input('SourceIP'),
      custom_match: {
        name: 'domain',
        typed_config: {
          '@type': 'type.googleapis.com/xds.type.matcher.v3.ServerNameMatcher',
          domain_matchers: [
            { domains: ['*'], on_match: take('first') },
            { domains: ['*.0.0.1'], on_match: take('second') },
            { domains: ['*.1'], on_match: take('third') },
          ],
        },
      },
    },
  }),
  matched(
    'a chain by a certificate, before there is one',
    { matcher_tree: { input: subject, exact_match_map: { map: { '': take('first') } } } },
    { default_filter_chain: chain('default') },
  ),
];
