// The folder control plane (`--resources DIR`): ADS, state of the world and incremental, of the resource files of a folder.
// A real gRPC server, so that it takes the same way into the proxy as any other control plane.

import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Init } from '../../../xds-protos/load.ts';
import { decode, encode, type TypeMap } from '../../../xds-protos/load.ts';
import { DeltaDialogue } from './delta_dialogue.ts';
import { ResourceFolder } from './resource_folder.ts';
import type { Session } from './session.ts';
import type { Snapshot } from './snapshot.ts';
import { SotwDialogue } from './sotw_dialogue.ts';

export interface ResourceServerOptions {
  /** `127.0.0.1:0` (any port) by default; `unix:/path` for a Unix socket. */
  readonly address?: string;
}

export interface ResourceServer {
  /** `127.0.0.1:<port>` or `unix:/path`. */
  readonly address: string;
  close(): void;
}

const SERVICE = 'envoy.service.discovery.v3.';

interface DialogueOf<Request> {
  readonly session: Session;
  onRequest(request: Request): void;
}

/** Serves `directory` until close(). Rejects when the folder cannot be read or the address not be bound. */
export async function startResourceServer(
  directory: string,
  options: ResourceServerOptions = {},
): Promise<ResourceServer> {
  const sessions = new Set<Session>();
  const folder = new ResourceFolder(directory, (snapshot) => {
    for (const session of sessions) session.update(snapshot);
  });
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  const serve = <Q extends keyof TypeMap, R extends keyof TypeMap>(
    name: string,
    requestType: Q,
    responseType: R,
    open: (snapshot: Snapshot, send: (response: Init<TypeMap[R]>) => void) => DialogueOf<TypeMap[Q]>,
  ): void => {
    const handler = (call: ServerDuplexStream<TypeMap[Q], Init<TypeMap[R]>>): void => {
      const dialogue = open(folder.snapshot, (response) => call.write(response));
      sessions.add(dialogue.session);
      const close = (): void => {
        sessions.delete(dialogue.session);
        dialogue.session.close();
      };
      call.on('data', (request: TypeMap[Q]) => dialogue.onRequest(request));
      call.on('end', () => call.end());
      for (const event of ['end', 'cancelled', 'error']) call.on(event, close);
    };
    server.addService(
      {
        [name]: {
          path: `/${SERVICE}AggregatedDiscoveryService/${name}`,
          requestStream: true,
          responseStream: true,
          requestSerialize: (request: Init<TypeMap[Q]>) => Buffer.from(encode(requestType, request)),
          requestDeserialize: (bytes: Buffer) => decode(requestType, bytes),
          responseSerialize: (response: Init<TypeMap[R]>) => Buffer.from(encode(responseType, response)),
          responseDeserialize: (bytes: Buffer) => decode(responseType, bytes),
        },
      },
      { [name]: handler },
    );
  };
  serve(
    'StreamAggregatedResources',
    `${SERVICE}DiscoveryRequest`,
    `${SERVICE}DiscoveryResponse`,
    (snapshot, send) => new SotwDialogue(snapshot, send),
  );
  serve(
    'DeltaAggregatedResources',
    `${SERVICE}DeltaDiscoveryRequest`,
    `${SERVICE}DeltaDiscoveryResponse`,
    (snapshot, send) => new DeltaDialogue(snapshot, send),
  );
  try {
    return {
      address: await bind(server, options.address ?? '127.0.0.1:0'),
      close: () => {
        folder.close();
        for (const session of sessions) session.close();
        server.forceShutdown();
      },
    };
  } catch (error) {
    folder.close();
    throw error;
  }
}

async function bind(server: Server, address: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  const port = await promise;
  return address.startsWith('unix:') ? address : `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
}
