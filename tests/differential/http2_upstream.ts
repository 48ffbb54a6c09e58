// An upstream that speaks HTTP/2, answers as it is told, and remembers what it got of each request.

import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fields, fields } from './http2_client.ts';

/** INTERNAL_ERROR is what Envoy says when nobody wants the answer any more, CANCEL is what Pilotfish says. */
const GIVEN_UP = new Set([http2.constants.NGHTTP2_INTERNAL_ERROR, http2.constants.NGHTTP2_CANCEL]);

export interface Http2Answer {
  /** Status and more; 200 where it is missing. */
  readonly headers?: Fields;
  /** Sent before the final head. */
  readonly informational?: Fields;
  /** Parts of the body; a number waits so many ms. */
  readonly body?: readonly (string | number)[];
  readonly trailers?: Fields;
  /** Instead of, or after, all that: RST_STREAM with this code. */
  readonly reset?: number;
  /** Sends GOAWAY first, with the stream before this one as the last: this request was not processed. */
  readonly goaway?: boolean;
  /** ms before anything. */
  readonly delay?: number;
  /** Cuts the connection. */
  readonly destroy?: boolean;
}

export interface Http2Script {
  /** To the first request, the second, …; the last one is given for ever. */
  readonly answers?: readonly Http2Answer[];
  /** Answers when the head has come, without waiting for the body. */
  readonly early?: boolean;
  /** The body is sent back as it comes. */
  readonly echo?: boolean;
  readonly settings?: http2.Settings;
}

export class Http2Upstream {
  private readonly server: http2.Http2Server;
  private readonly sessions = new Set<http2.ServerHttp2Session>();
  private readonly script: Http2Script;
  private answered = 0;
  /** Requests of each connection, in the order in which connections came. */
  readonly received: string[] = [];
  port = 0;

  constructor(script: Http2Script) {
    this.script = script;
    this.server = http2.createServer({ settings: script.settings ?? {} });
    this.server.on('session', (session) => this.accept(session));
    this.server.on('sessionError', () => {
      // What the proxy did is compared at its other side.
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  private accept(session: http2.ServerHttp2Session): void {
    this.sessions.add(session);
    const index = this.received.push('') - 1;
    session.on('stream', (stream, _headers, _flags, raw) => this.onStream(session, index, stream, raw));
    session.on('close', () => this.sessions.delete(session));
    session.on('error', () => {});
  }

  private onStream(
    session: http2.ServerHttp2Session,
    index: number,
    stream: http2.ServerHttp2Stream,
    raw: unknown,
  ): void {
    const parts = [requestFields(raw)];
    let body = '';
    let answered = false;
    const answer = (): void => {
      if (answered) return;
      answered = true;
      void this.answer(session, stream);
    };
    stream.setEncoding('latin1');
    stream.on('data', (text: string) => {
      body += text;
      if (this.script.echo) stream.write(text, 'latin1');
    });
    stream.on('trailers', (_headers, _flags, list) => parts.push(`trailers:\n${fields(list)}`));
    stream.on('end', () => {
      answer();
      if (this.script.echo) stream.end();
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      if (body !== '') parts.push(`data: ${body}`);
      this.received[index] +=
        `${parts.join('\n')}\n<end ${GIVEN_UP.has(stream.rstCode) ? 'given up' : stream.rstCode}>\n`;
    });
    if (this.script.early || this.script.echo) answer();
  }

  private async answer(session: http2.ServerHttp2Session, stream: http2.ServerHttp2Stream): Promise<void> {
    const answers = this.script.answers ?? [{ body: ['hello'] }];
    const one = answers[Math.min(this.answered++, answers.length - 1)];
    if (one.delay !== undefined) await sleep(one.delay);
    if (one.destroy) {
      session.destroy();
      return;
    }
    if (one.goaway) {
      session.goaway(0, (stream.id ?? 2) - 2);
      return;
    }
    if (stream.destroyed) return;
    if (one.informational !== undefined)
      stream.additionalHeaders(one.informational as http2.OutgoingHttpHeaders);
    if (one.reset === undefined || one.headers !== undefined) {
      const headers = { ':status': 200, ...one.headers } as http2.OutgoingHttpHeaders;
      const endStream = one.body === undefined && one.trailers === undefined && !this.script.echo;
      stream.respond(headers, {
        endStream,
        waitForTrailers: one.trailers !== undefined,
        sendDate: false,
      } as object);
      stream.on('wantTrailers', () => stream.sendTrailers(one.trailers as http2.OutgoingHttpHeaders));
    }
    for (const part of one.body ?? []) {
      if (typeof part === 'number') await sleep(part);
      else if (!stream.destroyed) stream.write(part, 'latin1');
    }
    if (one.reset !== undefined) stream.close(one.reset);
    else if (!this.script.echo && !stream.destroyed) stream.end();
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
    this.server.close();
  }
}

/** Pseudo-headers come first, in whatever order. */
function requestFields(raw: unknown): string {
  const lines = fields(raw).split('\n');
  const pseudo = lines.filter((line) => line.startsWith(':'));
  return [...pseudo.sort(), ...lines.slice(pseudo.length)].join('\n');
}
