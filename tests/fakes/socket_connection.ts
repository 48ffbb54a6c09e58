// A SocketConnection on a real socket, with the peer's socket in the test's hand.

import net, { type AddressInfo } from 'node:net';
import type { ConnectionCallbacks, ConnectionEvent } from '../../server/api/network/filter.ts';
import { ipAddress } from '../../server/common/network/address.ts';
import { SocketConnection } from '../../server/common/network/connection.ts';
import { type ReadableSocket, takeHandle, wrapHandle } from '../../server/common/network/socket.ts';
import { ConnectionInfoRecord } from '../../server/common/stream_info/stream_info.ts';

/** Keeps what happens to a connection. */
export class Recorder implements ConnectionCallbacks {
  readonly events: string[] = [];
  received = '';
  ended = false;

  onEvent(event: ConnectionEvent): void {
    this.events.push(event);
  }
  onAboveWriteBufferHighWatermark(): void {
    this.events.push('above');
  }
  onBelowWriteBufferLowWatermark(): void {
    this.events.push('below');
  }
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.received += Buffer.from(bytes.subarray(start, end)).toString('latin1');
    if (endStream) this.ended = true;
  }
}

export interface SocketPair {
  readonly connection: SocketConnection;
  readonly readable: ReadableSocket;
  /** The client's end. */
  readonly peer: net.Socket;
  readonly recorder: Recorder;
  close(): void;
}

/** `bufferLimit` bytes. The recorder is reader and callbacks; `readable.start()` has not been called. */
export async function socketPair(bufferLimit = 1 << 20): Promise<SocketPair> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as AddressInfo;
  const peer = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', () => undefined);
  const readable = wrapHandle(takeHandle(await accepted)!, Math.min(bufferLimit, 65_536));
  const info = new ConnectionInfoRecord(1, ipAddress('127.0.0.1', 1), ipAddress('127.0.0.1', port), 'l');
  const connection = new SocketConnection(readable.socket, info, bufferLimit);
  readable.setReader(connection);
  const recorder = new Recorder();
  connection.reader = recorder;
  connection.addConnectionCallbacks(recorder);
  return {
    connection,
    readable,
    peer,
    recorder,
    close() {
      connection.close('NoFlush');
      peer.destroy();
      server.close();
    },
  };
}
