// What access logs and header mutations can say of a request beyond its headers: filter state, metadata, points in time.

import { accessLog, type Scenario, TYPE } from './proxy_scenario.ts';
import { chunkedAnswer, get, post } from './raw_requests.ts';

type Json = Readonly<Record<string, unknown>>;

const logging = (format: string): Json => ({ access_log: [accessLog(format)] });
const POINTS =
  'DS_RX_BEG DS_RX_END US_CX_BEG US_CX_END US_HS_END US_TX_BEG US_TX_END US_RX_BEG US_RX_END DS_TX_BEG DS_TX_END'.split(
    ' ',
  );
/** Every point after the first: `-` where it was not reached. The comparison makes `N` of all digits. */
const DURATIONS = POINTS.map((point) => `%COMMON_DURATION(DS_RX_BEG:${point}:ms)%`).join('/');

const STATE = {
  name: 'set_filter_state',
  typed_config: {
    '@type': `${TYPE}filters.network.set_filter_state.v3.Config`,
    on_new_connection: ['a value', 'another "value"'].map((inline_string, i) => ({
      object_key: `my.key${i}`,
      factory_key: 'envoy.string',
      format_string: { text_format_source: { inline_string } },
    })),
  },
};
const STATES = ['my.key0:PLAIN', 'my.key1:PLAIN', 'my.key0', 'unheard.of:PLAIN']
  .map((key) => `%FILTER_STATE(${key})%`)
  .join('|');

export const OPERATOR_CASES: readonly Scenario[] = [
  {
    name: 'points of COMMON_DURATION',
    manager: logging(`%REQ(:PATH)% took=${DURATIONS} took=%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ns)%`),
    virtualHost: {
      routes: [
        { match: { path: '/direct' }, direct_response: { status: 200 } },
        { match: { prefix: '/nobody' }, route: { cluster: '$C-dead' } },
        { match: { prefix: '/' }, route: { cluster: '$C' } },
      ],
    },
    clusters: { dead: { upstream: '127.0.0.1:1' } },
    upstreams: [{ answers: [[30, chunkedAnswer(['a', 'b'])]] }],
    connections: [[get('/'), post('/again', 'body'), get('/direct'), get('/nobody')]],
  },
  {
    name: 'filter state in logs and headers',
    networkFilters: [
      STATE,
      {
        name: 'manager',
        typed_config: {
          '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
          stat_prefix: '$C',
          ...logging(STATES),
          route_config: {
            name: 'r',
            request_headers_to_add: [{ header: { key: 'x-state', value: '%FILTER_STATE(my.key0:PLAIN)%' } }],
            virtual_hosts: [
              { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: '$C' } }] },
            ],
          },
          http_filters: [
            { name: 'router', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } },
          ],
        },
      },
    ],
    connections: [[get('/'), get('/again')]],
  },
  {
    name: 'metadata of routes, virtual hosts and clusters in logs and headers',
    manager: logging(
      '%METADATA(ROUTE:my.space)%|%METADATA(ROUTE:my.space:a:b)%|%METADATA(CLUSTER:my.space:c)%|%METADATA(VIRTUAL_HOST:my.space)%|%METADATA(VIRTUAL_HOST:my.space:v)%|%DYNAMIC_METADATA(my.space)%',
    ),
    virtualHost: { metadata: { filter_metadata: { 'my.space': { v: ['of the virtual host', 1] } } } },
    route: {
      metadata: { filter_metadata: { 'my.space': { a: { b: 'of the route' }, n: 1.5, l: [1, 'x'] } } },
      request_headers_to_add: [
        { header: { key: 'x-route', value: '%METADATA(ROUTE:my.space:a:b)%' } },
        { header: { key: 'x-none', value: '%DYNAMIC_METADATA(my.space:a)%' } },
      ],
    },
    cluster: { metadata: { filter_metadata: { 'my.space': { c: 'of the cluster' } } } },
    connections: [[get('/')]],
  },
];
