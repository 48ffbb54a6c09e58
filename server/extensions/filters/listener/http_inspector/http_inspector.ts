// Looks whether the first bytes are an HTTP/1 request line or the HTTP/2 preface, and notes the protocol as an
// application protocol for filter chain matching.
// Envoy: source/extensions/filters/listener/http_inspector/http_inspector.cc; what counts as a request line was asked of it.

import {
  type ListenerFilter,
  type ListenerFilterCallbacks,
  type ListenerFilterConfig,
  type ListenerFilterDataResult,
  NetworkFilterStatus,
} from '../../../../api/network/filter.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { statSchema } from '../../../../common/stats/schema.ts';

export const HTTP_INSPECTOR_STATS = statSchema('http_inspector', {
  read_error: 'counter',
  http10_found: 'counter',
  http11_found: 'counter',
  http2_found: 'counter',
  http_not_found: 'counter',
});
const STAT = HTTP_INSPECTOR_STATS.offset;

/** Bytes without an end of line after which the connection is closed. Source: Config::MAX_INSPECT_SIZE. */
const MAX_INSPECT_BYTES = 65_536;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const NEWLINE = 10;

/** Method, target and version; a missing version is HTTP/0.9, which Envoy calls HTTP/1.0. */
const REQUEST_LINE =
  /^([!#$%&'*+\-.^_`|~\w]+)[ \t]+(\*|\/[^ \t]*|[A-Za-z][A-Za-z0-9+.-]*:\/\/[^ \t]+|[^ \t]+)(?:[ \t]+(HTTP\/\d\.\d))?[ \t\r]*$/;
const TARGET = /^(?:\*$|\/|[A-Za-z][A-Za-z0-9+.-]*:\/\/.)/;
const METHOD_CHARACTER = /[!#$%&'*+\-.^_`|~\w]/;

const MORE: ListenerFilterDataResult = { type: 'more' };
const DONE: ListenerFilterDataResult = { type: 'done', consume: 0 };

/** What the bytes so far are: an ALPN name, `none`, or undefined while it cannot be told. */
export function detectHttp(
  bytes: Uint8Array,
  searchFrom: number,
): 'http/1.0' | 'http/1.1' | 'h2c' | 'none' | undefined {
  if (bytes.length === 0) return undefined;
  const common = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, common, 0, common) === 0)
    return common === PREFACE.length ? 'h2c' : undefined;
  if (!METHOD_CHARACTER.test(String.fromCharCode(bytes[0]))) return 'none';
  const end = bytes.indexOf(NEWLINE, searchFrom);
  if (end < 0) return undefined;
  const line = REQUEST_LINE.exec(Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1'));
  if (line === null || (line[1] !== 'CONNECT' && !TARGET.test(line[2]))) return 'none';
  return line[3] === 'HTTP/1.1' ? 'http/1.1' : 'http/1.0';
}

export class HttpInspector implements ListenerFilter {
  readonly maxReadBytes = MAX_INSPECT_BYTES;
  readonly #stats: StatBlock;
  #callbacks: ListenerFilterCallbacks | undefined = undefined;
  /** Bytes that are known to hold no end of line. */
  #searched = 0;

  constructor(stats: StatBlock) {
    this.#stats = stats;
  }

  onAccept(callbacks: ListenerFilterCallbacks): NetworkFilterStatus {
    const detected = callbacks.info.detectedTransportProtocol;
    if (detected !== '' && detected !== 'raw_buffer') return NetworkFilterStatus.Continue;
    this.#callbacks = callbacks;
    return NetworkFilterStatus.StopIteration;
  }

  onData(bytes: Uint8Array): ListenerFilterDataResult {
    const found = detectHttp(bytes, this.#searched);
    if (found === undefined) {
      // The preface has line ends of its own.
      this.#searched = bytes.length > PREFACE.length ? bytes.length : 0;
      if (bytes.length < MAX_INSPECT_BYTES) return MORE;
      this.#count(STAT.read_error);
      return { type: 'close', reason: 'http inspector: request line too long' };
    }
    if (found === 'none') {
      this.#count(STAT.http_not_found);
      return DONE;
    }
    this.#count(COUNTERS[found]);
    this.#callbacks!.info.requestedApplicationProtocols = [found];
    return DONE;
  }

  #count(offset: number): void {
    this.#stats.values[this.#stats.base + offset]++;
  }
}

const COUNTERS = {
  'http/1.0': STAT.http10_found,
  'http/1.1': STAT.http11_found,
  h2c: STAT.http2_found,
} as const;

export class HttpInspectorConfig implements ListenerFilterConfig {
  readonly #stats: StatBlock;

  constructor(stats: StatBlock) {
    this.#stats = stats;
  }

  createFilter(): ListenerFilter {
    return new HttpInspector(this.#stats);
  }
}
