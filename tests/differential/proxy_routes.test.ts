// Routes through Envoy and Pilotfish: see proxy_comparison.ts for what is compared.

import { fromHttp2 } from './over_http2.ts';
import { CHAIN_MATCHER_CASES } from './proxy_chain_matcher_cases.ts';
import { CLUSTER_SPECIFIER_CASES } from './proxy_cluster_specifier_cases.ts';
import { compareProxies } from './proxy_comparison.ts';
import { DIRECT_RESPONSE_CASES, FORMAT_REWRITE_CASES } from './proxy_direct_response_cases.ts';
import { HEDGE_CASES } from './proxy_hedge_cases.ts';
import { INTERNAL_REDIRECT_CASES } from './proxy_internal_redirect_cases.ts';
import { MATCH_TREE_CASES } from './proxy_match_tree_cases.ts';
import { METADATA_CASES } from './proxy_metadata_cases.ts';
import { OPERATOR_CASES } from './proxy_operator_cases.ts';
import { RETRY_CASES } from './proxy_retry_cases.ts';
import { ROUTE_MATCH_CASES } from './proxy_route_match_cases.ts';
import type { Scenario } from './proxy_scenario.ts';

const isScenario = (scenario: Scenario | undefined): scenario is Scenario => scenario !== undefined;
const FROM_HTTP2 = INTERNAL_REDIRECT_CASES.map(fromHttp2).filter(isScenario);

compareProxies('what routes match', ROUTE_MATCH_CASES);
compareProxies('retries', RETRY_CASES);
compareProxies('internal redirects', INTERNAL_REDIRECT_CASES);
compareProxies('internal redirects of clients of HTTP/2', FROM_HTTP2);
compareProxies('cluster specifiers and further stats', CLUSTER_SPECIFIER_CASES);
compareProxies('clusters by match trees', MATCH_TREE_CASES);
compareProxies('direct responses', DIRECT_RESPONSE_CASES);
compareProxies('rewrites by a format', FORMAT_REWRITE_CASES);
compareProxies('hedged requests', HEDGE_CASES);
compareProxies('filter chains by a matcher tree', CHAIN_MATCHER_CASES);
compareProxies('operators of logs and headers', OPERATOR_CASES);
compareProxies('dynamic metadata that is set', METADATA_CASES);
