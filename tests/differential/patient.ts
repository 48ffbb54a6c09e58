// A host under health checks, for tests: it does well, badly or not at all, and remembers what it was asked.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import tlsModule, { TLSSocket } from 'node:tls';

export type PatientKind = 'http' | 'http2' | 'tcp' | 'closed' | 'https' | 'https2' | 'tls';

/** A file of tests/fixtures/certs. */
export const pem = (name: string): string =>
  readFileSync(path.join(import.meta.dirname, '../fixtures/certs', name), 'utf8');

/** How a host answers its checks. */
export interface Manners {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** It does not answer. */
  readonly silent?: boolean;
  /** grpc.health.v1 status; the gRPC status where it is another than 0. */
  readonly serving?: number;
  readonly grpcStatus?: number;
}

/** It speaks each protocol that checks here offer, and asks for a certificate. */
const SERVER = {
  cert: pem('server.pem'),
  key: pem('server.key'),
  ca: pem('ca.pem'),
  requestCert: true,
  rejectUnauthorized: false,
  ALPNProtocols: ['own', 'health', 'h2'],
};

/** A host, which remembers what it was asked. */
export class Patient {
  manners: Manners = {};
  port = 0;
  readonly asked = new Set<string>();
  private readonly sockets = new Set<net.Socket>();
  private readonly server: net.Server;

  constructor(kind: PatientKind) {
    if (kind === 'http2') {
      const server = http2.createServer();
      server.on('stream', (stream, headers) => this.answerStream(stream as http2.ServerHttp2Stream, headers));
      this.server = server as unknown as net.Server;
    } else if (kind === 'https2') {
      const server = http2.createSecureServer(SERVER);
      server.on('stream', (stream, headers) => this.answerStream(stream as http2.ServerHttp2Stream, headers));
      this.server = server as unknown as net.Server;
    } else if (kind === 'tcp') {
      this.server = net.createServer((socket) => this.talk(socket));
    } else if (kind === 'tls') {
      this.server = tlsModule.createServer(SERVER, (socket) => this.talk(socket));
    } else if (kind === 'https') {
      this.server = https.createServer(SERVER, (request, response) => this.answer(request, response));
    } else this.server = http.createServer((request, response) => this.answer(request, response));
    this.server.on('connection', (socket: net.Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** How it was asked, once something was. A resumed session says nothing new. */
  private noteSecurity(socket: net.Socket): void {
    if (!(socket instanceof TLSSocket) || socket.isSessionReused()) return;
    const { servername } = socket as TLSSocket & { servername?: string };
    const { subject } = socket.getPeerCertificate();
    this.asked.add(`tls | ${servername} | ${socket.alpnProtocol} | ${subject?.CN}`);
  }

  private talk(socket: net.Socket): void {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      this.noteSecurity(socket);
      // The words of the PROXY protocol name the port of each connection.
      const words = bytes
        .toString('latin1')
        .replace(` ${socket.remotePort} `, ' OWN ')
        .replace(` ${this.port}\r`, ' PORT\r');
      this.asked.add(words.startsWith('PROXY ') ? words : bytes.toString('hex'));
      socket.write(this.manners.body ?? '');
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = (this.server.address() as net.AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { status = 200, headers = {}, body = '', silent } = this.manners;
    this.noteSecurity(request.socket);
    const fields = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`);
    let sent = '';
    request.on('data', (bytes: Buffer) => (sent += bytes.toString()));
    request.on('end', () => {
      if (request.url !== '/leave-me-alone')
        this.asked.add([request.method, request.url, ...fields.sort(), sent].join(' | '));
    });
    if (silent) return;
    if (request.url === '/leave-me-alone') response.setHeader('x-envoy-immediate-health-check-fail', 'true');
    response.writeHead(status, headers);
    response.end(body);
  }

  private answerStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    const { status = 200, serving, grpcStatus } = this.manners;
    const chunks: Buffer[] = [];
    stream.on('error', () => stream.destroy());
    stream.on('data', (bytes: Buffer) => chunks.push(bytes));
    stream.on('end', () => {
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
      this.asked.add([...fields.sort(), Buffer.concat(chunks).toString('hex')].join(' | '));
    });
    if (serving === undefined && grpcStatus === undefined) {
      stream.respond({ ':status': status }, { endStream: true });
    } else if (grpcStatus !== undefined) {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': grpcStatus },
        { endStream: true },
      );
    } else {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, serving!]));
    }
  }
}
