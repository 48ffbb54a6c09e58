// Exchanges workload metadata on a TCP connection before its first bytes, when both sides agreed to by ALPN.
// Istio: source/extensions/filters/network/metadata_exchange/metadata_exchange.cc.

import {
  type NetworkFilter,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
  type WriteFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { StatBlock } from '../../../../api/stats.ts';
import type { WorkloadMetadataProvider } from '../../../../api/workload_metadata.ts';
import { NO_PEER, UPSTREAM_PEER } from '../../../../common/istio/workload_metadata.ts';
import { statSchema } from '../../../../common/stats/schema.ts';
import { StringAccessor } from '../../../../common/stream_info/filter_state.ts';
import { decodeNodeMetadata } from './initial_header.ts';

export const METADATA_EXCHANGE_STATS = statSchema('metadata_exchange', {
  alpn_protocol_not_found: 'counter',
  alpn_protocol_found: 'counter',
  initial_header_not_found: 'counter',
  header_not_found: 'counter',
  metadata_added: 'counter',
});
const STAT = METADATA_EXCHANGE_STATS.offset;

export interface MetadataExchangeConfig {
  /** The ALPN that means "both sides exchange". */
  readonly protocol: string;
  /** Where the peer goes in filter state. */
  readonly peerKey: string;
  /** Our own message, the same on every connection. */
  readonly message: Uint8Array;
  readonly additionalLabels: readonly string[];
  /** Asked about peers that tell nothing; undefined where that was not asked for. */
  readonly workloads: WorkloadMetadataProvider | undefined;
  readonly stats: StatBlock<keyof typeof STAT>;
}

const NOT_NEGOTIATED = 0;
const READING = 1;
const DONE = 2;
const ABSENT = new StringAccessor('true');

export class MetadataExchangeFilter implements NetworkFilter {
  private readonly config: MetadataExchangeConfig;
  private readCallbacks!: ReadFilterCallbacks;
  private writeCallbacks!: WriteFilterCallbacks;
  private state = NOT_NEGOTIATED;

  constructor(config: MetadataExchangeConfig) {
    this.config = config;
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.readCallbacks = callbacks;
  }

  initializeWriteFilterCallbacks(callbacks: WriteFilterCallbacks): void {
    this.writeCallbacks = callbacks;
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): NetworkFilterStatus {
    if (this.state === NOT_NEGOTIATED) this.negotiate();
    if (this.state === DONE) return NetworkFilterStatus.Continue;
    const result = decodeNodeMetadata(bytes, start, end, this.config.additionalLabels);
    switch (result.type) {
      case 'need_header':
      case 'need_data':
        if (result.type === 'need_header') this.count(STAT.initial_header_not_found);
        if (!endStream) return NetworkFilterStatus.StopIteration;
        // The peer went away in the middle: what it sent is passed on, nothing more will come.
        this.state = DONE;
        return NetworkFilterStatus.Continue;
      case 'bad_magic':
        this.count(STAT.initial_header_not_found);
        this.setPeerAbsent();
        return NetworkFilterStatus.Continue;
      case 'bad_data':
        this.count(STAT.header_not_found);
        this.setPeerAbsent();
        return NetworkFilterStatus.Continue;
      case 'done':
        if (result.peer !== undefined) this.filterState().set(this.config.peerKey, result.peer);
        this.readCallbacks.consume(result.length);
        this.state = DONE;
        return NetworkFilterStatus.Continue;
    }
  }

  onWrite(): NetworkFilterStatus {
    if (this.state === NOT_NEGOTIATED) this.negotiate();
    return NetworkFilterStatus.Continue;
  }

  /** Looks at the ALPN when the first byte passes, since only then the handshake is over. */
  private negotiate(): void {
    if (this.readCallbacks.connection.info.ssl?.alpn !== this.config.protocol) {
      this.count(STAT.alpn_protocol_not_found);
      this.setPeerAbsent();
      return;
    }
    this.state = READING;
    this.count(STAT.alpn_protocol_found);
    this.writeCallbacks.injectWriteData(this.config.message);
    this.count(STAT.metadata_added);
  }

  private setPeerAbsent(): void {
    this.state = DONE;
    if (this.config.workloads !== undefined && this.findPeer(this.config.workloads)) return;
    this.filterState().set(NO_PEER, ABSENT);
  }

  /** Looks the peer up by its address; on the way in also the host that the bytes go to, for who reports on it. */
  private findPeer(workloads: WorkloadMetadataProvider): boolean {
    const { info, streamInfo } = this.readCallbacks.connection;
    const { peerKey } = this.config;
    if (peerKey !== UPSTREAM_PEER && streamInfo.upstreamHost !== undefined) {
      const behind = workloads.getMetadata(streamInfo.upstreamHost.address);
      if (behind !== undefined) this.filterState().set(UPSTREAM_PEER, behind);
    }
    const peer = workloads.getMetadata(info.remoteAddress);
    if (peer === undefined) return false;
    this.filterState().set(peerKey, peer);
    this.count(STAT.metadata_added);
    return true;
  }

  private filterState() {
    return this.readCallbacks.connection.streamInfo.filterState;
  }

  private count(offset: number): void {
    this.config.stats.values[this.config.stats.base + offset]++;
  }
}
