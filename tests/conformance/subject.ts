// Which proxy the conformance tests ask: Pilotfish, or with CONFORMANCE_OF=envoy a real Envoy, as a check of the tests themselves.

import { ENVOY_BIN, PILOTFISH } from '../differential/envoy_process.ts';

export interface Subject {
  readonly name: 'pilotfish' | 'envoy';
  readonly command: readonly string[];
}

export const SUBJECT: Subject =
  process.env.CONFORMANCE_OF === 'envoy'
    ? { name: 'envoy', command: [ENVOY_BIN!] }
    : { name: 'pilotfish', command: PILOTFISH };
