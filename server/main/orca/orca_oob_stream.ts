// One call to a host's OpenRcaService/StreamCoreMetrics, over a connection of its own: HTTP/2 whatever the cluster speaks.
// Envoy: OrcaOobManager::OobSession in source/extensions/load_balancing_policies/common/orca_oob_manager.cc.

import type * as http2 from 'node:http2';
import type net from 'node:net';
import type { OrcaLoadReport } from '../../../xds-protos/generated/xds/data/orca/v3.ts';
import { decode, encode } from '../../../xds-protos/load.ts';
import { durationOf } from '../../../xds-protos/well_known.ts';
import { nodeHttp2 } from '../../common/builtins.ts';
import { framed } from '../../common/grpc/grpc_service.ts';
import { httpToGrpcStatus } from '../../common/grpc/status.ts';
import { connectProbe, type ProbeTarget } from '../health_checks/probe.ts';

const PATH = '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics';
const REPORT = 'xds.data.orca.v3.OrcaLoadReport';
/** The longest report, bytes. Source: kMaxOrcaReportFrameBytes. */
const MAX_REPORT = 64 * 1024;
/** Flags, and four bytes of length. Source: gRPC over HTTP/2, Length-Prefixed-Message. */
const PREFIX = 5;
/** gRPC statuses. */
const UNKNOWN = 2;
const INTERNAL = 13;
const UNAVAILABLE = 14;
/** Of a HEADERS frame. Source: RFC 9113, 6.2. */
const END_STREAM = 0x1;

export interface OrcaOobStreamCallbacks {
  onReport(report: OrcaLoadReport): void;
  /** Called once, unless `close` comes first. `status`: of gRPC; everything is closed. */
  onEnd(status: number): void;
}

export class OrcaOobStream {
  readonly #target: ProbeTarget;
  readonly #periodMs: number;
  readonly #callbacks: OrcaOobStreamCallbacks;
  #socket: net.Socket | undefined;
  #session: http2.ClientHttp2Session | undefined;
  /** What came of a message that is not whole. */
  #rest: Buffer = Buffer.alloc(0);
  /** The host goes, but has still answered what it was asked: the next report is the last. */
  #goingAway = false;
  #over = false;

  /** `periodMs`: how often the host should report. The target's host name becomes the authority. */
  constructor(target: ProbeTarget, periodMs: number, callbacks: OrcaOobStreamCallbacks) {
    this.#target = target;
    this.#periodMs = periodMs;
    this.#callbacks = callbacks;
    this.#socket = connectProbe(target, (socket) => {
      if (socket === undefined) this.#end(UNAVAILABLE);
      else if (this.#over) socket.destroy();
      else this.#start(socket);
    });
  }

  close(): void {
    this.#over = true;
    this.#session?.destroy();
    this.#socket?.destroy();
    this.#session = undefined;
    this.#socket = undefined;
  }

  #start(socket: net.Socket): void {
    const session = nodeHttp2().connect('http://host', { createConnection: () => socket });
    this.#session = session;
    session.on('error', () => this.#end(UNAVAILABLE));
    session.on('close', () => this.#end(UNAVAILABLE));
    session.on('goaway', (code) => {
      if (code === 0) this.#goingAway = true;
      else this.#end(UNAVAILABLE);
    });
    let stream: http2.ClientHttp2Stream;
    try {
      stream = session.request({
        ':method': 'POST',
        ':path': PATH,
        ':scheme': this.#target.security?.transportSocket.secure === true ? 'https' : 'http',
        ':authority': this.#target.hostname,
        te: 'trailers',
        'content-type': 'application/grpc',
      });
    } catch {
      // An authority that no header can hold.
      this.#end(INTERNAL);
      return;
    }
    stream.on('error', () => this.#end(UNAVAILABLE));
    stream.on('close', () => this.#end(UNAVAILABLE));
    stream.on('response', (headers, flags) => this.#onHeaders(headers, (flags & END_STREAM) !== 0));
    stream.on('trailers', (trailers) => this.#end(statusOf(trailers) ?? UNKNOWN));
    stream.on('data', (bytes: Buffer) => this.#onData(bytes));
    stream.on('end', () => this.#end(UNKNOWN));
    stream.end(framed(orcaLoadReportRequest(this.#periodMs)));
  }

  #onHeaders(headers: http2.IncomingHttpHeaders, endStream: boolean): void {
    const http = Number(headers[':status']);
    if (endStream) this.#end(statusOf(headers) ?? httpToGrpcStatus(http));
    else if (http !== 200 || !/^application\/grpc(\+|$)/.test(headers['content-type'] ?? ''))
      this.#end(httpToGrpcStatus(http));
  }

  #onData(bytes: Buffer): void {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (!this.#over && rest.length >= PREFIX) {
      const length = rest.readUInt32BE(1);
      if (rest[0] !== 0 || length > MAX_REPORT) {
        this.#end(INTERNAL);
        return;
      }
      if (rest.length < PREFIX + length) break;
      if (length > 0) this.#onMessage(rest.subarray(PREFIX, PREFIX + length));
      rest = rest.subarray(PREFIX + length);
    }
    this.#rest = rest;
    if (this.#goingAway) this.#end(UNAVAILABLE);
  }

  #onMessage(bytes: Uint8Array): void {
    let report: OrcaLoadReport;
    try {
      report = decode(REPORT, bytes);
    } catch {
      this.#end(INTERNAL);
      return;
    }
    this.#callbacks.onReport(report);
  }

  #end(status: number): void {
    if (this.#over) return;
    this.close();
    this.#callbacks.onEnd(status);
  }
}

/** xds.service.orca.v3.OrcaLoadReportRequest: the interval as field 1. */
function orcaLoadReportRequest(periodMs: number): Buffer {
  const interval = encode('google.protobuf.Duration', durationOf(periodMs));
  return Buffer.concat([Buffer.from([0x0a, interval.length]), interval]);
}

function statusOf(headers: http2.IncomingHttpHeaders): number | undefined {
  const status = headers['grpc-status'];
  return status === undefined ? undefined : Number(status);
}
