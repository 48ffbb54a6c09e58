// The index finds what a walk over all routes finds, on generated tables: mixed kinds of paths with common beginnings, in any case,
// with conditions on headers, in any order.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../../tests/differential/route_cases.ts';
import { request, routeContext, streamInfo } from '../../../tests/fakes/routes.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { RouteIndex } from './route_index.ts';
import { compileRouteMatch, type RouteMatch } from './route_match.ts';

const TABLES = 3000;
const REQUESTS_PER_TABLE = 12;
const SEGMENTS = ['a', 'ab', 'abc', 'A', 'Ab', 'b', 'x.y', 'a;p=1', '%C3%A9', '\u00c3\u00a9'];
const VALUES = ['', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'a'];
const REGEXES = [
  '/a.*',
  '/ab|/a/b',
  '/(a|b)/.*',
  '(?i)/ab.*',
  '/ab?c?',
  '/a{2}',
  '^/a/.*$',
  '.*',
  '/x\\.y',
  '\\Q/x.y\\E.*',
  '/[aA]b',
  '(/ab/.*)',
  '/ab(?i:c)',
  '/\u00e9.*',
  '',
];
const TEMPLATES = ['/a/{x}', '/{x}/b', '/ab/*', '/a/{x=**}', '/a/b', '/a*/b', '/ab/{x}.y', '/a;p=1/{x}'];

function pathOf(random: Random): string {
  const segments = random.some(SEGMENTS, 3);
  return `/${segments.join('/')}${random.chance(0.2) ? '/' : ''}`;
}

function matcherOf(random: Random): object {
  const match: Record<string, unknown> = {};
  const kind = random.next();
  if (kind < 0.25) match.path = pathOf(random);
  else if (kind < 0.5) match.prefix = random.chance(0.2) ? random.pick(['', '/']) : pathOf(random);
  else if (kind < 0.65) match.path_separated_prefix = pathOf(random).replace(/\/$|\?.*/, '') || '/a';
  else if (kind < 0.8) match.safe_regex = { regex: random.pick(REGEXES) };
  else if (kind < 0.95) {
    match.path_match_policy = {
      name: 'envoy.path.match.uri_template.uri_template_matcher',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
        path_template: random.pick(TEMPLATES),
      },
    };
  } else match.connect_matcher = {};
  if (random.chance(0.3)) match.case_sensitive = false;
  return match;
}

function headerOf(random: Random, value: string): object {
  return {
    name: random.pick(['x-one', 'X-One', 'x-two', ':method']),
    string_match: {
      [random.pick(['exact', 'exact', 'exact', 'prefix'])]: value,
      ignore_case: random.chance(0.1),
    },
    invert_match: random.chance(0.1),
    treat_missing_header_as_empty: random.chance(0.2),
  };
}

/** Sometimes nearly all routes of a table have one path, and differ in a header. */
function tableOf(random: Random): RouteMatch[] {
  const alike = random.chance(0.4) ? matcherOf(random) : undefined;
  const conditions = random.next();
  return Array.from({ length: 16 + Math.floor(random.next() * 80) }, () => {
    const match = alike !== undefined && random.chance(0.9) ? { ...alike } : matcherOf(random);
    const headers = random.chance(conditions) ? [headerOf(random, random.pick(VALUES))] : [];
    const json = fromJson('envoy.config.route.v3.RouteMatch', { ...match, headers });
    return compileRouteMatch(json, routeContext(), '');
  });
}

describe('the index of a long route list', () => {
  test(`finds what a walk finds, in ${TABLES} tables`, () => {
    let found = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed);
        const table = tableOf(random);
        const index = new RouteIndex(table);
        for (let i = 0; i < REQUESTS_PER_TABLE; i++) {
          const connect = random.chance(0.05);
          const whole = connect && random.chance(0.5) ? '' : pathOf(random);
          // As with ignore_path_parameters_in_path_matching: templates see what the others do not.
          const path = random.chance(0.3) ? whole.replace(/;[^/]*/g, '') : whole;
          const list = random
            .some(['x-one', 'x-one', 'x-two'], 3)
            .flatMap((name) => [name, random.pick(VALUES)]);
          const headers = request(whole, list, 'a', connect ? 'CONNECT' : random.pick(['1', 'GET']));
          const expected = table.findIndex((match) => match.match(path, headers, streamInfo(), i));
          const place = index.find(path, headers, streamInfo(), i);
          assert.equal(place, expected < 0 ? table.length : expected, `${whole} ${list.join(' ')}`);
          if (expected >= 0) found++;
        }
      }),
      { numRuns: TABLES },
    );
    assert.ok(found > TABLES, `${found} requests had a route`);
  });

  test('asks few of many routes', () => {
    let asked = 0;
    const header = (i: number): object => ({ name: 'x-tenant', string_match: { exact: `t${i}` } });
    const json = Array.from(
      { length: 9000 },
      (_, i) =>
        [
          { prefix: `/service${i}/` },
          { safe_regex: { regex: `/service${i}/\\d+` }, case_sensitive: false },
          { prefix: '/', headers: [header(i)] },
        ].at(i % 3)!,
    );
    const table = json.map((match) =>
      compileRouteMatch(fromJson('envoy.config.route.v3.RouteMatch', match), routeContext(), ''),
    );
    const index = new RouteIndex(table);
    for (const match of table) {
      const real = match.match.bind(match);
      match.match = (...args) => {
        asked++;
        return real(...args);
      };
    }
    const place = (path: string, ...headers: string[]): number =>
      index.find(path, request(path, headers), streamInfo(), 0);
    assert.equal(place('/service8997/x'), 8997);
    assert.equal(place('/service8995/7'), 8995);
    assert.equal(place('/other', 'x-tenant', 't8993'), 8993);
    assert.equal(place('/service3/x', 'x-tenant', 't2'), 2);
    assert.equal(place('/service3/x', 'x-tenant', 't5'), 3);
    assert.equal(place('/other'), table.length);
    assert.ok(asked < 20, `${asked} were asked`);
  });
});
