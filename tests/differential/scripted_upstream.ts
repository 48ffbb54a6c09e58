// An upstream that answers as it is told, byte for byte, and remembers every byte that it got.

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Messages } from './raw_messages.ts';

/** Parts of an answer: text is written, a number waits so many ms. */
export type Answer = string | readonly (string | number | 'FIN' | 'RST')[];

export interface UpstreamScript {
  /** To the first request, the second, …; the last one is given for ever. */
  readonly answers?: readonly Answer[];
  /** Answers when the head has come, without waiting for the body. */
  readonly early?: boolean;
  /** Bytes that come after the answer are sent back (an upgraded connection). */
  readonly echo?: boolean;
  /** Sent when a connection is accepted, before any request. */
  readonly greeting?: string;
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';

export class ScriptedUpstream {
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();
  private readonly script: UpstreamScript;
  private answered = 0;
  /** What came on each connection, in the order in which connections came. */
  readonly received: string[] = [];
  port = 0;

  constructor(script: UpstreamScript) {
    this.script = script;
    this.server = net.createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = (this.server.address() as net.AddressInfo).port;
    return this;
  }

  private accept(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    const index = this.received.push('') - 1;
    const messages = new Messages('request');
    let early = false;
    let tunnel = false;
    if (this.script.greeting !== undefined) socket.write(this.script.greeting, 'latin1');
    socket.on('data', (bytes: Buffer) => {
      this.received[index] += bytes.toString('latin1');
      if (tunnel) {
        if (this.script.echo) socket.write(bytes);
        return;
      }
      const before = messages.complete;
      messages.add(bytes);
      const whole = messages.complete - before;
      for (let i = 0; i < whole; i++) {
        if (!early) void this.answer(socket);
        early = false;
      }
      if (this.script.early && !early && messages.pendingHead !== undefined) {
        early = true;
        void this.answer(socket);
      }
      if (this.script.echo && whole > 0) {
        tunnel = true;
        socket.write(messages.unread, 'latin1');
      }
    });
    socket.on('end', () => {
      this.received[index] += '<FIN>';
      socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (this.received[index] += `<${error.code}>`));
    socket.on('close', () => this.sockets.delete(socket));
  }

  private async answer(socket: net.Socket): Promise<void> {
    const answers = this.script.answers ?? [OK];
    const answer = answers[Math.min(this.answered++, answers.length - 1)];
    for (const part of [answer].flat()) {
      if (socket.destroyed) return;
      if (typeof part === 'number') await sleep(part);
      else if (part === 'FIN') socket.end();
      else if (part === 'RST') socket.resetAndDestroy();
      else socket.write(part, 'latin1');
    }
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
