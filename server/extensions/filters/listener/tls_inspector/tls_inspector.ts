// Looks whether the first bytes are a TLS ClientHello and, if so, notes its SNI and ALPN for filter chain matching.
// Envoy: source/extensions/filters/listener/tls_inspector/tls_inspector.cc.

import {
  type ListenerFilter,
  type ListenerFilterCallbacks,
  type ListenerFilterConfig,
  type ListenerFilterDataResult,
  NetworkFilterStatus,
} from '../../../../api/network/filter.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import { statSchema } from '../../../../common/stats/schema.ts';
import { parseClientHello } from '../../../../common/tls/client_hello.ts';

export const TLS_INSPECTOR_STATS = statSchema('tls_inspector', {
  client_hello_too_large: 'counter',
  tls_found: 'counter',
  tls_not_found: 'counter',
  alpn_found: 'counter',
  alpn_not_found: 'counter',
  sni_found: 'counter',
  sni_not_found: 'counter',
  bytes_processed: 'histogram:bytes',
});
const STAT = TLS_INSPECTOR_STATS.offset;
const METADATA_NAMESPACE = 'envoy.filters.listener.tls_inspector';
const DONE: ListenerFilterDataResult = { type: 'done', consume: 0 };
const MORE: ListenerFilterDataResult = { type: 'more' };

export interface TlsInspectorOptions {
  /** Wire bytes of a ClientHello at most, up to MAX_CLIENT_HELLO_BYTES. */
  readonly maxClientHelloBytes: number;
  /** Close connections that do not begin with a ClientHello. */
  readonly closeOnParsingErrors: boolean;
}

export class TlsInspector implements ListenerFilter {
  readonly maxReadBytes: number;
  readonly #options: TlsInspectorOptions;
  readonly #stats: StatBlock;
  #callbacks: ListenerFilterCallbacks | undefined = undefined;

  constructor(options: TlsInspectorOptions, stats: StatBlock) {
    this.maxReadBytes = options.maxClientHelloBytes;
    this.#options = options;
    this.#stats = stats;
  }

  onAccept(callbacks: ListenerFilterCallbacks): NetworkFilterStatus {
    this.#callbacks = callbacks;
    return NetworkFilterStatus.StopIteration;
  }

  onData(bytes: Uint8Array): ListenerFilterDataResult {
    const callbacks = this.#callbacks!;
    const result = parseClientHello(bytes);
    if (result.type === 'more') return bytes.length < this.maxReadBytes ? MORE : this.#tooLarge(bytes.length);
    if (result.type === 'not_tls') return this.#notTls(bytes.length);
    const { info } = callbacks;
    this.#count(STAT.tls_found);
    this.#count(result.serverName === '' ? STAT.sni_not_found : STAT.sni_found);
    this.#count(result.applicationProtocols === undefined ? STAT.alpn_not_found : STAT.alpn_found);
    this.#stats.record(STAT.bytes_processed, result.wireBytes);
    info.detectedTransportProtocol = 'tls';
    info.requestedServerName = result.serverName;
    if (result.applicationProtocols !== undefined) {
      info.requestedApplicationProtocols = result.applicationProtocols;
    }
    return DONE;
  }

  #tooLarge(bytes: number): ListenerFilterDataResult {
    this.#count(STAT.client_hello_too_large);
    this.#stats.record(STAT.bytes_processed, bytes);
    this.#callbacks!.setDynamicMetadata(METADATA_NAMESPACE, { failure_reason: 'ClientHelloTooLarge' });
    return { type: 'close', reason: 'tls inspector: ClientHello too large' };
  }

  #notTls(bytes: number): ListenerFilterDataResult {
    this.#stats.record(STAT.bytes_processed, bytes);
    if (this.#options.closeOnParsingErrors) {
      return { type: 'close', reason: 'tls inspector: no ClientHello' };
    }
    this.#count(STAT.tls_not_found);
    this.#callbacks!.setDynamicMetadata(METADATA_NAMESPACE, { failure_reason: 'ClientHelloNotDetected' });
    return DONE;
  }

  #count(offset: number): void {
    this.#stats.values[this.#stats.base + offset]++;
  }
}

export class TlsInspectorConfig implements ListenerFilterConfig {
  readonly #options: TlsInspectorOptions;
  readonly #stats: StatBlock;

  constructor(options: TlsInspectorOptions, stats: StatBlock) {
    this.#options = options;
    this.#stats = stats;
  }

  createFilter(): ListenerFilter {
    return new TlsInspector(this.#options, this.#stats);
  }
}
