// Rate limits and the buffer filter through Envoy and Pilotfish: see proxy_comparison.ts for what is compared.

import { fromHttp2 } from './over_http2.ts';
import { BUFFER_CASES } from './proxy_buffer_cases.ts';
import { compareProxies } from './proxy_comparison.ts';
import { RATE_LIMIT_ACTION_CASES } from './proxy_rate_limit_action_cases.ts';
import { RATE_LIMIT_CASES } from './proxy_rate_limit_cases.ts';
import type { Scenario } from './proxy_scenario.ts';

compareProxies('actions of rate_limits', RATE_LIMIT_ACTION_CASES);
compareProxies('rate_limits and local_ratelimit', RATE_LIMIT_CASES);
compareProxies('buffer', BUFFER_CASES);
compareProxies(
  'buffer of clients of HTTP/2',
  BUFFER_CASES.map(fromHttp2).filter((scenario): scenario is Scenario => scenario !== undefined),
);
