// HTTP/2 by prior knowledge: the HTTP check over it, and the health service of gRPC.
// Envoy: source/extensions/health_checkers/{http,grpc}/health_checker_impl.cc; https://github.com/grpc/grpc/blob/master/doc/health-checking.md.

import type * as http2 from 'node:http2';
import type net from 'node:net';
import { nodeHttp2 } from '../../common/builtins.ts';
import type { GrpcProbeConfig, HttpProbeConfig } from '../../common/upstream/health_check_config.ts';
import { ProbeAnswer, probeHeaders } from './http_probe.ts';
import {
  connectProbe,
  NETWORK_FAILURE,
  type Probe,
  type ProbeResult,
  type ProbeTarget,
  SUCCESS,
} from './probe.ts';

/** grpc.health.v1.HealthCheckResponse.SERVING */
const SERVING = 1;
/** The longest answer that is looked at, bytes. */
const MAX_ANSWER = 4096;
const NOT_SERVING: ProbeResult = Object.freeze({
  ok: false,
  verified: false,
  type: 'ACTIVE',
  retriable: false,
  status: 0,
  exclude: false,
});

abstract class Http2ProbeBase implements Probe {
  protected readonly target: ProbeTarget;
  readonly #reuse: boolean;
  #session: http2.ClientHttp2Session | undefined;
  #connecting: net.Socket | undefined;
  #onResult: ((result: ProbeResult) => void) | undefined;

  constructor(target: ProbeTarget, reuse: boolean) {
    this.target = target;
    this.#reuse = reuse;
  }

  protected abstract request(session: http2.ClientHttp2Session): http2.ClientHttp2Stream;
  /** Reads the answer and calls `finish`. */
  protected abstract read(stream: http2.ClientHttp2Stream): void;

  start(onResult: (result: ProbeResult) => void): void {
    this.#onResult = onResult;
    if (this.#session !== undefined) this.#ask(this.#session);
    else if (this.target.security === undefined) this.#ask(this.#open(undefined));
    else {
      this.#connecting = connectProbe(this.target, (socket) => {
        this.#connecting = undefined;
        if (socket === undefined) this.finish(NETWORK_FAILURE);
        else this.#ask(this.#open(socket));
      });
    }
  }

  #ask(session: http2.ClientHttp2Session): void {
    const stream = this.request(session);
    stream.on('error', () => this.finish(NETWORK_FAILURE));
    stream.on('close', () => this.finish(NETWORK_FAILURE));
    this.read(stream);
  }

  abort(): void {
    this.#onResult = undefined;
    const session = this.#session;
    const connecting = this.#connecting;
    this.#session = undefined;
    this.#connecting = undefined;
    session?.destroy();
    connecting?.destroy();
  }

  close(): void {
    this.abort();
  }

  protected finish(result: ProbeResult): void {
    const onResult = this.#onResult;
    if (onResult === undefined) return;
    this.#onResult = undefined;
    if (!this.#reuse) this.abort();
    onResult(result);
  }

  /** Over a connection that there is, or one of its own. */
  #open(socket: net.Socket | undefined): http2.ClientHttp2Session {
    const { ip, port, path } = this.target;
    const authority = `http://${ip.includes(':') ? `[${ip}]` : ip || 'localhost'}:${port}`;
    const plain = path === '' ? {} : { path };
    const options = socket === undefined ? plain : { createConnection: () => socket };
    const session = nodeHttp2().connect(authority, options);
    this.#session = session;
    const gone = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on('error', () => this.finish(NETWORK_FAILURE));
    session.on('goaway', gone);
    session.on('close', gone);
    return session;
  }
}

/** http_health_check with codec_client_type HTTP2. */
export class Http2Probe extends Http2ProbeBase {
  readonly #config: HttpProbeConfig;

  constructor(config: HttpProbeConfig, target: ProbeTarget, reuse: boolean) {
    super(target, reuse);
    this.#config = config;
  }

  protected request(session: http2.ClientHttp2Session): http2.ClientHttp2Stream {
    const { method, path, body } = this.#config;
    const { host, ...headers } = Object.fromEntries(probeHeaders(this.#config, this.target));
    const stream = session.request({
      ':method': method,
      ':path': path,
      ':scheme': this.target.security === undefined ? 'http' : 'https',
      ':authority': host,
      ...headers,
    });
    stream.end(body);
    return stream;
  }

  protected read(stream: http2.ClientHttp2Stream): void {
    const answer = new ProbeAnswer(this.#config);
    stream.on('response', (headers) => {
      stream.on('data', (bytes: Buffer) => answer.add(bytes));
      stream.on('end', () => this.finish(answer.judge(Number(headers[':status']), headers)));
    });
  }
}

/** grpc_health_check. */
export class GrpcProbe extends Http2ProbeBase {
  readonly #config: GrpcProbeConfig;
  readonly #timeoutMs: number;

  constructor(config: GrpcProbeConfig, target: ProbeTarget, reuse: boolean, timeoutMs: number) {
    super(target, reuse);
    this.#config = config;
    this.#timeoutMs = timeoutMs;
  }

  protected request(session: http2.ClientHttp2Session): http2.ClientHttp2Stream {
    const { metadata, serviceName } = this.#config;
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      ':scheme': this.target.security === undefined ? 'http' : 'https',
      ':authority': this.target.hostname,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${this.#timeoutMs}m`,
      'user-agent': 'Envoy/HC',
      ...Object.fromEntries(metadata),
    });
    stream.end(healthCheckRequest(serviceName));
    return stream;
  }

  protected read(stream: http2.ClientHttp2Stream): void {
    const chunks: Buffer[] = [];
    let length = 0;
    let status: unknown;
    let degraded = false;
    stream.on('response', (headers) => {
      status = headers['grpc-status'];
      degraded = headers['x-envoy-degraded'] !== undefined;
    });
    stream.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    stream.on('data', (bytes: Buffer) => {
      if (length < MAX_ANSWER) chunks.push(bytes);
      length += bytes.length;
    });
    stream.on('end', () => {
      const serving = status === '0' && servingStatus(Buffer.concat(chunks)) === SERVING;
      if (serving) this.finish(degraded ? { ok: true, degraded, verified: false } : SUCCESS);
      else this.finish(NOT_SERVING);
    });
  }
}

/** A gRPC message: flag, length, and the name of the service as field 1. */
function healthCheckRequest(serviceName: string): Buffer {
  const name = Buffer.from(serviceName);
  const field = name.length === 0 ? [] : [Buffer.from([0x0a, ...varint(name.length)]), name];
  const message = Buffer.concat(field);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Field 1 of the HealthCheckResponse in a gRPC message; undefined for anything else. */
function servingStatus(bytes: Buffer): number | undefined {
  if (bytes.length < 5 || bytes[0] !== 0 || bytes.length !== 5 + bytes.readUInt32BE(1)) return undefined;
  if (bytes.length === 5) return 0;
  return bytes[5] === 0x08 && bytes.length === 7 ? bytes[6] : undefined;
}
