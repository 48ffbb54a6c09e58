// A load generator, a child process of the benchmark. Takes a LoadPlan as JSON, and writes a LoadReport as one line of JSON.

import net from 'node:net';
import tls from 'node:tls';
import { keepCalling } from './http2_peer.ts';
import { MessageReader } from './message_reader.ts';

export type LoadPlan = { readonly port: number } & (
  | {
      /** Requests one after the other on each of some connections. */
      readonly kind: 'http';
      readonly connections: number;
      readonly seconds: number;
      readonly secure: boolean;
      /** Bytes of each request's body; 0 = GET. */
      readonly bodyBytes: number;
    }
  | {
      /** Streams at a time on each of some HTTP/2 connections. */
      readonly kind: 'http2';
      readonly connections: number;
      readonly streams: number;
      readonly seconds: number;
      /** gRPC calls; else GET. */
      readonly grpc: boolean;
    }
  /** Messages to an echo server and back. */
  | { readonly kind: 'ping'; readonly connections: number; readonly seconds: number; readonly bytes: number }
  /** So many bytes on one connection. */
  | { readonly kind: 'download'; readonly bytes: number }
  /** Connections that each make one request and stay, as long as this process does. */
  | { readonly kind: 'idle'; readonly connections: number }
);

export interface LoadReport {
  /** Whole answers, or bytes of a download. */
  readonly count: number;
  /** Answers other than 200, connections that failed. */
  readonly errors: number;
  /** The first of them. */
  readonly reason?: string;
}

/** Connections that may be opening at a time: a proxy's backlog is bounded. */
const OPENING = 50;
const DOWNLOAD_BUFFER_BYTES = 256 * 1024;

let count = 0;
let errors = 0;
let reason: string | undefined;

function fail(why: string): void {
  errors++;
  reason ??= why;
}

function connect(port: number, secure = false): net.Socket {
  const target = { port, host: '127.0.0.1' };
  const socket = secure ? tls.connect({ ...target, rejectUnauthorized: false }) : net.connect(target);
  return socket.setNoDelay().on('error', (error) => fail(error.message));
}

function report(): void {
  const text: LoadReport = { count, errors, reason };
  process.stdout.write(JSON.stringify(text) + '\n');
}

function reportAfter(seconds: number): void {
  setTimeout(() => {
    report();
    process.exit();
  }, seconds * 1000);
}

/** Sends `request`, and again with each answer if `again`. */
function exchange(socket: net.Socket, request: Buffer, again: boolean, answered: () => void): void {
  const reader = new MessageReader((head) => {
    if (head.startsWith('HTTP/1.1 200 ')) count++;
    else fail(head);
    answered();
    if (again) socket.write(request);
  });
  socket.on('data', (bytes) => reader.read(bytes as Buffer)).on('close', () => fail('closed'));
  socket.write(request);
}

function requestOf(bodyBytes: number): Buffer {
  const head = 'HTTP/1.1\r\nhost: 127.0.0.1\r\n';
  if (bodyBytes === 0) return Buffer.from(`GET / ${head}\r\n`);
  return Buffer.from(`POST / ${head}content-length: ${bodyBytes}\r\n\r\n${'x'.repeat(bodyBytes)}`);
}

function ping(socket: net.Socket, message: Buffer): void {
  let missing = message.length;
  socket.on('close', () => fail('closed')).write(message);
  socket.on('data', (bytes) => {
    missing -= bytes.length;
    if (missing > 0) return;
    missing = message.length;
    count++;
    socket.write(message);
  });
}

/** Reads into one buffer: a client that is slower than the proxy would measure how it copes with that. */
function download(port: number, bytes: number): void {
  const take = (length: number): boolean => {
    count += length;
    return true;
  };
  const onread = { buffer: Buffer.allocUnsafeSlow(DOWNLOAD_BUFFER_BYTES), callback: take };
  net
    .connect({ port, host: '127.0.0.1', onread })
    .on('error', (error) => fail(error.message))
    .on('close', () => {
      if (count !== bytes) fail(`${count} bytes of ${bytes}`);
      report();
      process.exit();
    })
    .write(`${bytes}\n`);
}

function idle(port: number, connections: number): void {
  const request = requestOf(0);
  let opened = 0;
  const open = (): void => {
    if (opened === connections) return;
    opened++;
    exchange(connect(port), request, false, () => {
      if (count + errors === connections) report();
      open();
    });
  };
  for (let i = 0; i < OPENING; i++) open();
  process.stdin.resume().on('close', () => process.exit());
}

const plan = JSON.parse(process.argv[2]) as LoadPlan;
switch (plan.kind) {
  case 'http': {
    const request = requestOf(plan.bodyBytes);
    for (let i = 0; i < plan.connections; i++) {
      exchange(connect(plan.port, plan.secure), request, true, () => {});
    }
    reportAfter(plan.seconds);
    break;
  }
  case 'http2': {
    const onAnswer = (failure: string): void => {
      if (failure === '') count++;
      else fail(failure);
    };
    for (let i = 0; i < plan.connections; i++) {
      keepCalling(plan.port, plan.streams, plan.grpc, { onAnswer });
    }
    reportAfter(plan.seconds);
    break;
  }
  case 'ping': {
    const message = Buffer.alloc(plan.bytes, 'x');
    for (let i = 0; i < plan.connections; i++) ping(connect(plan.port), message);
    reportAfter(plan.seconds);
    break;
  }
  case 'download':
    download(plan.port, plan.bytes);
    break;
  case 'idle':
    idle(plan.port, plan.connections);
    break;
}
