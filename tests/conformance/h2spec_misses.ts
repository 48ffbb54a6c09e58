// What h2spec misses through each proxy. docs/conformance.md explains every line.

import type { Mode } from './proxied.ts';
import type { Subject } from './subject.ts';

const PREFACE = 'http2/3.5: Sends invalid connection preface';
const ENVOY_MISSES: readonly string[] = [
  'generic/3.8: Sends a GOAWAY frame',
  'http2/5.1: closed: Sends a DATA frame after sending RST_STREAM frame',
  'http2/5.1: closed: Sends a HEADERS frame after sending RST_STREAM frame',
  'http2/5.1: closed: Sends a DATA frame',
  'http2/5.1: closed: Sends a HEADERS frame',
  'http2/5.1.1: Sends stream identifier that is numerically smaller than previous',
  'http2/5.3.1: Sends PRIORITY frame that depend on itself',
  'http2/5.4.1: Sends an invalid PING frame to receive GOAWAY frame',
  'http2/6.3: Sends a PRIORITY frame with 0x0 stream identifier',
  'http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1',
  'http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
  'http2/7: Sends a GOAWAY frame with unknown error code',
];

/** In the order of h2spec. Envoy is 1.40. */
export const EXPECTED_MISSES: Readonly<Record<Subject['name'], Readonly<Record<Mode, readonly string[]>>>> = {
  pilotfish: { h2c: [PREFACE], tls: [] },
  envoy: {
    h2c: ENVOY_MISSES.toSpliced(1, 0, PREFACE),
    tls: ENVOY_MISSES,
  },
};
