// A Zipkin collector that keeps what is reported to it, and an upstream that keeps the heads of its requests.

import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as Zipkin's API v2 has it. */
export interface ReportedSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  readonly name?: string;
  readonly timestamp: number;
  readonly duration: number;
  readonly shared?: boolean;
  readonly localEndpoint: object;
  readonly annotations: readonly { readonly timestamp: number; readonly value: string }[];
  readonly tags: Readonly<Record<string, string>>;
}

export interface Report {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly spans: readonly ReportedSpan[];
}

export class TracingCollector {
  readonly reports: Report[] = [];
  private readonly server = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const spans = JSON.parse(String(Buffer.concat(parts))) as ReportedSpan[];
      this.reports.push({ path: request.url!, headers: request.headers, spans });
      response.writeHead(202).end();
    });
  });

  async listen(): Promise<number> {
    return await listen(this.server);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** `/500` is answered with that status, `/grpc/N` with a gRPC status. */
export class HeadRecorder {
  readonly heads: http.IncomingHttpHeaders[] = [];
  private readonly server = http.createServer((request, response) => {
    this.heads.push(request.headers);
    request.resume();
    const [, first, status] = request.url!.split('/');
    if (first === 'grpc') response.setHeader('content-type', 'application/grpc');
    if (first === 'grpc') response.setHeader('grpc-status', status!);
    response.writeHead(first === '500' ? 500 : 200).end(first === 'grpc' ? '' : 'hello');
  });

  async listen(): Promise<number> {
    return await listen(this.server);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

function listen(server: http.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
