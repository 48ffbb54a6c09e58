// HTTP/1.1 through Envoy and Pilotfish: see proxy_comparison.ts for what is compared.

import { BREAKER_CASES } from './proxy_breaker_cases.ts';
import { CLUSTER_CASES } from './proxy_cluster_cases.ts';
import { compareProxies } from './proxy_comparison.ts';
import { DIFFERENCE_CASES } from './proxy_difference_cases.ts';
import { HEADER_CASES } from './proxy_header_cases.ts';
import { LIMIT_CASES } from './proxy_limit_cases.ts';
import { MESSAGE_CASES } from './proxy_message_cases.ts';
import { MIRROR_CASES } from './proxy_mirror_cases.ts';
import { PATH_CASES } from './proxy_path_cases.ts';
import { REPLY_CASES } from './proxy_reply_cases.ts';
import { UPSTREAM_CASES } from './proxy_upstream_cases.ts';
import { VIRTUAL_HOST_CASES } from './proxy_virtual_host_cases.ts';

compareProxies('headers, paths and hosts', [...HEADER_CASES, ...PATH_CASES]);
compareProxies('messages and upgrades', MESSAGE_CASES);
compareProxies('upstreams', [...UPSTREAM_CASES, ...MIRROR_CASES]);
compareProxies('limits of request bodies', LIMIT_CASES);
compareProxies('answers of the proxy and access logs', REPLY_CASES);
compareProxies('circuit breakers', BREAKER_CASES);
compareProxies('clusters and other listeners', CLUSTER_CASES);
compareProxies('virtual clusters and routes', VIRTUAL_HOST_CASES);
compareProxies('known differences', DIFFERENCE_CASES, false);
