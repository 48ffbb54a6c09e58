// Where Pilotfish is known to differ from Envoy: docs/differences.md, row by row. A case that comes out alike has no place here any more.

import { type Scenario, TYPE } from './proxy_scenario.ts';
import { get, post } from './raw_requests.ts';
import { OK } from './scripted_upstream.ts';

const dead = { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } } };
const up = { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: '$U' } } } };

export const DIFFERENCE_CASES: readonly Scenario[] = [
  {
    name: 'folded header lines',
    connections: [[{ send: 'GET / HTTP/1.1\r\nHost: h\r\na: b\r\n folded: x\r\n\r\n', await: 1 }]],
  },
  {
    name: 'headers that come twice',
    connections: [[get('/', 'accept: a', 'accept: b')]],
  },
  {
    name: 'the switch that nobody asked for',
    upstreams: [{ answers: ['HTTP/1.1 101 Switching Protocols\r\n\r\n', OK] }],
    connections: [[get('/1'), get('/2')]],
  },
  {
    name: 'a body that is too large, in one piece',
    filters: [
      {
        name: 'buffer',
        typed_config: { '@type': `${TYPE}filters.http.buffer.v3.Buffer`, max_request_bytes: 4 },
      },
    ],
    connections: [[post('/', 'hello')]],
  },
  {
    name: 'membership_change',
    cluster: {
      load_assignment: {
        cluster_name: '$C',
        endpoints: [{ lb_endpoints: [up] }, { priority: 1, lb_endpoints: [dead] }],
      },
    },
    connections: [[get('/')]],
  },
];
