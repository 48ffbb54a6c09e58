// Takes the PROXY protocol header that a load balancer put in front of a connection, and makes the addresses in it the
// connection's. Envoy: source/extensions/filters/listener/proxy_protocol/proxy_protocol.cc.

import {
  type ListenerFilter,
  type ListenerFilterCallbacks,
  type ListenerFilterConfig,
  type ListenerFilterDataResult,
  NetworkFilterStatus,
} from '../../../../api/network/filter.ts';
import type { Counter, StatBlock } from '../../../../api/stats.ts';
import { statSchema } from '../../../../common/stats/schema.ts';
import {
  MAX_HEADER_BYTES,
  maybe,
  type ProxyProtocolHeader,
  parseProxyProtocol,
  V1_SIGNATURE,
  V2_SIGNATURE,
} from './proxy_protocol_header.ts';

export const PROXY_PROTOCOL_STATS = statSchema('proxy_proto', {
  not_found_allowed: 'counter',
  not_found_disallowed: 'counter',
  'versions.v1.found': 'counter',
  'versions.v1.disallowed': 'counter',
  'versions.v1.error': 'counter',
  'versions.v2.found': 'counter',
  'versions.v2.disallowed': 'counter',
  'versions.v2.error': 'counter',
});
const STAT = PROXY_PROTOCOL_STATS.offset;
const MORE: ListenerFilterDataResult = { type: 'more' };
const UNTOUCHED: ListenerFilterDataResult = { type: 'done', consume: 0 };

export interface ProxyProtocolOptions {
  readonly allowRequestsWithoutProxyProtocol: boolean;
  readonly disallowedVersions: ReadonlySet<1 | 2>;
  /** Where the value of a TLV type goes in the dynamic metadata. */
  readonly rules: ReadonlyMap<number, { readonly namespace: string; readonly key: string }>;
  readonly stats: StatBlock;
  /** `downstream_cx_proxy_proto_error`, which Envoy keeps at the root. */
  readonly errors: Counter;
}

export class ProxyProtocolFilter implements ListenerFilter {
  readonly maxReadBytes = MAX_HEADER_BYTES;
  readonly #options: ProxyProtocolOptions;
  #callbacks: ListenerFilterCallbacks | undefined = undefined;

  constructor(options: ProxyProtocolOptions) {
    this.#options = options;
  }

  onAccept(callbacks: ListenerFilterCallbacks): NetworkFilterStatus {
    this.#callbacks = callbacks;
    return NetworkFilterStatus.StopIteration;
  }

  onData(peeked: Uint8Array): ListenerFilterDataResult {
    const bytes = Buffer.from(peeked.buffer, peeked.byteOffset, peeked.length);
    if (this.#options.allowRequestsWithoutProxyProtocol && !this.#maybeHeader(bytes)) {
      this.#count(STAT.not_found_allowed);
      return UNTOUCHED;
    }
    const result = parseProxyProtocol(bytes);
    if (result.type === 'more') return MORE;
    if (result.type === 'not_found') {
      this.#count(STAT.not_found_disallowed);
      return this.#fail('no PROXY protocol header');
    }
    if (this.#options.disallowedVersions.has(result.version)) {
      this.#count(result.version === 1 ? STAT['versions.v1.disallowed'] : STAT['versions.v2.disallowed']);
      return { type: 'close', reason: 'proxy_protocol: disallowed version' };
    }
    if (result.type === 'error') {
      this.#count(result.version === 1 ? STAT['versions.v1.error'] : STAT['versions.v2.error']);
      return this.#fail('malformed PROXY protocol header');
    }
    this.#count(result.version === 1 ? STAT['versions.v1.found'] : STAT['versions.v2.found']);
    this.#apply(result);
    return { type: 'done', consume: result.length };
  }

  /** Could these bytes begin a header of a version that is not disallowed? */
  #maybeHeader(bytes: Buffer): boolean {
    const { disallowedVersions } = this.#options;
    if (!disallowedVersions.has(1) && maybe(V1_SIGNATURE, bytes)) return true;
    return !disallowedVersions.has(2) && maybe(V2_SIGNATURE, bytes);
  }

  #apply(header: ProxyProtocolHeader): void {
    const { info } = this.#callbacks!;
    if (header.addresses !== undefined) {
      if (info.localAddress.text !== header.addresses.destination.text) {
        info.localAddress = header.addresses.destination;
        info.localAddressRestored = true;
      }
      info.remoteAddress = header.addresses.source;
    }
    for (const { type, value } of header.tlvs) {
      const rule = this.#options.rules.get(type);
      if (rule !== undefined)
        this.#callbacks!.setDynamicMetadata(rule.namespace, { [rule.key]: textOf(value) });
    }
  }

  #fail(reason: string): ListenerFilterDataResult {
    this.#options.errors.add(1);
    return { type: 'close', reason: `proxy_protocol: ${reason}` };
  }

  #count(offset: number): void {
    const { stats } = this.#options;
    stats.values[stats.base + offset]++;
  }
}

/** Metadata is UTF-8: what is not becomes `!`, as Envoy's sanitizeUtf8String. */
function textOf(value: Uint8Array): string {
  return Buffer.from(value).toString('utf8').replaceAll('\ufffd', '!');
}

export class ProxyProtocolConfig implements ListenerFilterConfig {
  readonly #options: ProxyProtocolOptions;

  constructor(options: ProxyProtocolOptions) {
    this.#options = options;
  }

  createFilter(): ListenerFilter {
    return new ProxyProtocolFilter(this.#options);
  }
}
