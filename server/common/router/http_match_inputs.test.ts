import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { request, routeContext, streamInfo } from '../../../tests/fakes/routes.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { compileMatchTree, type MatchTree } from '../matcher/match_tree.ts';
import type { StreamInfoRecord } from '../stream_info/stream_info.ts';
import { compileHttpMatchInput, type HttpMatchingData } from './http_match_inputs.ts';

type Json = Readonly<Record<string, unknown>>;

const ANY = 'type.googleapis.com/';
const INPUTS = `${ANY}envoy.extensions.matching.common_inputs.`;
const extension = (type: string, more: Json = {}): Json => ({
  name: type,
  typed_config: { '@type': type, ...more },
});
const to = (name: string, more: Json = {}): Json => ({
  action: { name, typed_config: { '@type': `${ANY}google.protobuf.Empty` } },
  ...more,
});
const list = (...matchers: readonly Json[]): Json => ({ matcher_list: { matchers } });
const when = (input: Json, more: Json, on_match: Json): Json => ({
  predicate: { single_predicate: { input, ...more } },
  on_match,
});
const map = (input: Json, values: Json): Json => ({
  matcher_tree: { input, exact_match_map: { map: values } },
});
const header = (header_name: string): Json =>
  extension(`${ANY}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`, { header_name });

function compile(tree: Json): MatchTree<HttpMatchingData, string> {
  return compileMatchTree<HttpMatchingData, string>(
    fromJson('xds.type.matcher.v3.Matcher', tree as never),
    { input: compileHttpMatchInput, action: ({ name }) => name, context: routeContext() },
    '',
  );
}

/** What is chosen; explain says so, too. */
function chosen(tree: Json, path = '/', headers: string[] = [], info: StreamInfo = streamInfo()): string {
  const compiled = compile(tree);
  const data = { headers: request(path, headers), info };
  const action = compiled.match(data);
  assert.equal(compiled.explain(data).matched, action !== undefined);
  return action ?? 'none';
}

