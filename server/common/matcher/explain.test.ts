// Every matcher's `match()` and its cold twin `explain()` give the same answer, whatever is configured and asked.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { encodeAny } from '../../../xds-protos/load.ts';
import type { ExplainNode } from '../../api/router.ts';
import { RequestHeaders } from '../http/header_map.ts';
import { ipAddress } from '../network/address.ts';
import { StringAccessor } from '../stream_info/filter_state.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../stream_info/stream_info.ts';
import { compileCookieMatcher } from './cookie_matcher.ts';
import { compileFilterStateMatcher } from './filter_state_matcher.ts';
import { compileHeaderMatcher } from './header_matcher.ts';
import { compileMatchTree } from './match_tree.ts';
import { PathKind, PathMatcher } from './path_matcher.ts';
import { compileQueryParameterMatcher } from './query_parameter_matcher.ts';
import { compileRegex } from './regex.ts';
import { compileStringMatcher } from './string_matcher.ts';
import { compileMetadataMatcher } from './value_matcher.ts';

const RUNS = { numRuns: 500 };
/** Where the classes that can explain themselves are held to it. */
const TESTED: Readonly<Record<string, string>> = {
  StringMatcher: 'here',
  HeaderMatcher: 'here',
  QueryParameterMatcher: 'here',
  CookieMatcher: 'here',
  PathMatcher: 'here',
  MetadataMatcher: 'here',
  FilterStateMatcher: 'here',
  InputPredicate: 'here, in match trees',
  EveryPredicate: 'here, in match trees',
  SomePredicate: 'here, in match trees',
  NotPredicate: 'here, in match trees',
  OnMatch: 'here, in match trees',
  ListTree: 'here',
  MapTree: 'here',
  IpMatchTree: 'here',
  DomainMatchTree: 'here',
  RouteMatch: 'router/explain_routes.test.ts',
  RouteList: 'router/explain_routes.test.ts',
  VirtualHost: 'router/explain_routes.test.ts',
  CompiledRouteConfig: 'router/explain_routes.test.ts',
  ScopedRouteConfig: 'router/explain_routes.test.ts',
  TreeMatcher: 'network/filter_chain_match.test.ts',
  TreeFilterChainMatcher: 'network/explain_filter_chains.test.ts',
  Condition: 'rbac/engine.test.ts',
  AndMatcher: 'rbac/engine.test.ts',
  OrMatcher: 'rbac/engine.test.ts',
  NotMatcher: 'rbac/engine.test.ts',
  PolicyEngine: 'rbac/engine.test.ts',
  CelCondition: 'rbac/engine.test.ts',
  MatchTreeEngine: 'rbac/match_tree_engine.test.ts',
  RbacFilterConfig: 'extensions/filters/http/rbac/rbac_filter.test.ts',
  Shares: 'load_balancing/explain_hosts.test.ts',
};

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'A', '-', '1'), maxLength: 4 });
const stringMatch = fc.oneof(
  fc.record({ exact: letters, ignore_case: fc.boolean() }),
  fc.record({ prefix: letters.filter((text) => text !== ''), ignore_case: fc.boolean() }),
  fc.record({ suffix: letters.filter((text) => text !== ''), ignore_case: fc.boolean() }),
  fc.record({ contains: letters.filter((text) => text !== ''), ignore_case: fc.boolean() }),
  fc.constantFrom('a+', '.*b', '[A-Z]1?', '').map((regex) => ({ safe_regex: { regex: regex || 'a|b' } })),
);

function agree(matched: boolean, node: ExplainNode): void {
  assert.equal(node.matched, matched, JSON.stringify(node));
  assert.notEqual(node.what, '');
  assert.notEqual(node.reason, '');
}

function streamInfo(): StreamInfoRecord {
  const connection = new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', 2), 'l');
  return new StreamInfoRecord(connection, 0, 0);
}

