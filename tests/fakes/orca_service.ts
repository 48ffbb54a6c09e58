// A host that tells its load out of band (xds.service.orca.v3.OpenRcaService), over HTTP/2 with or without TLS. It also answers
// requests, with its name.

import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { encode } from '../../xds-protos/load.ts';

const PATH = '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics';
const HEAD = { ':status': 200, 'content-type': 'application/grpc' };

export interface OrcaCall {
  readonly headers: http2.IncomingHttpHeaders;
  /** The request as it came. */
  body: Buffer;
  /** '' without TLS. */
  readonly alpn: string;
  readonly stream: http2.ServerHttp2Stream;
  readonly closed: boolean;
}

/** What the host does with call number `index`, from 0. */
export type OrcaBehaviour = (stream: http2.ServerHttp2Stream, index: number) => void;

/** A report as it goes over the wire. */
export function orcaFrame(report: object): Buffer {
  const message = Buffer.from(encode('xds.data.orca.v3.OrcaLoadReport', report));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Reports again and again. */
export function reporting(report: object, everyMs = 100): OrcaBehaviour {
  return (stream) => {
    stream.respond(HEAD);
    stream.write(orcaFrame(report));
    const timer = setInterval(() => stream.write(orcaFrame(report)), everyMs);
    stream.on('close', () => clearInterval(timer));
  };
}

/** Sends these bytes, and nothing more. */
export function sending(...parts: readonly Uint8Array[]): OrcaBehaviour {
  return (stream) => {
    stream.respond(HEAD);
    for (const part of parts) stream.write(part);
  };
}

/** Ends the call with a status of gRPC. */
export function ending(status: number): OrcaBehaviour {
  return (stream) => stream.respond({ ...HEAD, 'grpc-status': String(status) }, { endStream: true });
}

export class OrcaService {
  readonly calls: OrcaCall[] = [];
  /** Connections that are open. */
  readonly sessions = new Set<http2.Http2Session>();
  port = 0;
  private readonly name: string;
  private readonly behaviour: OrcaBehaviour;
  private readonly server: http2.Http2Server | http2.Http2SecureServer;

  private constructor(name: string, behaviour: OrcaBehaviour, tls: http2.SecureServerOptions | undefined) {
    this.name = name;
    this.behaviour = behaviour;
    this.server = tls === undefined ? http2.createServer() : http2.createSecureServer(tls);
    this.server.on('session', (session) => {
      this.sessions.add(session);
      session.on('error', () => undefined);
      session.on('close', () => this.sessions.delete(session));
    });
    this.server.on('stream', (stream: http2.ServerHttp2Stream, headers) => this.answer(stream, headers));
  }

  static async start(
    name: string,
    behaviour: OrcaBehaviour,
    tls?: http2.SecureServerOptions,
  ): Promise<OrcaService> {
    const service = new OrcaService(name, behaviour, tls);
    await new Promise<void>((resolve) => service.server.listen(0, '127.0.0.1', resolve));
    service.port = (service.server.address() as AddressInfo).port;
    return service;
  }

  /** Calls that have not ended. */
  get open(): number {
    return this.calls.filter((call) => !call.closed).length;
  }

  /** All connections say goodbye (GOAWAY without an error), and stay for what is under way. */
  goAway(): void {
    for (const session of this.sessions) session.goaway();
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private answer(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    stream.on('error', () => undefined);
    if (headers[':path'] !== PATH) {
      stream.respond({ ':status': 200, 'x-host': this.name }, { endStream: true });
      return;
    }
    const alpn = (stream.session!.socket as TLSSocket).alpnProtocol;
    const call = {
      headers,
      body: Buffer.alloc(0),
      alpn: typeof alpn === 'string' ? alpn : '',
      stream,
      get closed() {
        return stream.closed || stream.destroyed;
      },
    };
    this.calls.push(call);
    stream.on('data', (bytes: Buffer) => (call.body = Buffer.concat([call.body, bytes])));
    stream.on('end', () => this.behaviour(stream, this.calls.indexOf(call)));
  }
}
