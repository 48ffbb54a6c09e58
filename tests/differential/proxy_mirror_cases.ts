// Requests that are mirrored: what the other cluster gets to see.

import type { Scenario } from './proxy_scenario.ts';
import { get, post } from './raw_requests.ts';

export const MIRROR_CASES: readonly Scenario[] = [
  {
    name: 'mirroring',
    action: { request_mirror_policies: [{ cluster: '$C-shadow' }] },
    clusters: { shadow: { upstream: {} } },
    connections: [[get('/a?b', 'x-a: 1'), { after: 50 }, post('/p', 'body')]],
  },
  {
    name: 'mirroring to nowhere',
    action: {
      request_mirror_policies: [
        { cluster: 'unheard-of' },
        { cluster: '$C-shadow', runtime_fraction: { default_value: { numerator: 0 } } },
      ],
    },
    clusters: { shadow: { upstream: {} } },
    connections: [[get('/')]],
  },
  {
    name: 'mirroring without a suffix',
    action: { request_mirror_policies: [{ cluster: '$C-shadow', disable_shadow_host_suffix_append: true }] },
    clusters: { shadow: { upstream: {} } },
    connections: [['GET / HTTP/1.1\r\nHost: h:80\r\n\r\n']],
  },
];
