// A scriptable xDS server on real gRPC: it records every request and sends what a test tells it to.
// Its answers are written by the tests, so it knows nothing of the protocol beyond its two messages.

import {
  type Server as GrpcServer,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type StatusObject,
} from '@grpc/grpc-js';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Init } from '../../xds-protos/load.ts';
import { decode, encode } from '../../xds-protos/load.ts';

export interface RecordedRequest<Request> {
  readonly stream: FakeStream<Request>;
  readonly request: Request;
}

type SotwServer = FakeXdsServer<DiscoveryRequest>;
type DeltaServer = FakeXdsServer<DeltaDiscoveryRequest>;

/** Puts more than xDS on the same port. */
export type AddServices = (server: GrpcServer) => void;

const NOUNS: readonly (readonly [service: string, noun: string])[] = [
  ['envoy.service.discovery.v3.AggregatedDiscoveryService', 'AggregatedResources'],
  ['envoy.service.cluster.v3.ClusterDiscoveryService', 'Clusters'],
  ['envoy.service.endpoint.v3.EndpointDiscoveryService', 'Endpoints'],
  ['envoy.service.listener.v3.ListenerDiscoveryService', 'Listeners'],
  ['envoy.service.route.v3.RouteDiscoveryService', 'Routes'],
  ['envoy.service.secret.v3.SecretDiscoveryService', 'Secrets'],
  ['envoy.service.extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs'],
];

/** One stream of a client. */
export class FakeStream<Request> {
  readonly method: string;
  readonly #call: ServerDuplexStream<Request, Uint8Array>;
  readonly metadata: Metadata;
  ended = false;

  constructor(method: string, call: ServerDuplexStream<Request, Uint8Array>) {
    this.method = method;
    this.#call = call;
    this.metadata = call.metadata;
  }

  /** Of the client's certificate, in capitals; undefined when it has none. */
  get peerSerialNumber(): string | undefined {
    return this.#call.getAuthContext().sslPeerCertificate?.serialNumber;
  }

  /** Wire bytes as they are: a recorded response, or garbage. */
  sendBytes(bytes: Uint8Array): void {
    this.#call.write(bytes);
  }

  sendSotw(response: Init<DiscoveryResponse>): void {
    this.sendBytes(encode('envoy.service.discovery.v3.DiscoveryResponse', response));
  }

  sendDelta(response: Init<DeltaDiscoveryResponse>): void {
    this.sendBytes(encode('envoy.service.discovery.v3.DeltaDiscoveryResponse', response));
  }

  /** Ends the stream with a status; OK without one. */
  end(status?: Partial<StatusObject>): void {
    if (status === undefined) this.#call.end();
    else this.#call.emit('error', { metadata: new Metadata(), ...status });
  }
}

export class FakeXdsServer<Request = DiscoveryRequest> {
  readonly requests: RecordedRequest<Request>[] = [];
  readonly streams: FakeStream<Request>[] = [];
  /** Called for every request; what a test sends from here goes out at once. */
  onRequest: (request: Request, stream: FakeStream<Request>) => void = () => {};
  readonly #dialect: 'sotw' | 'delta';
  readonly #credentials: ServerCredentials;
  readonly #addServices: AddServices;
  #server: GrpcServer;
  #taken = 0;
  #waiting: (() => void) | undefined;
  /** `127.0.0.1:<port>`, or the `unix:` address it was started on. */
  address = '';

  private constructor(
    dialect: 'sotw' | 'delta',
    credentials: ServerCredentials,
    addServices: AddServices = () => {},
  ) {
    this.#dialect = dialect;
    this.#credentials = credentials;
    this.#addServices = addServices;
    this.#server = this.#create();
  }

  /** `address` defaults to a free port of 127.0.0.1. */
  static async sotw(address?: string, credentials = ServerCredentials.createInsecure()): Promise<SotwServer> {
    const server = new FakeXdsServer<DiscoveryRequest>('sotw', credentials);
    await server.#bind(address ?? '127.0.0.1:0');
    return server;
  }

  static async delta(
    address?: string,
    credentials = ServerCredentials.createInsecure(),
    addServices?: AddServices,
  ): Promise<DeltaServer> {
    const server = new FakeXdsServer<DeltaDiscoveryRequest>('delta', credentials, addServices);
    await server.#bind(address ?? '127.0.0.1:0');
    return server;
  }

  get port(): number {
    return Number(this.address.slice(this.address.lastIndexOf(':') + 1));
  }

  /** The next request nobody has taken yet. Rejects after `timeoutMs`. */
  async next(timeoutMs = 5_000): Promise<RecordedRequest<Request>> {
    const deadline = AbortSignal.timeout(timeoutMs);
    while (this.requests.length <= this.#taken) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const expired = (): void => reject(new Error(`no request within ${timeoutMs} ms`));
      deadline.addEventListener('abort', expired);
      this.#waiting = resolve;
      await promise.finally(() => deadline.removeEventListener('abort', expired));
    }
    return this.requests[this.#taken++]!;
  }

  /** Fails when a request comes within `ms`. */
  async expectSilence(ms = 60): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    const extra = this.requests[this.#taken];
    if (extra !== undefined) throw new Error(`unexpected request: ${describe(extra.request)}`);
  }

  /** Kills all connections at once: what a crash looks like from outside. */
  crash(): void {
    this.#server.forceShutdown();
  }

  /** Sends GOAWAY to every client; their streams end within the grace time. */
  goAway(graceMs: number): void {
    this.#server.drain(this.address, graceMs);
  }

  /** Comes back on the same address after crash(). */
  async restart(): Promise<void> {
    this.#server = this.#create();
    await this.#bind(this.address);
  }

  close(): void {
    this.#server.forceShutdown();
  }

  #create(): GrpcServer {
    const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
    this.#addServices(server);
    const delta = this.#dialect === 'delta';
    const type = `envoy.service.discovery.v3.${delta ? 'Delta' : ''}DiscoveryRequest`;
    for (const [service, noun] of NOUNS) {
      const name = `${delta ? 'Delta' : 'Stream'}${noun}`;
      const path = `/${service}/${name}`;
      const definition = {
        path,
        requestStream: true,
        responseStream: true,
        requestSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
        requestDeserialize: (bytes: Buffer) => decode<Request>(type, bytes),
        responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
        responseDeserialize: (bytes: Buffer) => bytes,
      };
      server.addService(
        { [name]: definition },
        { [name]: (call: ServerDuplexStream<Request, Uint8Array>) => this.#onStream(path, call) },
      );
    }
    return server;
  }

  async #bind(address: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#server.bindAsync(address, this.#credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
    const port = await promise;
    this.address = address.startsWith('unix:') ? address : `127.0.0.1:${port}`;
  }

  #onStream(method: string, call: ServerDuplexStream<Request, Uint8Array>): void {
    const stream = new FakeStream<Request>(method, call);
    this.streams.push(stream);
    call.on('data', (request: Request) => {
      this.requests.push({ stream, request });
      this.#waiting?.();
      this.onRequest(request, stream);
    });
    const ended = (): void => {
      stream.ended = true;
    };
    call.on('end', () => {
      ended();
      call.end();
    });
    call.on('cancelled', ended);
    call.on('error', ended);
  }
}

function describe(request: unknown): string {
  return JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
