// The servers behind the proxies, a child process of the benchmark: as little work per request as node allows.
// Writes its ports as one line of JSON, and ends when its standard input does.

import { once } from 'node:events';
import net from 'node:net';
import { acceptHandles, wrapHandle } from '../../server/common/network/socket.ts';
import { serveCalls } from './http2_peer.ts';
import { MessageReader } from './message_reader.ts';

export interface UpstreamPorts {
  /** Answers every request with 1 KB. */
  readonly http: number;
  /** Answers gRPC calls, over HTTP/2. */
  readonly grpc: number;
  /** Sends back what it gets. */
  readonly echo: number;
  /** Gets a number and a line feed, and sends so many bytes. */
  readonly source: number;
}

const ANSWER_BYTES = 1024;
const ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${ANSWER_BYTES}\r\n\r\n${'x'.repeat(ANSWER_BYTES)}`;

const PIECE = Buffer.alloc(256 * 1024, 'x');

/** Reads as the proxy does: an upstream that is slower than the proxy would be what is measured. */
async function listenForRequests(): Promise<number> {
  const server = net.createServer();
  await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }), 'listening');
  acceptHandles(server, (handle) => {
    const { socket, setReader, start } = wrapHandle(handle, ANSWER.length);
    const reader = new MessageReader(() => socket.write(ANSWER, 'latin1'));
    socket.on('error', () => socket.destroy()).on('end', () => socket.end());
    setReader({
      onRead: (bytes, from, to) => {
        reader.read(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from));
        return true;
      },
    });
    start();
  });
  return (server.address() as net.AddressInfo).port;
}

function echo(socket: net.Socket): void {
  socket.pipe(socket);
}

function source(socket: net.Socket): void {
  let request = '';
  socket.on('data', (bytes) => {
    request += String(bytes);
    if (!request.endsWith('\n')) return;
    let missing = Number(request);
    const send = (): void => {
      for (let more = true; more && missing > 0; ) {
        const piece = missing < PIECE.length ? PIECE.subarray(0, missing) : PIECE;
        missing -= piece.length;
        more = socket.write(piece);
      }
      if (missing === 0) socket.end();
    };
    socket.on('drain', send);
    send();
  });
}

async function listen(serve: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    // A proxy that ends takes its connections with it.
    socket.on('error', () => socket.destroy());
    serve(socket);
  });
  await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }), 'listening');
  return (server.address() as net.AddressInfo).port;
}

const ports: UpstreamPorts = {
  http: await listenForRequests(),
  grpc: await listen(serveCalls),
  echo: await listen(echo),
  source: await listen(source),
};
console.log(JSON.stringify(ports));
process.stdin.resume().on('close', () => process.exit());
