// Drives network filters without a socket.

import type {
  Connection,
  ConnectionCallbacks,
  NetworkFilter,
  ReadFilterCallbacks,
  WriteFilterCallbacks,
} from '../../server/api/network/filter.ts';
import type { SslConnectionInfo } from '../../server/api/stream_info.ts';
import {
  ConnectionInfoRecord,
  ConnectionStreamInfoRecord,
  type StreamInfoRecord,
} from '../../server/common/stream_info/stream_info.ts';
import { ipAddress } from './log_context.ts';

/** A connection and the callbacks of one filter on it. */
export class FakeNetworkCallbacks implements ReadFilterCallbacks, WriteFilterCallbacks {
  readonly connection: Connection;
  readonly streamInfo: StreamInfoRecord;
  readonly listeners: ConnectionCallbacks[] = [];
  /** What the filter sent past itself. */
  readonly injected: Uint8Array[] = [];
  consumed = 0;

  constructor(filter: NetworkFilter, alpn?: string) {
    const info = new ConnectionInfoRecord(
      1,
      ipAddress('10.0.0.1', 1234),
      ipAddress('10.0.0.2', 80),
      'listener',
    );
    if (alpn !== undefined)
      info.ssl = { alpn, uriSanPeer: [], uriSanLocal: [] } as unknown as SslConnectionInfo;
    this.streamInfo = new ConnectionStreamInfoRecord(info, 0, 0);
    const { streamInfo, listeners } = this;
    this.connection = {
      info,
      streamInfo,
      addConnectionCallbacks: (callbacks: ConnectionCallbacks) => void listeners.push(callbacks),
    } as unknown as Connection;
    filter.initializeReadFilterCallbacks?.(this);
    filter.initializeWriteFilterCallbacks?.(this);
  }

  continueReading(): void {}
  consume(count: number): void {
    this.consumed += count;
  }
  injectWriteData(bytes: Uint8Array): void {
    this.injected.push(bytes);
  }
}
