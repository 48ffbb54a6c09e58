// HTTP/1.1 through Envoy and Pilotfish: see proxy_comparison.ts for what is compared.

import { compareProxies } from './proxy_comparison.ts';
import { HEADER_CASES } from './proxy_header_cases.ts';

compareProxies('headers, paths and hosts', HEADER_CASES);
