// A client that sends exactly the bytes it is told to, and tells what came back, when and how it ended.

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Messages } from './raw_messages.ts';

/** A step of a connection. A string is sent, and one response (to its method) is waited for. */
export type Step =
  | string
  | {
      /** Sent as they are; a number waits so many ms between the parts. */
      readonly send?: string | readonly (string | number)[];
      /** Final responses to wait for; 'close': until the proxy closes; 'any': until anything has come. */
      readonly await?: number | 'close' | 'any';
      /** Afterwards: FIN, RST or a wait of so many ms. */
      readonly after?: 'fin' | 'reset' | number;
    };

/** No answer takes longer, unless something hangs. */
const PATIENCE_MS = 8000;

/** What the client saw: its bytes, and how the connection ended. */
export async function talk(port: number, steps: readonly Step[]): Promise<string> {
  const connection = new Connection(port);
  for (const step of steps) await connection.take(typeof step === 'string' ? { send: step } : step);
  return await connection.finish();
}

class Connection {
  private readonly socket: net.Socket;
  private received = Buffer.alloc(0);
  private readonly messages = new Messages('response');
  private end = '';
  private wake: () => void = () => {};

  constructor(port: number) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.messages.add(bytes);
      this.wake();
    });
    this.socket.on('end', () => this.onEnd('FIN'));
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.onEnd(error.code ?? 'error'));
  }

  private onEnd(how: string): void {
    this.end ||= how;
    this.wake();
  }

  async take(step: Exclude<Step, string>): Promise<void> {
    // Nobody sends more on a connection that was said to end.
    if (this.messages.closing) return;
    const parts = step.send === undefined ? [] : [step.send].flat();
    const text = parts.filter((part) => typeof part === 'string').join('');
    const target = this.messages.complete + (typeof step.await === 'number' ? step.await : 1);
    const before = this.received.length;
    if (text !== '') this.messages.expect(text);
    for (const part of parts) {
      if (typeof part === 'number') await sleep(part);
      else if (!this.socket.destroyed) this.socket.write(part, 'latin1');
    }
    if (step.await === 'close') await this.until(() => false);
    else if (step.await === 'any') await this.until(() => this.received.length > before);
    else if (step.await !== 0 && text !== '') await this.until(() => this.messages.complete >= target);
    if (step.after === 'fin') this.socket.end();
    else if (step.after === 'reset') this.socket.resetAndDestroy();
    else if (step.after !== undefined) await sleep(step.after);
  }

  /** Until the condition holds or the proxy has ended the connection. */
  private async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!condition() && this.end === '' && !this.socket.destroyed) {
      const left = deadline - Date.now();
      if (left <= 0) {
        this.end = 'nothing came';
        return;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Closes. Whoever is told `connection: close` waits for the proxy to do it. */
  async finish(): Promise<string> {
    if (this.messages.closing) await this.until(() => false);
    const ended = this.end === '' ? 'open' : this.end;
    this.socket.destroy();
    return `${this.received.toString('latin1')}<${ended}>`;
  }
}
