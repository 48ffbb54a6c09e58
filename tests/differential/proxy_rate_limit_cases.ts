// rate_limits of routes, virtual hosts and filters, and the local_ratelimit filter that goes by them. Buckets are so slow that
// nothing comes in while a test runs, but in the one that waits.

import {
  bucket,
  descriptor,
  filters,
  generic,
  header,
  limit,
  withA,
} from './proxy_rate_limit_action_cases.ts';
import type { Scenario } from './proxy_scenario.ts';
import { get } from './raw_requests.ts';

type Json = Readonly<Record<string, unknown>>;

const NEVER = { default_value: { numerator: 0 } };
const get3 = [get('/'), get('/'), get('/')];

const skipped = (more: Json): Json => ({
  actions: [header('x-a', 'a', more), { generic_key: { descriptor_value: 'v' } }],
});

export const RATE_LIMIT_CASES: readonly Scenario[] = [
  {
    name: 'local_ratelimit: a bucket, its status and its headers',
    filters: filters({
      token_bucket: bucket(2),
      response_headers_to_add: [
        { header: { key: 'x-limited', value: '%RESPONSE_CODE% %REQ(x-a)%' } },
        { header: { key: 'x-other', value: 'v' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    }),
    connections: [withA('1', '2', '3', '4')],
  },
  {
    name: 'local_ratelimit: another status, without x-ratelimit headers',
    filters: filters({
      token_bucket: bucket(1),
      status: { code: 'ServiceUnavailable' },
      enable_x_ratelimit_headers: 'OFF',
    }),
    connections: [get3],
  },
  {
    name: 'local_ratelimit: a status that is no error',
    filters: filters({ token_bucket: bucket(1), status: { code: 'OK' } }),
    connections: [get3],
  },
  {
    name: 'local_ratelimit: tokens come back',
    filters: filters({ token_bucket: bucket(1, '0.2s') }),
    connections: [[get('/'), get('/'), { await: 0, after: 500 }, get('/')]],
  },
  {
    name: 'local_ratelimit: without a bucket',
    filters: filters({ token_bucket: undefined }),
    connections: [get3],
  },
  {
    name: 'local_ratelimit: neither enabled nor enforced',
    filters: filters({ token_bucket: bucket(1), filter_enabled: undefined, filter_enforced: undefined }),
    connections: [get3],
  },
  {
    name: 'local_ratelimit: enabled for none',
    filters: filters({ token_bucket: bucket(1), filter_enabled: NEVER }),
    connections: [get3],
  },
  {
    name: 'local_ratelimit: not enforced',
    filters: filters({
      token_bucket: bucket(1),
      filter_enforced: NEVER,
      request_headers_to_add_when_not_enforced: [{ header: { key: 'x-limited', value: 'yes %REQ(x-a)%' } }],
    }),
    connections: [withA('1', '2', '3')],
  },
  {
    name: 'local_ratelimit: gRPC',
    filters: filters({ token_bucket: bucket(1) }),
    connections: [[get('/'), get('/', 'content-type: application/grpc'), get('/')]],
  },
  {
    name: 'local_ratelimit: gRPC, rate_limited_as_resource_exhausted',
    filters: filters({ token_bucket: bucket(1), rate_limited_as_resource_exhausted: true }),
    connections: [[get('/'), get('/', 'content-type: application/grpc'), get('/')]],
  },
  {
    name: 'local_ratelimit: per connection',
    filters: filters({ token_bucket: bucket(1), local_rate_limit_per_downstream_connection: true }),
    connections: [get3, get3],
  },
  {
    name: 'local_ratelimit: the default bucket beside descriptors',
    filters: filters({ token_bucket: bucket(3), descriptors: [descriptor({ a: '1' }, 5)] }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a')] }] },
    connections: [withA('1', '1', '1', '1', '2')],
  },
  {
    name: 'local_ratelimit: always_consume_default_token_bucket false',
    filters: filters({
      token_bucket: bucket(1),
      descriptors: [descriptor({ a: '1' }, 3)],
      always_consume_default_token_bucket: false,
    }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a')] }] },
    connections: [withA('1', '1', '1', '1', '2', '2')],
  },
  {
    name: 'local_ratelimit: the slowest of several descriptors first',
    filters: filters({
      descriptors: [
        { ...descriptor({ generic_key: 'fast' }, 4), token_bucket: bucket(4, '1000s', 50) },
        descriptor({ generic_key: 'slow' }, 2),
      ],
    }),
    virtualHost: { rate_limits: [generic('fast'), generic('slow')] },
    connections: [[...get3, ...get3]],
  },
  {
    name: 'local_ratelimit: descriptors of several entries',
    filters: filters({ descriptors: [descriptor({ a: '1', b: '2' }), descriptor({ a: '1' }, 2)] }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a'), header('x-b', 'b')] }] },
    connections: [
      [
        get('/', 'x-a: 1', 'x-b: 2'),
        get('/', 'x-a: 1', 'x-b: 2'),
        get('/', 'x-a: 1'),
        get('/', 'x-a: 1', 'x-b: 3'),
      ],
    ],
  },
  {
    name: 'local_ratelimit: actions that are skipped',
    filters: filters({
      descriptors: [descriptor({ generic_key: 'v' }), descriptor({ a: '1', generic_key: 'v' })],
    }),
    virtualHost: { rate_limits: [skipped({ skip_if_absent: true })] },
    connections: [[get('/'), get('/'), ...withA('1', '1')]],
  },
  {
    name: 'local_ratelimit: actions that are not skipped',
    filters: filters({ descriptors: [descriptor({ generic_key: 'v' })] }),
    virtualHost: { rate_limits: [skipped({})] },
    connections: [get3],
  },
  {
    name: 'local_ratelimit: descriptors with wildcards',
    filters: filters({ descriptors: [descriptor({ a: '' }, 2)], max_dynamic_descriptors: 2 }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a')] }] },
    connections: [withA('1', '1', '1', '2', '1', '2', '2', '3', '1', '2', '3', '1', '1', '1')],
  },
  {
    name: 'local_ratelimit: a descriptor of its own before the wildcard',
    filters: filters({ descriptors: [descriptor({ a: '' }, 2), descriptor({ a: '1' }, 1)] }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a')] }] },
    connections: [withA('1', '1', '2', '2', '2')],
  },
  {
    name: 'local_ratelimit: shadow_mode of a descriptor',
    filters: filters({
      token_bucket: bucket(5),
      descriptors: [descriptor({ a: '1' }, 1, { shadow_mode: true }), descriptor({ a: '2' }, 1)],
    }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a')] }] },
    connections: [withA('1', '1', '1', '2', '2', '3', '3', '3', '3')],
  },
  {
    name: 'local_ratelimit: shadow_mode and what refuses behind it',
    filters: filters({
      token_bucket: bucket(3),
      descriptors: [
        descriptor({ a: '1' }, 1, { shadow_mode: true }),
        { ...descriptor({ generic_key: 'faster' }), token_bucket: bucket(2, '100s') },
      ],
    }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a')] }, generic('faster')] },
    connections: [withA('1', '1', '1', '1', '1')],
  },
  {
    name: 'local_ratelimit: shadow_mode before a default bucket that refuses',
    filters: filters({
      token_bucket: bucket(2),
      descriptors: [descriptor({ a: '1' }, 1, { shadow_mode: true })],
    }),
    virtualHost: { rate_limits: [{ actions: [header('x-a', 'a')] }] },
    connections: [withA('1', '1', '1', '1')],
  },
  {
    name: 'local_ratelimit: hits_addend by number',
    filters: filters({
      descriptors: [descriptor({ generic_key: 'v' }, 7)],
      rate_limits: [generic('v', { hits_addend: { number: 3 } })],
    }),
    connections: [get3],
  },
  {
    name: 'local_ratelimit: hits_addend of 0',
    filters: filters({
      descriptors: [descriptor({ generic_key: 'v' }, 1)],
      rate_limits: [generic('v', { hits_addend: { number: 0 } })],
    }),
    connections: [get3],
  },
  {
    name: 'local_ratelimit: hits_addend of a virtual host',
    filters: filters({
      descriptors: [descriptor({ generic_key: 'v' }, 4), descriptor({ generic_key: 'w' }, 4)],
    }),
    virtualHost: {
      rate_limits: [
        generic('v', { hits_addend: { number: 3 } }),
        generic('w', { hits_addend: { format: '%REQ(x-a)%' } }),
      ],
    },
    connections: [[...withA('x', '1', '2'), get('/')]],
  },
  {
    name: 'local_ratelimit: hits_addend by a format',
    filters: filters({
      descriptors: [descriptor({ generic_key: 'v' }, 7)],
      rate_limits: [generic('v', { hits_addend: { format: '%REQ(x-a)%' } })],
    }),
    connections: [[...withA('3', 'x', '5', '-1', '1000000001', '1.5', '4'), get('/')]],
  },
  {
    name: 'local_ratelimit: hits_addend that gives back',
    filters: filters({
      descriptors: [descriptor({ a: '' }, 2)],
      rate_limits: [
        { actions: [header('x-a', 'a')] },
        { actions: [header('x-b', 'a')], hits_addend: { format: '%REQ(x-c)%', is_negative_hits: true } },
        { actions: [header('x-d', 'a')], hits_addend: { number: 1, is_negative_hits: true } },
      ],
    }),
    connections: [
      [
        ...withA('1', '1', '1'),
        get('/', 'x-b: 1', 'x-c: 5'),
        ...withA('1', '1', '1'),
        get('/', 'x-d: 1'),
        ...withA('1', '1'),
      ],
    ],
  },
  {
    name: 'local_ratelimit: x_ratelimit_option of descriptors',
    filters: filters({ descriptors: [descriptor({ generic_key: 'on' }), descriptor({ a: '1' })] }),
    virtualHost: {
      rate_limits: [{ actions: [header('x-a', 'a')], x_ratelimit_option: 'OFF' }, generic('on')],
    },
    connections: [[...withA('1', '1'), get('/')]],
  },
  {
    name: 'local_ratelimit: x_ratelimit_option where the filter has none',
    filters: filters({
      enable_x_ratelimit_headers: 'OFF',
      descriptors: [descriptor({ generic_key: 'on' })],
    }),
    virtualHost: { rate_limits: [generic('on', { x_ratelimit_option: 'DRAFT_VERSION_03' })] },
    connections: [get3],
  },
  {
    name: 'local_ratelimit: stages, disable_key and apply_on_stream_done',
    filters: filters({
      stage: 1,
      descriptors: ['zero', 'one', 'off', 'done'].map((value) => descriptor({ generic_key: value })),
    }),
    virtualHost: {
      rate_limits: [
        generic('zero'),
        generic('one', { stage: 1 }),
        generic('off', { stage: 1, disable_key: 'x' }),
        generic('done', { stage: 1, apply_on_stream_done: true }),
      ],
    },
    connections: [get3],
  },
  ...(['OVERRIDE', 'INCLUDE', 'IGNORE'] as const).flatMap((vh_rate_limits) =>
    [true, false].flatMap((ofRoute) =>
      [true, false].map(
        (include_vh_rate_limits): Scenario => ({
          name: `local_ratelimit: ${vh_rate_limits}, route ${ofRoute}, include_vh_rate_limits ${include_vh_rate_limits}`,
          filters: filters({
            vh_rate_limits,
            descriptors: [descriptor({ generic_key: 'vh' }), descriptor({ generic_key: 'route' }, 2)],
          }),
          virtualHost: { rate_limits: [generic('vh')] },
          action: { include_vh_rate_limits, ...(ofRoute && { rate_limits: [generic('route')] }) },
          connections: [get3],
        }),
      ),
    ),
  ),
  {
    name: 'local_ratelimit: rate_limits of the filter in place of those of routes',
    filters: filters({
      rate_limits: [{ actions: [header('x-a', 'a')] }],
      descriptors: [descriptor({ a: '1' }), descriptor({ generic_key: 'vh' })],
    }),
    virtualHost: { rate_limits: [generic('vh')] },
    connections: [withA('1', '1', '2', '2')],
  },
  {
    name: 'local_ratelimit: of the route and of the virtual host',
    filters: filters({ token_bucket: bucket(3) }),
    virtualHost: {
      typed_per_filter_config: {
        limit: limit({ token_bucket: bucket(2), stat_prefix: '$C.vh', status: { code: 'BadGateway' } }),
      },
      routes: [
        {
          match: { prefix: '/route' },
          route: { cluster: '$C' },
          typed_per_filter_config: { limit: limit({ token_bucket: bucket(1), stat_prefix: '$C.route' }) },
        },
        { match: { prefix: '/direct' }, direct_response: { status: 200 } },
        {
          match: { prefix: '/off' },
          route: { cluster: '$C' },
          typed_per_filter_config: {
            limit: { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', disabled: true },
          },
        },
        { match: { prefix: '/' }, route: { cluster: '$C' } },
      ],
    },
    connections: [
      ['/route', '/route', '/', '/', '/', '/direct', '/off', '/route', '/off'].map((path) => get(path)),
    ],
  },
  {
    name: 'local_ratelimit: twice in a chain',
    filters: [
      { name: 'first', typed_config: limit({ token_bucket: bucket(3), stat_prefix: '$C.first' }) },
      { name: 'second', typed_config: limit({ token_bucket: bucket(2), stat_prefix: '$C.second' }) },
    ],
    connections: [[...get3, ...get3]],
  },
  {
    name: 'local_ratelimit: no route',
    filters: filters({ token_bucket: bucket(1), descriptors: [descriptor({ generic_key: 'v' })] }),
    virtualHost: { domains: ['elsewhere'], rate_limits: [generic('v')] },
    connections: [get3],
  },
];
