// Route configurations that Envoy refuses are refused here, and in Envoy's words where it has some; what it takes is taken.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../server/api/config_error.ts';
import { compileJson, withRoutes } from '../fakes/routes.ts';
import { ENVOY_BIN, validate } from './envoy_process.ts';

const MATCH = { prefix: '/' };
const ROUTE = { match: MATCH, route: { cluster: 'one' } };
const adds = (header: object, more: object = {}): object =>
  withRoutes([{ ...ROUTE, request_headers_to_add: [{ header, ...more }] }]);
const action = (more: object): object => withRoutes([{ match: MATCH, route: { cluster: 'one', ...more } }]);
const weights = (clusters: readonly object[]): object =>
  withRoutes([{ match: MATCH, route: { weighted_clusters: { clusters } } }]);
const template = (path_template: string, path_template_rewrite?: string): object =>
  withRoutes([
    {
      match: {
        path_match_policy: {
          name: 'envoy.path.match.uri_template.uri_template_matcher',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
            path_template,
          },
        },
      },
      route: {
        cluster: 'one',
        path_rewrite_policy: path_template_rewrite && {
          name: 'envoy.path.rewrite.uri_template.uri_template_rewriter',
          typed_config: {
            '@type':
              'type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig',
            path_template_rewrite,
          },
        },
      },
    },
  ]);