describe('match and explain agree', () => {
  test('of texts', () => {
    fc.assert(
      fc.property(stringMatch, letters, (config, text) => {
        const matcher = compileStringMatcher(fromJson('envoy.type.matcher.v3.StringMatcher', config), '');
        agree(matcher.match(text), matcher.explain(text, 'it'));
      }),
      RUNS,
    );
  });

  test('of headers', () => {
    const matcher = fc.oneof(
      fc.record({
        string_match: stringMatch,
        invert_match: fc.boolean(),
        treat_missing_header_as_empty: fc.boolean(),
      }),
      fc.record({
        present_match: fc.boolean(),
        invert_match: fc.boolean(),
        treat_missing_header_as_empty: fc.boolean(),
      }),
      fc.record({
        range_match: fc.constantFrom({ start: 0, end: 2 }, { start: -5, end: 1 }),
        invert_match: fc.boolean(),
      }),
      fc.record({ exact_match: letters, invert_match: fc.boolean() }),
      fc.record({ prefix_match: letters.filter((text) => text !== '') }),
      fc.constant({}),
    );
    fc.assert(
      fc.property(
        matcher,
        fc.array(fc.tuple(fc.constantFrom('x', 'y'), letters), { maxLength: 3 }),
        (config, list) => {
          const compiled = compileHeaderMatcher(
            fromJson('envoy.config.route.v3.HeaderMatcher', { name: 'x', ...config }),
            '',
          );
          const headers = new RequestHeaders('GET', '/', 'h', 'http', list.flat());
          agree(compiled.match(headers), compiled.explain(headers));
        },
      ),
      RUNS,
    );
  });

  test('of query parameters', () => {
    const matcher = fc.oneof(
      fc.record({ string_match: stringMatch }),
      fc.record({ present_match: fc.boolean() }),
      fc.constant({}),
    );
    const query = fc.array(
      fc
        .tuple(fc.constantFrom('q', 'r', 'qq'), fc.constantFrom('', '=', '=a', '=b1'))
        .map((parts) => parts.join('')),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(matcher, query, (config, parameters) => {
        const compiled = compileQueryParameterMatcher(
          fromJson('envoy.config.route.v3.QueryParameterMatcher', { name: 'q', ...config }),
          '',
        );
        const target = `/p?${parameters.join('&')}`;
        agree(compiled.match(target), compiled.explain(target));
      }),
      RUNS,
    );
  });

  test('of cookies', () => {
    fc.assert(
      fc.property(
        stringMatch,
        fc.boolean(),
        fc.array(fc.constantFrom('k=a', 'k=b1', 'j=a', 'k='), { maxLength: 3 }),
        (text, invert_match, cookies) => {
          const compiled = compileCookieMatcher(
            fromJson('envoy.config.route.v3.CookieMatcher', { name: 'k', string_match: text, invert_match }),
            '',
          );
          const headers = new RequestHeaders(
            'GET',
            '/',
            'h',
            'http',
            cookies.length === 0 ? [] : ['cookie', cookies.join('; ')],
          );
          agree(compiled.match(headers), compiled.explain(headers));
        },
      ),
      RUNS,
    );
  });

  test('of paths', () => {
    const target = fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/A', '/A/b', '*');
    const kind = fc.constantFrom(
      PathKind.Prefix,
      PathKind.Exact,
      PathKind.SeparatedPrefix,
      PathKind.Regex,
      PathKind.Connect,
      PathKind.Template,
    );
    fc.assert(
      fc.property(kind, target, fc.boolean(), target, (of, text, caseSensitive, asked) => {
        const regex = of === PathKind.Regex ? compileRegex({ regex: '/a.*|/A' }, '') : undefined;
        const template =
          of === PathKind.Template ? { template: text, match: (sent: string) => sent === text } : undefined;
        const matcher = new PathMatcher(of, text, caseSensitive, regex, template);
        agree(matcher.match(asked), matcher.explain(asked));
      }),
      RUNS,
    );
  });

  test('of metadata, with every kind of value', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.constant({ null_match: {} }),
        fc.constant({ double_match: { exact: 1 } }),
        fc.constant({ double_match: { range: { start: 0, end: 2 } } }),
        stringMatch.map((string_match) => ({ string_match })),
        fc.boolean().map((bool_match) => ({ bool_match })),
        fc.boolean().map((present_match) => ({ present_match })),
        tie('any').map((one_of) => ({ list_match: { one_of } })),
        fc
          .array(tie('any'), { minLength: 2, maxLength: 3 })
          .map((value_matchers) => ({ or_match: { value_matchers } })),
      ),
    }));
    const found = fc.oneof(
      fc.constantFrom<unknown>(null, 1, 3, true, 'a', 'b1', undefined),
      fc.array(fc.constantFrom<unknown>(1, 'a', false), { maxLength: 2 }),
    );
    fc.assert(
      fc.property(value.any, found, fc.boolean(), (config, held, invert) => {
        const json = { filter: 'ns', path: [{ key: 'k' }], value: config, invert };
        const compiled = compileMetadataMatcher(fromJson('envoy.type.matcher.v3.MetadataMatcher', json), '');
        const metadata = held === undefined ? undefined : new Map([['ns', { k: held }]]);
        agree(compiled.match(metadata), compiled.explain(metadata));
      }),
      RUNS,
    );
  });

  test('of filter state', () => {
    fc.assert(
      fc.property(stringMatch, fc.option(letters, { nil: undefined }), (text, held) => {
        const compiled = compileFilterStateMatcher(
          fromJson('envoy.type.matcher.v3.FilterStateMatcher', { key: 'k', string_match: text }),
          '',
        );
        const info = streamInfo();
        if (held !== undefined) info.filterState.set('k', new StringAccessor(held));
        agree(compiled.match(info), compiled.explain(info));
      }),
      RUNS,
    );
  });

  test('of match trees: lists of predicates, maps, ranges of addresses', () => {
    interface Data {
      readonly text: string | undefined;
      readonly ip: string | undefined;
    }
    const input = (name: string): object => ({
      name,
      typed_config: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: name },
    });
    const action = fc.constant({
      action: {
        name: 'act',
        typed_config: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'act' },
      },
    });
    const trees = fc.letrec((tie) => ({
      predicate: fc.oneof(
        { depthSize: 'small' },
        stringMatch
          .filter((each) => !('safe_regex' in each))
          .map((value_match) => ({ single_predicate: { input: input('text'), value_match } })),
        fc
          .array(tie('predicate'), { minLength: 2, maxLength: 3 })
          .map((predicate) => ({ or_matcher: { predicate } })),
        fc
          .array(tie('predicate'), { minLength: 2, maxLength: 3 })
          .map((predicate) => ({ and_matcher: { predicate } })),
        tie('predicate').map((not_matcher) => ({ not_matcher })),
      ),
      onMatch: fc.oneof(
        { depthSize: 'small' },
        { weight: 3, arbitrary: action },
        { weight: 1, arbitrary: tie('tree').map((matcher) => ({ matcher })) },
        { weight: 1, arbitrary: action.map((each) => ({ ...each, keep_matching: true })) },
      ),
      tree: fc
        .tuple(
          fc.oneof(
            fc
              .array(fc.tuple(tie('predicate'), tie('onMatch')), { minLength: 1, maxLength: 3 })
              .map((list) => ({
                matcher_list: { matchers: list.map(([predicate, on_match]) => ({ predicate, on_match })) },
              })),
            fc
              .tuple(
                fc.boolean(),
                fc.uniqueArray(
                  letters.filter((each) => each !== ''),
                  { minLength: 1, maxLength: 3 },
                ),
                tie('onMatch'),
              )
              .map(([exact, keys, on]) => ({
                matcher_tree: {
                  input: input('text'),
                  [exact ? 'exact_match_map' : 'prefix_match_map']: {
                    map: Object.fromEntries(keys.map((key) => [key, on])),
                  },
                },
              })),
            fc
              .array(fc.tuple(fc.constantFrom(0, 8, 24, 32), fc.boolean(), tie('onMatch')), {
                minLength: 1,
                maxLength: 3,
              })
              .map((list) => ({
                matcher_tree: {
                  input: input('ip'),
                  custom_match: {
                    name: 'ip',
                    typed_config: {
                      '@type': 'type.googleapis.com/xds.type.matcher.v3.IPMatcher',
                      range_matchers: list.map(([length, exclusive, on_match]) => ({
                        ranges: [{ address_prefix: '10.0.0.1', prefix_len: length }],
                        on_match,
                        exclusive,
                      })),
                    },
                  },
                },
              })),
            fc
              .uniqueArray(fc.constantFrom('0.0.1', '*.0.1', '*.1', '*', '10.0.0.1', '*.0.0.1'), {
                minLength: 1,
                maxLength: 4,
              })
              .chain((domains) =>
                fc.tuple(...domains.map((each) => fc.tuple(fc.constant(each), tie('onMatch')))),
              )
              .map((list) => ({
                matcher_tree: {
                  input: input('ip'),
                  custom_match: {
                    name: 'domain',
                    typed_config: {
                      '@type': 'type.googleapis.com/xds.type.matcher.v3.ServerNameMatcher',
                      domain_matchers: list.map(([domain, on_match]) => ({ domains: [domain], on_match })),
                    },
                  },
                },
              })),
          ),
          fc.option(tie('onMatch'), { nil: undefined }),
        )
        .map(([tree, on_no_match]) => ({ ...tree, ...(on_no_match !== undefined && { on_no_match }) })),
    }));
    const data = fc.record({
      text: fc.option(letters, { nil: undefined }),
      ip: fc.constantFrom(undefined, '10.0.0.1', '10.0.0.2', '10.9.9.9', '11.1.1.1', 'x'),
    });
    let matches = 0;
    fc.assert(
      fc.property(trees.tree, data, (config, asked) => {
        const compiled = compileMatchTree<Data, string>(
          fromJson('xds.type.matcher.v3.Matcher', config),
          {
            input: ({ name }) => ({ name, get: (each) => each[name as keyof Data] }),
            action: ({ name }) => name,
            context: fakeFactoryContext(),
          },
          '',
        );
        const matched = compiled.match(asked) !== undefined;
        if (matched) matches++;
        agree(matched, compiled.explain(asked));
      }),
      RUNS,
    );
    assert.ok(matches > 50, `${matches} matched`);
    assert.ok(encodeAny('google.protobuf.StringValue', { value: 'act' }).type_url.endsWith('StringValue'));
  });
});

test('every class that explains itself is held to its answer by a test', () => {
  const root = path.join(import.meta.dirname, '..', '..');
  const found = new Set<string>();
  for (const file of globSync('{common,extensions}/**/*.ts', { cwd: root })) {
    if (file.endsWith('.test.ts')) continue;
    const source = readFileSync(path.join(root, file), 'utf8');
    for (const [, name, body] of source.matchAll(
      /\nexport class (\w+)[^\n]*\{\n(.*?)\n\}\n|\nclass (\w+)/gs,
    )) {
      if (body !== undefined && /\n {2}explain\(/.test(body)) found.add(name as string);
    }
    for (const [, name, body] of source.matchAll(/\nclass (\w+)[^\n]*\{\n(.*?)\n\}\n/gs)) {
      if (/\n {2}explain\(/.test(body as string)) found.add(name as string);
    }
  }
  assert.deepEqual([...found].sort(), Object.keys(TESTED).sort());
});
