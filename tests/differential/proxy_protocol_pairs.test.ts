// What is compared over HTTP/1, compared once more over the other pairs of protocols.

import { fromHttp2, toHttp2 } from './over_http2.ts';
import { BREAKER_CASES } from './proxy_breaker_cases.ts';
import { CLUSTER_CASES } from './proxy_cluster_cases.ts';
import { compareProxies } from './proxy_comparison.ts';
import { HEADER_CASES } from './proxy_header_cases.ts';
import { MESSAGE_CASES } from './proxy_message_cases.ts';
import { MIRROR_CASES } from './proxy_mirror_cases.ts';
import { PATH_CASES } from './proxy_path_cases.ts';
import { REPLY_CASES } from './proxy_reply_cases.ts';
import type { Scenario } from './proxy_scenario.ts';
import { UPSTREAM_CASES } from './proxy_upstream_cases.ts';

const ALL = [
  ...HEADER_CASES,
  ...PATH_CASES,
  ...MESSAGE_CASES,
  ...UPSTREAM_CASES,
  ...BREAKER_CASES,
  ...MIRROR_CASES,
  ...REPLY_CASES,
  ...CLUSTER_CASES,
];

/** These are not compared again over HTTP/2, each for a reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'hop-by-hop headers of responses': 'Envoy passes on `te`, for which a client of HTTP/2 refuses the answer',
  'wire bytes': 'how HPACK codes a head is the matter of who sends it',
};
const comparable = ALL.filter(({ name }) => !(name in EXCEPTIONS));

const isScenario = (scenario: Scenario | undefined): scenario is Scenario => scenario !== undefined;
const FROM_HTTP2 = comparable.map(fromHttp2).filter(isScenario);
const TO_HTTP2 = comparable.map(toHttp2).filter(isScenario);
const OVER_HTTP2 = FROM_HTTP2.map(toHttp2).filter(isScenario);

compareProxies('HTTP/2 to HTTP/1', FROM_HTTP2);
compareProxies('HTTP/1 to HTTP/2', TO_HTTP2);
compareProxies('HTTP/2 to HTTP/2', OVER_HTTP2);