/** Name, configuration, and whether Envoy's words are checked too (they are not where the engine's own words follow). */
const REFUSED: readonly [string, object, boolean][] = [
  ['a domain twice', { virtual_hosts: [{ name: 'a', domains: ['a', 'A'], routes: [ROUTE] }] }, true],
  ['two wildcards', { virtual_hosts: [{ name: 'a', domains: ['*', '*'], routes: [ROUTE] }] }, true],
  ['a bad regex', withRoutes([{ ...ROUTE, match: { safe_regex: { regex: '(a' } } }]), false],
  ['a lookahead', withRoutes([{ ...ROUTE, match: { safe_regex: { regex: 'a(?=b)' } } }]), false],
  ['adding :path', adds({ key: ':path', value: 'x' }), true],
  ['adding host', adds({ key: 'Host', value: 'x' }), true],
  [
    'append and append_action',
    adds({ key: 'x', value: 'x' }, { append: true, append_action: 'ADD_IF_ABSENT' }),
    true,
  ],
  ['removing host', withRoutes([{ ...ROUTE, request_headers_to_remove: ['host'] }]), true],
  [
    'two rewrites',
    action({ prefix_rewrite: '/a', regex_rewrite: { pattern: { regex: 'a' }, substitution: 'b' } }),
    true,
  ],
  ['a duplicate upgrade', action({ upgrade_configs: [{ upgrade_type: 'a' }, { upgrade_type: 'A' }] }), true],
  ['a mirror of nothing', action({ request_mirror_policies: [{}] }), true],
  ['a mirror of two', action({ request_mirror_policies: [{ cluster: 'one', cluster_header: 'x' }] }), true],
  [
    'a back-off upside down',
    action({ retry_policy: { retry_back_off: { base_interval: '2s', max_interval: '1s' } } }),
    true,
  ],
  ['weights of zero', weights([{ name: 'one', weight: 0 }]), true],
  ['a weighted cluster without a name', weights([{ weight: 1 }]), true],
  ['a weighted cluster with two names', weights([{ name: 'one', cluster_header: 'x', weight: 1 }]), true],
  ['virtual clusters without headers', withRoutes([ROUTE], { virtual_clusters: [{ name: 'x' }] }), true],
  [
    'a large body',
    withRoutes([
      { match: MATCH, direct_response: { status: 200, body: { inline_string: 'x'.repeat(5000) } } },
    ]),
    true,
  ],
  [
    'a rewrite template without a match template',
    action({
      path_rewrite_policy: (template('/{a}', '/{a}') as never)['virtual_hosts'][0]['routes'][0]['route'][
        'path_rewrite_policy'
      ],
    }),
    false,
  ],
  ['an unknown variable', template('/{a}', '/{b}'), false],
  ['a repeated variable', template('/{a}/{a}'), true],
  ['a glob after **', template('/**/*'), true],
  ['six variables', template('/{a}/{b}/{c}/{d}/{e}/{f}'), true],
  ['a long variable', template(`/{${'a'.repeat(17)}}`), true],
  ['a bad literal', template('/a|b'), true],
  [
    'prefix_rewrite with a template',
    {
      ...template('/{a}'),
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            {
              ...((template('/{a}') as never)['virtual_hosts'][0]['routes'][0] as object),
              route: { cluster: 'one', prefix_rewrite: '/' },
            },
          ],
        },
      ],
    },
    true,
  ],
  [
    'matcher and routes',
    withRoutes([ROUTE], {
      matcher: {
        on_no_match: {
          action: {
            name: 'r',
            typed_config: { '@type': 'type.googleapis.com/envoy.config.route.v3.Route', ...ROUTE },
          },
        },
      },
    }),
    true,
  ],
  [
    'an unknown filter',
    withRoutes([
      { ...ROUTE, typed_per_filter_config: { x: { '@type': 'type.googleapis.com/google.protobuf.Struct' } } },
    ]),
    true,
  ],
  [
    'an empty FilterConfig',
    withRoutes([
      {
        ...ROUTE,
        typed_per_filter_config: { x: { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig' } },
      },
    ]),
    true,
  ],
];

const TAKEN: readonly [string, object][] = [
  [
    'an optional unknown filter',
    withRoutes([
      {
        ...ROUTE,
        typed_per_filter_config: {
          x: {
            '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig',
            is_optional: true,
            config: { '@type': 'type.googleapis.com/google.protobuf.Struct' },
          },
        },
      },
    ]),
  ],
  [
    'a disabled filter',
    withRoutes([
      {
        ...ROUTE,
        typed_per_filter_config: {
          x: { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', disabled: true },
        },
      },
    ]),
  ],
  ['an unknown retry condition', action({ retry_policy: { retry_on: '5xx,whatever' } })],
  ['a template with all forms', template('/a/{b}/{c=d/*}/*/{e=**}', '/{e}/{c}')],
  [
    'a substitution beyond the groups',
    action({ regex_rewrite: { pattern: { regex: 'a' }, substitution: '\\1' } }),
  ],
  [
    'a substitution with a bad escape',
    action({ regex_rewrite: { pattern: { regex: 'a' }, substitution: '\\q' } }),
  ],
  ['touching rewrite variables', template('/{a}/{b}', '/{a}{b}')],
  ['a template with a star in a literal', template('/a*/b=c')],
  ['a non-forwarding action', withRoutes([{ match: MATCH, non_forwarding_action: {} }])],
];

function bootstrapWith(route_config: object): object {
  const router = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' };
  const typed_config = {
    '@type':
      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'x',
    route_config,
    http_filters: [{ name: 'router', typed_config: router }],
  };
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  const listeners = [{ name: 'l', address, filter_chains: [{ filters: [{ name: 'hcm', typed_config }] }] }];
  return { static_resources: { listeners, clusters: [{ name: 'one', type: 'STATIC' }] } };
}

describe('verdicts on routes, against Envoy', {
  skip: ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN',
}, () => {
  for (const [name, config, sameWords] of REFUSED) {
    test(`${name} is refused`, () => {
      const theirs = validate(bootstrapWith(config));
      assert.ok(theirs !== undefined, 'Envoy takes it');
      assert.throws(
        () => compileJson(config),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError, String(error));
          if (sameWords) assert.ok(theirs.includes(error.reason), `${error.message}\n${theirs}`);
          return true;
        },
      );
    });
  }
  for (const [name, config] of TAKEN) {
    test(`${name} is taken`, () => {
      assert.equal(validate(bootstrapWith(config)), undefined);
      compileJson(config);
    });
  }
});
