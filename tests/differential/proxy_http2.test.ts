// HTTP/2 and gRPC through Envoy and Pilotfish: see proxy_comparison.ts for what is compared.

import { compareProxies } from './proxy_comparison.ts';
import { HTTP2_CASES } from './proxy_http2_cases.ts';

compareProxies('HTTP/2', HTTP2_CASES);
