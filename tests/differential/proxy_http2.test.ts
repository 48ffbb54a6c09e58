// HTTP/2 and gRPC through Envoy and Pilotfish: see proxy_comparison.ts for what is compared.

import { compareProxies } from './proxy_comparison.ts';
import { GRPC_CASES } from './proxy_grpc_cases.ts';
import { HTTP2_CASES, HTTP2_DIFFERENCE_CASES } from './proxy_http2_cases.ts';
import { HTTP2_UPSTREAM_CASES } from './proxy_http2_upstream_cases.ts';
import { FLUSH_TIMEOUT_CASES } from './proxy_limit_cases.ts';
import { TUNNEL_CASES } from './proxy_tunnel_cases.ts';

compareProxies('HTTP/2', [...HTTP2_CASES, ...HTTP2_UPSTREAM_CASES]);
compareProxies('answers that wait for their client', FLUSH_TIMEOUT_CASES);
compareProxies('gRPC', GRPC_CASES);
compareProxies('tunnels', TUNNEL_CASES);
compareProxies('known differences of HTTP/2', HTTP2_DIFFERENCE_CASES, false);
