// Which inputs, matchers and trees Envoy takes in the match trees of virtual hosts, of clusters and of filter chains: each combination
// is taken here where Envoy takes it, and refused in its words where it is not.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../server/api/config_error.ts';
import { compileListener } from '../../server/common/listener/listener_config.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { routeContext } from '../fakes/routes.ts';
import { ENVOY_BIN, validate } from './envoy_process.ts';

type Json = Readonly<Record<string, unknown>>;

const ANY = 'type.googleapis.com/';
const TYPE = `${ANY}envoy.extensions.`;
const INPUTS = `${TYPE}matching.common_inputs.`;
const MATCHERS = `${TYPE}matching.input_matchers.`;
const extension = (name: string, type: string, more: Json = {}): Json => ({
  name,
  typed_config: { '@type': type, ...more },
});
const http = (name: string, more: Json = {}): Json =>
  extension(name, `${ANY}envoy.type.matcher.v3.Http${name}MatchInput`, more);
const network = (name: string, more: Json = {}): Json =>
  extension(name, `${INPUTS}network.v3.${name}Input`, more);

const INPUTS_OF: readonly Json[] = [
  http('RequestHeader', { header_name: 'a' }),
  http('RequestQueryParam', { query_param: 'a' }),
  extension('Cel', `${ANY}xds.type.matcher.v3.HttpAttributesCelMatchInput`),
  extension('Environment', `${INPUTS}environment_variable.v3.Config`, { name: 'HOME' }),
  network('DynamicMetadata', { filter: 'f', path: [{ key: 'k' }] }),
  network('FilterState', { key: 'k' }),
  ...['NetworkNamespace', 'DestinationIP', 'DestinationPort', 'SourceIP', 'SourcePort', 'DirectSourceIP']
    .concat(['SourceType', 'ServerName', 'TransportProtocol', 'ApplicationProtocol'])
    .map((name) => network(name)),
  ...['UriSan', 'DnsSan', 'Subject'].map((name) => extension(name, `${INPUTS}ssl.v3.${name}Input`)),
];

const TRUE = { expr: { id: '1', const_expr: { bool_value: true } } };
const fraction = { default_value: { numerator: 50 } };
const RANGES = [{ address_prefix: '127.0.0.0', prefix_len: 8 }];
/** Matchers of text, of metadata and of CEL. */
const CUSTOM: readonly Json[] = [
  extension('ip', `${MATCHERS}ip.v3.Ip`, { cidr_ranges: RANGES, stat_prefix: 'x' }),
  extension('hash', `${MATCHERS}consistent_hashing.v3.ConsistentHashing`, { threshold: 1, modulo: 2 }),
  extension('fraction', `${MATCHERS}runtime_fraction.v3.RuntimeFraction`, { runtime_fraction: fraction }),
  extension('metadata', `${MATCHERS}metadata.v3.Metadata`, { value: { present_match: true } }),
  extension('cel', `${ANY}xds.type.matcher.v3.CelMatcher`, { expr_match: { parsed_expr: TRUE } }),
];

const predicate = (input: Json, more: Json, on_match: Json): Json => ({
  matcher_list: { matchers: [{ predicate: { single_predicate: { input, ...more } }, on_match }] },
});
const byText = (input: Json, on_match: Json): Json =>
  predicate(input, { value_match: { exact: '1' } }, on_match);
const byMap = (input: Json, on_match: Json): Json => ({
  matcher_tree: { input, exact_match_map: { map: { a: on_match } } },
});
const byRange = (input: Json, on_match: Json): Json => ({
  matcher_tree: {
    input,
    custom_match: extension('ip', `${ANY}xds.type.matcher.v3.IPMatcher`, {
      range_matchers: [{ ranges: RANGES, on_match }],
    }),
  },
});
const byDomain =
  (...domains: readonly string[]) =>
  (input: Json, on_match: Json): Json => ({
    matcher_tree: {
      input,
      custom_match: extension('domain', `${ANY}xds.type.matcher.v3.ServerNameMatcher`, {
        domain_matchers: [{ domains, on_match }],
      }),
    },
  });

const manager = (virtualHost: Json): Json =>
  extension('manager', `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`, {
    stat_prefix: 'x',
    route_config: { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], ...virtualHost }] },
    http_filters: [extension('router', `${TYPE}filters.http.router.v3.Router`)],
  });