describe('what match trees of routes ask', () => {
  const connection: readonly (readonly [string, string])[] = [
    ['network.v3.SourceIPInput', '10.9.9.9'],
    ['network.v3.SourcePortInput', '1'],
    ['network.v3.DirectSourceIPInput', '10.1.2.3'],
    ['network.v3.DestinationIPInput', '127.0.0.1'],
    ['network.v3.DestinationPortInput', '80'],
    ['network.v3.ServerNameInput', 'a.example.com'],
    ['ssl.v3.UriSanInput', 'spiffe://a,spiffe://b'],
    ['ssl.v3.DnsSanInput', 'a.example.com'],
    ['ssl.v3.SubjectInput', 'CN=a'],
  ];
  for (const [name, value] of connection) {
    test(name, () => {
      const info = streamInfo() as StreamInfoRecord;
      info.remoteAddress = { ip: '10.9.9.9', port: 1, text: '10.9.9.9:1' };
      info.connection.requestedServerName = 'a.example.com';
      const uriSanPeer = ['spiffe://a', 'spiffe://b'];
      info.connection.ssl = { uriSanPeer, dnsSanPeer: ['a.example.com'], subjectPeer: 'CN=a' } as never;
      assert.equal(chosen(map(extension(INPUTS + name), { [value]: to('it') }), '/', [], info), 'it');
      assert.equal(chosen(map(extension(INPUTS + name), { [`${value}x`]: to('it') }), '/', [], info), 'none');
    });
  }

  test('the type of a source that is not local, and certificates without TLS, are no values', () => {
    const regex = { value_match: { safe_regex: { regex: '.*', google_re2: {} } } };
    for (const name of [
      'network.v3.SourceTypeInput',
      'ssl.v3.UriSanInput',
      'network.v3.NetworkNamespaceInput',
    ])
      assert.equal(chosen(list(when(extension(INPUTS + name), regex, to('it')))), 'none');
  });

  test('the first value of a query parameter, decoded', () => {
    const query = extension(`${ANY}envoy.type.matcher.v3.HttpRequestQueryParamMatchInput`, {
      query_param: 'q',
    });
    const tree = map(query, { 'a b': to('text'), '': to('empty'), é: to('letter') });
    for (const [path, expected] of [
      ['/?q=a%20b', 'text'],
      ['/?q=x&q=a%20b', 'none'],
      ['/?p&q', 'empty'],
      ['/?q=%C3%A9', 'letter'],
      ['/', 'none'],
    ] as const)
      assert.equal(chosen(tree, path), expected, path);
  });

  test('the environment, as it is when the tree is compiled', () => {
    process.env.MATCH_TREE_TEST = 'here';
    const name = `${INPUTS}environment_variable.v3.Config`;
    assert.equal(chosen(map(extension(name, { name: 'MATCH_TREE_TEST' }), { here: to('it') })), 'it');
    assert.equal(chosen(map(extension(name, { name: 'MATCH_TREE_NONE' }), { '': to('it') })), 'none');
  });

  test('dynamic metadata, by matchers of metadata alone', () => {
    const input = extension(`${INPUTS}network.v3.DynamicMetadataInput`, {
      filter: 'f',
      path: [{ key: 'a' }, { key: 'b' }],
    });
    const metadata = (value: Json, more: Json = {}): Json => ({
      custom_match: extension(`${ANY}envoy.extensions.matching.input_matchers.metadata.v3.Metadata`, {
        value,
        ...more,
      }),
    });
    const info = streamInfo();
    info.dynamicMetadata = new Map([['f', { a: { b: 'text' } }]]);
    const text = { string_match: { exact: 'text' } };
    assert.equal(chosen(list(when(input, metadata(text), to('it'))), '/', [], info), 'it');
    assert.equal(
      chosen(list(when(input, metadata(text, { invert: true }), to('it'))), '/', [], info),
      'none',
    );
    assert.equal(chosen(list(when(input, metadata(text, { invert: true }), to('it')))), 'it');
    assert.equal(
      chosen(list(when(input, { value_match: { exact: 'text' } }, to('it'))), '/', [], info),
      'none',
    );
    assert.equal(chosen(list(when(header('a'), metadata(text), to('it'))), '/', ['a', 'text'], info), 'none');
  });

  test('CEL', () => {
    const attributes = extension(`${ANY}xds.type.matcher.v3.HttpAttributesCelMatchInput`);
    const select = (name: string, field: string): Json => ({
      select_expr: { operand: { ident_expr: { name } }, field },
    });
    const equals = (left: Json, string_value: string): Json => ({
      call_expr: { function: '_==_', args: [left, { const_expr: { string_value } }] },
    });
    const cel = (as: string, expr: Json): Json => ({
      custom_match: extension(`${ANY}xds.type.matcher.v3.CelMatcher`, { expr_match: { [as]: { expr } } }),
    });
    for (const as of ['parsed_expr', 'checked_expr', 'cel_expr_parsed', 'cel_expr_checked']) {
      const tree = list(when(attributes, cel(as, equals(select('request', 'path'), '/a')), to('it')));
      assert.deepEqual([chosen(tree, '/a'), chosen(tree, '/b')], ['it', 'none']);
    }
    // What has not come yet is an error, which is no match.
    const later = list(
      when(attributes, cel('parsed_expr', equals(select('response', 'code'), '200')), to('it')),
    );
    assert.equal(chosen(later), 'none');
  });

  test('what keeps matching is passed over, with what is in it', () => {
    const one = { value_match: { prefix: '1' } };
    const keep = { keep_matching: true };
    const tree = {
      ...list(
        when(header('a'), one, to('first', keep)),
        when(header('a'), one, { matcher: { on_no_match: to('second') }, ...keep }),
        when(header('b'), one, to('third')),
      ),
      on_no_match: to('last'),
    };
    assert.equal(chosen(tree, '/', ['a', '1', 'b', '1']), 'third');
    assert.equal(chosen(tree, '/', ['a', '1']), 'last');
    assert.equal(chosen({ on_no_match: to('last', keep) }), 'none');
  });
});
