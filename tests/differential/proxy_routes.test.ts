// Routes through Envoy and Pilotfish: see proxy_comparison.ts for what is compared.

import { compareProxies } from './proxy_comparison.ts';
import { RETRY_CASES } from './proxy_retry_cases.ts';
import { ROUTE_MATCH_CASES } from './proxy_route_match_cases.ts';

compareProxies('what routes match', ROUTE_MATCH_CASES);
compareProxies('retries', RETRY_CASES);
