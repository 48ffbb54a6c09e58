// A health discovery service on real gRPC: a test says what it asks for, and sees what it is told.

import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { HealthCheckRequestOrEndpointHealthResponse } from '../../xds-protos/generated/envoy/service/health/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { decode, encode } from '../../xds-protos/load.ts';

const SPECIFIER = 'envoy.service.health.v3.HealthCheckSpecifier';
const ANSWER = 'envoy.service.health.v3.HealthCheckRequestOrEndpointHealthResponse';

type Json = Readonly<Record<string, unknown>>;

/** Of one proxy. */
export class HealthService {
  readonly received: HealthCheckRequestOrEndpointHealthResponse[] = [];
  port = 0;
  private readonly server = new Server();
  private call: ServerDuplexStream<unknown, Uint8Array> | undefined;
  streams = 0;

  async start(): Promise<void> {
    const bytes = {
      serialize: (value: Uint8Array) => value as Buffer,
      deserialize: (value: Buffer) => value,
    };
    this.server.addService(
      {
        stream: {
          path: '/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck',
          requestStream: true,
          responseStream: true,
          requestSerialize: bytes.serialize,
          requestDeserialize: bytes.deserialize,
          responseSerialize: bytes.serialize,
          responseDeserialize: bytes.deserialize,
        },
      },
      {
        stream: (call: ServerDuplexStream<Buffer, Uint8Array>) => {
          this.streams++;
          this.call = call;
          call.on('error', () => undefined);
          call.on('end', () => call.end());
          call.on('data', (message: Buffer) => this.received.push(decode(ANSWER, message)));
        },
      },
    );
    this.port = await new Promise((resolve, reject) =>
      this.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
  }

  ask(specifier: Json): void {
    this.call!.write(encode(SPECIFIER, fromJson(SPECIFIER, { interval: '0.1s', ...specifier })));
  }

  endStream(): void {
    this.call!.end();
  }

  stop(): void {
    this.server.forceShutdown();
  }
}
