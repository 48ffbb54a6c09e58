// TLS through Envoy and Pilotfish: see tls_comparison.ts for what is compared.

import { DOWNSTREAM_CASES, UPSTREAM_CASES } from './tls_cases.ts';
import { compareTls } from './tls_comparison.ts';

compareTls('downstream TLS', DOWNSTREAM_CASES);
compareTls('upstream TLS', UPSTREAM_CASES);
