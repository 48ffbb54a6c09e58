// The way to a gRPC server of the configuration: one HTTP/2 connection that the streams to it share, and the next endpoint
// when one cannot be reached. What it is made of comes from grpc_target.ts.
// Envoy: source/common/grpc/async_client_manager_impl.cc.

import type { ChannelCredentials, ChannelOptions, Client, ClientDuplexStream } from '@grpc/grpc-js';
import { grpcJs } from './grpc.ts';

/** A GrpcService that has been understood. */
export interface GrpcTarget {
  /** The cluster's name, or the target URI: for logs and people. */
  readonly name: string;
  /** Targets in grpc-js' spelling, in order of preference; at least one. */
  readonly endpoints: readonly string[];
  readonly options: ChannelOptions;
  /** Called for every stream: other credentials than before (a renewed certificate, files that were replaced) are another connection. Throws when they cannot be had. */
  credentials(): ChannelCredentials;
  readonly metadata: readonly (readonly [key: string, value: string | Buffer])[];
  readonly connectTimeoutMs: number;
}

export interface StreamEvents {
  /** The connection stands and the stream was sent. */
  onConnected(): void;
  onMessage(bytes: Uint8Array): void;
  /** Called once, whatever ended the stream; not after cancel(). */
  onClosed(code: number, details: string): void;
}

const identity = (bytes: Uint8Array): Buffer => bytes as Buffer;

export class GrpcChannel {
  readonly target: GrpcTarget;
  #client: Client | undefined;
  #credentials: ChannelCredentials | undefined;
  #endpoint = 0;

  constructor(target: GrpcTarget) {
    this.target = target;
  }

  /** Opens a bidirectional stream. What is sent before the connection stands waits for it. Throws when the credentials cannot be had. */
  open(method: string, events: StreamEvents): GrpcStreamCall {
    const { target } = this;
    const credentials = target.credentials();
    // Streams that are open keep their connection until they end.
    if (credentials !== this.#credentials) this.close();
    this.#credentials = credentials;
    this.#client ??= new (grpcJs().Client)(target.endpoints[this.#endpoint]!, credentials, target.options);
    const client = this.#client;
    return new GrpcStreamCall(client, method, target, events, () => this.#giveUp(client));
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /** A new client has no memory of failed attempts: when to try again is the stream's back-off alone. */
  #giveUp(client: Client): void {
    if (client !== this.#client) return;
    this.close();
    this.#endpoint = (this.#endpoint + 1) % this.target.endpoints.length;
  }
}

/** One stream. */
export class GrpcStreamCall {
  #call: ClientDuplexStream<Uint8Array, Uint8Array> | undefined;
  #connected = false;

  /** `onUnreachable` is called when there was no connection. */
  constructor(
    client: Client,
    method: string,
    target: GrpcTarget,
    events: StreamEvents,
    onUnreachable: () => void,
  ) {
    const metadata = new (grpcJs().Metadata)();
    for (const [key, value] of target.metadata) metadata.add(key, value);
    const call = client.makeBidiStreamRequest<Uint8Array, Uint8Array>(method, identity, identity, metadata);
    this.#call = call;
    const end = (code: number, details: string): void => {
      if (this.#call !== call) return;
      this.#call = undefined;
      if (!this.#connected) onUnreachable();
      events.onClosed(code, details);
    };
    const connected = (): void => {
      if (this.#call !== call || this.#connected) return;
      this.#connected = true;
      events.onConnected();
    };
    call.on('data', (bytes: Uint8Array) => {
      connected();
      if (this.#call === call) events.onMessage(bytes);
    });
    call.on('status', ({ code, details }) => end(code, details));
    // The status that follows says the same.
    call.on('error', () => {});
    client.waitForReady(Date.now() + target.connectTimeoutMs, (error) => {
      if (error === undefined) return connected();
      if (this.#connected || this.#call !== call) return;
      end(grpcJs().status.UNAVAILABLE, `no connection within ${target.connectTimeoutMs} ms`);
      call.cancel();
    });
  }

  send(bytes: Uint8Array): void {
    this.#call?.write(bytes);
  }

  /** Ends it without an event. */
  cancel(): void {
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
  }
}