const listener = (more: Json): Json => ({
  name: 'l',
  address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
  ...more,
});
const to = (type: string, more: Json): Json => ({ action: extension('action', ANY + type, more) });
const PLUGIN = `${TYPE}router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier`;

interface Place {
  readonly listenerOf: (tree: Json) => Json;
  readonly onMatch: Json;
  /** Inputs that are combined with all matchers and trees. */
  readonly inputs: readonly string[];
}

const PLACES: Readonly<Record<string, Place>> = {
  'a virtual host': {
    listenerOf: (matcher) => listener({ filter_chains: [{ filters: [manager({ matcher })] }] }),
    onMatch: to('envoy.config.route.v3.Route', { match: { prefix: '/' }, direct_response: { status: 200 } }),
    inputs: ['RequestHeader'],
  },
  'a cluster': {
    listenerOf: (cluster_matcher) => {
      const plugin = { extension: extension('plugin', PLUGIN, { cluster_matcher }) };
      const route = { match: { prefix: '/' }, route: { inline_cluster_specifier_plugin: plugin } };
      return listener({ filter_chains: [{ filters: [manager({ routes: [route] })] }] });
    },
    onMatch: to('envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction', { cluster: 'c' }),
    inputs: ['RequestHeader', 'RequestQueryParam', 'Cel', 'DynamicMetadata', 'SourceIP'],
  },
  'a filter chain': {
    listenerOf: (filter_chain_matcher) =>
      listener({ filter_chain_matcher, filter_chains: [{ name: 'x', filters: [manager({ routes: [] })] }] }),
    onMatch: to('google.protobuf.StringValue', { value: 'x' }),
    inputs: ['SourceIP'],
  },
};

function* cases(): Iterable<readonly [name: string, place: Place, tree: Json]> {
  for (const [where, place] of Object.entries(PLACES)) {
    const { onMatch } = place;
    for (const input of INPUTS_OF) yield [`${where} by ${input.name}`, place, byText(input, onMatch)];
    for (const input of INPUTS_OF.filter(({ name }) => place.inputs.includes(String(name)))) {
      yield [`${where} by a map of ${input.name}`, place, byMap(input, onMatch)];
      yield [`${where} by ranges of ${input.name}`, place, byRange(input, onMatch)];
      yield [`${where} by domains of ${input.name}`, place, byDomain('*.a', 'b')(input, onMatch)];
      for (const custom of CUSTOM)
        yield [
          `${where} by ${input.name} and ${custom.name}`,
          place,
          predicate(input, { custom_match: custom }, onMatch),
        ];
    }
    for (const domains of [['a*.com'], ['*a.com'], ['a', 'a'], ['*.a.*'], ['*'], ['*.'], []])
      yield [
        `${where} by domains [${domains}]`,
        place,
        byDomain(...domains)(network('FilterState', { key: 'k' }), onMatch),
      ];
    const keep = { ...onMatch, keep_matching: true };
    yield [`${where}, keep_matching`, place, byText(network('FilterState', { key: 'k' }), keep)];
  }
}

/** What we say; undefined where the listener is taken. */
function ours(json: Json): string | undefined {
  try {
    compileListener(fromJson('envoy.config.listener.v3.Listener', json as never), routeContext(), '');
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.reason;
    throw error;
  }
}

describe('match trees: the same verdicts', {
  skip: ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN',
}, () => {
  for (const [name, place, tree] of cases()) {
    test(name, () => {
      const json = place.listenerOf(tree);
      const theirs = validate({ node: { id: 'n', cluster: 'c' }, static_resources: { listeners: [json] } });
      const said = ours(json);
      if (theirs === undefined) assert.equal(said, undefined);
      // Rules of the proto are told in words of our own.
      else if (/constraint validation failed/.test(theirs)) assert.notEqual(said, undefined);
      else assert.ok(said !== undefined && told(theirs, said), `${said}\n${theirs}`);
    });
  }
});

/** Envoy says more around it. */
function told(theirs: string, reason: string): boolean {
  // Of an input that may not be asked at all, Envoy may find another fault first.
  return (
    theirs.replace('INVALID_ARGUMENT: ', '').includes(reason) || reason.startsWith('requirement violation')
  );
}
