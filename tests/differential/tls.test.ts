// TLS through Envoy and Pilotfish: see tls_comparison.ts for what is compared.

import { after } from 'node:test';
import { NO_OPENSSL } from '../fakes/public_key_infrastructure.ts';
import { DOWNSTREAM_CASES, UPSTREAM_CASES } from './tls_cases.ts';
import { ChainCases } from './tls_chain_cases.ts';
import { compareTls } from './tls_comparison.ts';

compareTls('downstream TLS', DOWNSTREAM_CASES);
compareTls('upstream TLS', UPSTREAM_CASES);
if (!NO_OPENSSL) {
  const cases = new ChainCases();
  compareTls('chains, revocation, trust domains and OCSP', cases.all);
  after(() => cases.remove());
}
