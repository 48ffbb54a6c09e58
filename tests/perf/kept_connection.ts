// A connection that stays, with one request at a time on it: what loads at a fixed rate are made of.

import net from 'node:net';
import { MessageReader } from './message_reader.ts';

export class KeptConnection {
  readonly #socket: net.Socket;
  readonly #request: string;
  #began = 0;
  #onAnswer: (ms: number) => void = () => undefined;

  /** `onFailure` hears of answers other than 200, of errors, and of an end. */
  constructor(port: number, host: string, path: string, onFailure: (why: string) => void) {
    this.#request = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    const reader = new MessageReader((head) => {
      if (!head.startsWith('HTTP/1.1 200 ')) onFailure(head);
      this.#onAnswer(performance.now() - this.#began);
    });
    this.#socket = net.connect({ port, host: '127.0.0.1' }).setNoDelay();
    this.#socket.on('data', (bytes) => reader.read(bytes as Buffer));
    this.#socket.on('error', (error) => onFailure(error.message)).on('close', () => onFailure('closed'));
  }

  /** `began`: of performance.now(), where it should have been sent before. */
  call(onAnswer: (ms: number) => void, began = performance.now()): void {
    this.#began = began;
    this.#onAnswer = onAnswer;
    this.#socket.write(this.#request);
  }
}
