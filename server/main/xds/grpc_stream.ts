// A stream that comes back: whatever ends it, it is opened again after a jittered back-off that starts anew once the server answers.
// Envoy: source/extensions/config_subscription/grpc/grpc_stream.h.

import { logger } from '../../common/log.ts';
import type { JitteredExponentialBackOff } from './backoff.ts';
import type { GrpcChannel, GrpcStreamCall } from './grpc_channel.ts';

const log = logger('config');

export interface GrpcStreamCallbacks {
  /** A new stream: what is sent now are its first messages. */
  onStreamStarted(): void;
  onConnected(): void;
  /** Throws DecodeError for what is no response; the stream is then begun anew. */
  onMessage(bytes: Uint8Array): void;
  onStreamClosed(details: string): void;
}

export class GrpcStream {
  readonly #channel: GrpcChannel;
  readonly #method: string;
  readonly #backOff: JitteredExponentialBackOff;
  readonly #callbacks: GrpcStreamCallbacks;
  #call: GrpcStreamCall | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #answered = false;
  /** Said once: a server that is away for an hour is one line, not a hundred. */
  #lastWarning = '';
  #closed = false;

  constructor(
    channel: GrpcChannel,
    method: string,
    backOff: JitteredExponentialBackOff,
    callbacks: GrpcStreamCallbacks,
  ) {
    this.#channel = channel;
    this.#method = method;
    this.#backOff = backOff;
    this.#callbacks = callbacks;
  }

  get open(): boolean {
    return this.#call !== undefined;
  }

  /** Opens the stream unless it is open or waiting to be. */
  start(): void {
    if (this.#closed || this.#call !== undefined || this.#retryTimer !== undefined) return;
    this.#answered = false;
    try {
      this.#call = this.#channel.open(this.#method, {
        onConnected: () => this.#callbacks.onConnected(),
        onMessage: (bytes) => this.#onMessage(bytes),
        onClosed: (code, details) => this.#onClosed(`${code}, ${details}`),
      });
    } catch (error) {
      this.#onClosed(String(error instanceof Error ? error.message : error));
      return;
    }
    this.#callbacks.onStreamStarted();
  }

  send(bytes: Uint8Array): void {
    this.#call?.send(bytes);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#call?.cancel();
    this.#call = undefined;
  }

  #onMessage(bytes: Uint8Array): void {
    this.#answered = true;
    try {
      this.#callbacks.onMessage(bytes);
      this.#backOff.reset();
    } catch (error) {
      this.#call?.cancel();
      this.#onClosed(`unreadable response: ${error instanceof Error ? error.message : error}`);
    }
  }

  #onClosed(details: string): void {
    this.#call = undefined;
    if (this.#closed) return;
    const waitMs = this.#backOff.nextMs();
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.start();
    }, waitMs);
    this.#report(details);
    this.#callbacks.onStreamClosed(details);
  }

  /** A server that ends a stream it has served does so as a matter of course; one that never answers deserves a warning. */
  #report(details: string): void {
    const name = this.#method.slice(this.#method.lastIndexOf('/') + 1);
    const message = `${name} gRPC config stream to ${this.#channel.target.name} closed: ${details}`;
    if (this.#answered) {
      this.#lastWarning = '';
      log.info(`${message}; opening it again`);
    } else if (message !== this.#lastWarning) {
      this.#lastWarning = message;
      log.warning(message);
    } else log.debug(message);
  }
}
