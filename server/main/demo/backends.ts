// What stands behind the proxy in the demo: two versions of a hello service over HTTP, and a TCP echo.
// They run in the proxy's own process, so that `npm start` needs nothing else on the machine.

import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { ConfigError } from '../../api/config_error.ts';

const HOST = '127.0.0.1';

/** As examples/demo/clusters.yaml and endpoints.yaml have them. */
export const DEMO_PORTS = { helloV1: 10001, helloV2: 10002, echo: 10003 } as const;
export type DemoPorts = Readonly<Record<keyof typeof DEMO_PORTS, number>>;

export interface DemoBackends {
  /** The ports in use, which the system chose where 0 was asked for. */
  readonly ports: DemoPorts;
  close(): void;
}

/** Starts all of them on 127.0.0.1. Throws ConfigError when a port is taken. */
export async function startBackends(ports: DemoPorts = DEMO_PORTS): Promise<DemoBackends> {
  const servers = [hello('v1'), hello('v2'), echo()] as const;
  const close = (): void => {
    for (const server of servers) server.close();
  };
  try {
    const [helloV1, helloV2, echoPort] = await Promise.all([
      listen(servers[0], ports.helloV1),
      listen(servers[1], ports.helloV2),
      listen(servers[2], ports.echo),
    ]);
    return { ports: { helloV1, helloV2, echo: echoPort }, close };
  } catch (error) {
    close();
    throw error;
  }
}

function hello(version: string): HttpServer {
  return createHttpServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'text/plain');
    response.end(`Hello from ${version}: ${request.method} ${request.url}\n`);
  });
}

function echo(): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'something else uses it' : error.message;
      reject(new ConfigError('', `the demo needs port ${port} of ${HOST} for a backend: ${reason}`));
    });
    server.listen(port, HOST, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
