// What the proxy does to paths and hosts before it looks for a route.

import type { Scenario } from './proxy_scenario.ts';
import { get, post } from './raw_requests.ts';

export const PATH_CASES: readonly Scenario[] = [
  {
    name: 'normalize_path',
    manager: { normalize_path: true },
    connections: [
      [
        get('/a/../b'),
        get('/a/./b?x=/../'),
        get('/%61%2fb'),
        get('//a//b'),
        get('/a\\b'),
        get('/..'),
        get('/a/%2e%2e/b'),
        get('/a%00'),
        get('/a/b/..'),
        get('/%zz'),
        get('/a b'.replace(' ', '%20')),
        get('/a/..;/b'),
      ],
    ],
  },
  {
    name: 'merge_slashes',
    manager: { merge_slashes: true },
    connections: [[get('//a///b?c=//d'), get('//')]],
  },
  {
    name: 'merge_slashes and normalize_path',
    manager: { merge_slashes: true, normalize_path: true },
    connections: [[get('//a/..//b?c=//d'), get('//'), get('/a//../b')]],
  },
  {
    name: 'escaped slashes: rejected',
    manager: { path_with_escaped_slashes_action: 'REJECT_REQUEST' },
    connections: [[get('/a%2fb'), get('/a'), get('/a%5Cb')]],
  },
  {
    name: 'escaped slashes: redirected',
    manager: { path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT', normalize_path: true },
    connections: [[get('/a%2fb?x=%2f'), get('/a'), post('/a%5Cb', 'xyz'), get('/a%2f..%2fb')]],
  },
  {
    name: 'escaped slashes: forwarded',
    manager: { path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' },
    connections: [[get('/a%2fb?x=%2f'), get('/a'), get('/a%5Cb')]],
  },
  {
    name: 'escaped slashes: kept',
    manager: { path_with_escaped_slashes_action: 'KEEP_UNCHANGED', normalize_path: true },
    connections: [[get('/a%2fb'), get('/a%2f%2e%2e%2fb')]],
  },
  {
    name: 'fragments',
    connections: [[get('/a#b')], [get('/a?x#y')], [get('/#')], [get('/a%23b')]],
  },
  {
    name: 'fragments, with paths normalized and escaped slashes rejected',
    manager: { normalize_path: true, path_with_escaped_slashes_action: 'REJECT_REQUEST' },
    connections: [[get('/a/../b#c')], [get('/a%2fb#c')]],
  },
  {
    name: 'strip_any_host_port',
    manager: { strip_any_host_port: true },
    virtualHost: { domains: ['h', '[::1]'] },
    connections: [
      [
        'GET / HTTP/1.1\r\nHost: h:99\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: [::1]:99\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: h:\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: h:x\r\n\r\n',
      ],
    ],
  },
  {
    name: 'strip_matching_host_port',
    manager: { strip_matching_host_port: true },
    connections: [['GET / HTTP/1.1\r\nHost: h:99\r\n\r\n', 'GET / HTTP/1.1\r\nHost: h:$P\r\n\r\n']],
  },
  {
    name: 'strip_trailing_host_dot',
    manager: { strip_trailing_host_dot: true },
    connections: [
      [
        'GET / HTTP/1.1\r\nHost: h.\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: h.:80\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: .\r\n\r\n',
      ],
    ],
  },
];
