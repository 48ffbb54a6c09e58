// Gives accepted connections to other workers. A descriptor belongs to the process, so what travels is a number: the giver
// duplicates it and closes its own. The channel is opened with the first listener that is balanced; most workers have none.

import { Socket } from 'node:net';
import { BroadcastChannel } from 'node:worker_threads';
import { enter, leave } from '../common/event/dispatcher.ts';
import { type SocketHandle, takeHandle } from '../common/network/socket.ts';
import { duplicateFd } from '../common/network/socket_option.ts';

interface Given {
  /** Index of the worker that takes it. */
  readonly to: number;
  /** Of the listening socket that it came from. */
  readonly key: string;
  readonly fd: number;
}

export class ConnectionExchange {
  private readonly workerIndex: number;
  private readonly name: string;
  private readonly onReceived: (key: string, handle: SocketHandle) => void;
  private channel: BroadcastChannel | undefined = undefined;

  /** `name` is the process's; `onReceived` owns the handle. */
  constructor(workerIndex: number, name: string, onReceived: (key: string, handle: SocketHandle) => void) {
    this.workerIndex = workerIndex;
    this.name = name;
    this.onReceived = onReceived;
  }

  /** From now on connections come. */
  open(): void {
    if (this.channel !== undefined) return;
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = ({ data }) => this.receive(data as Given);
    this.channel.unref();
  }

  /** Throws when the process has no more descriptors; the handle is the caller's then. */
  give(to: number, key: string, handle: SocketHandle): void {
    const given: Given = { to, key, fd: duplicateFd(handle.fd) };
    this.channel!.postMessage(given);
    handle.close();
  }

  close(): void {
    this.channel?.close();
  }

  private receive({ to, key, fd }: Given): void {
    if (to !== this.workerIndex) return;
    // Paused from the start: nothing is read before a filter chain wants it.
    const socket = new Socket({ fd, allowHalfOpen: true, pauseOnCreate: true } as ConstructorParameters<
      typeof Socket
    >[0]);
    enter();
    try {
      this.onReceived(key, takeHandle(socket)!);
    } finally {
      leave();
    }
  }
}
