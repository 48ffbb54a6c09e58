// A Connection for unit tests of network filters: keeps what is written, and how it was closed.

import type {
  Connection,
  ConnectionCallbacks,
  ConnectionCloseType,
  ReadFilterCallbacks,
} from '../../server/api/network/filter.ts';
import { ipAddress } from '../../server/common/network/address.ts';
import {
  ConnectionInfoRecord,
  ConnectionStreamInfoRecord,
} from '../../server/common/stream_info/stream_info.ts';

export class FakeConnection implements Connection, ReadFilterCallbacks {
  readonly id = 1;
  readonly info = new ConnectionInfoRecord(1, ipAddress('10.0.0.1', 1000), ipAddress('10.0.0.2', 80), 'l');
  readonly streamInfo = new ConnectionStreamInfoRecord(this.info, 0, 0);
  state: Connection['state'] = 'open';
  writeBufferBytes = 0;
  /** All that was written, as latin1. */
  written = '';
  ended = false;
  closed: { type: ConnectionCloseType; details: string | undefined } | undefined = undefined;
  /** How often reading is disabled now. */
  readDisabled = 0;
  continued = 0;
  consumed = 0;
  readonly callbacks: ConnectionCallbacks[] = [];

  get connection(): Connection {
    return this;
  }

  writeLatin1(text: string): void {
    this.written += text;
  }

  writeBytes(bytes: Uint8Array): void {
    this.written += Buffer.from(bytes).toString('latin1');
  }

  endWrite(): void {
    this.ended = true;
  }

  readDisable(disable: boolean): void {
    this.readDisabled += disable ? 1 : -1;
  }

  close(type: ConnectionCloseType, details?: string): void {
    this.closed = { type, details };
    this.state = 'closed';
    for (const callbacks of [...this.callbacks]) callbacks.onEvent('LocalClose');
  }

  addConnectionCallbacks(callbacks: ConnectionCallbacks): void {
    this.callbacks.push(callbacks);
  }

  removeConnectionCallbacks(callbacks: ConnectionCallbacks): void {
    this.callbacks.splice(this.callbacks.indexOf(callbacks), 1);
  }

  setBufferLimits(): void {}

  enableHalfClose(): void {}

  continueReading(): void {
    this.continued++;
  }

  consume(count: number): void {
    this.consumed += count;
  }
}
