// A client of HTTP/2 that tells what came back for each request, in the order in which it came.

import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';

/** Names and values in the order sent. Pseudo-headers that are missing are those of a plain GET. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

export interface Http2Request {
  readonly headers?: Fields;
  /** Parts of the body; a number waits so many ms. Undefined: the head ends the request. */
  readonly body?: readonly (string | number)[];
  readonly trailers?: Fields;
  /** Leaves the body open, as a tunnel does, until the response has ended. */
  readonly open?: boolean;
  /** Gives up after so many ms, with this code (CANCEL). */
  readonly cancelAfter?: number;
  readonly cancelCode?: number;
  /** The next request does not wait for this one's end. */
  readonly together?: boolean;
}

/** One connection. */
export interface Http2Connection {
  readonly requests: readonly Http2Request[];
  /** ms to stay and listen after the last response. */
  readonly stay?: number;
  readonly settings?: http2.Settings;
}

/** No answer takes longer, unless something hangs. */
const PATIENCE_MS = 8000;

export async function talkHttp2(port: number, connection: Http2Connection): Promise<string> {
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings: connection.settings });
  const log: string[] = [];
  let closed = false;
  session.on('goaway', (code) => log.push(`<GOAWAY ${code}>`));
  session.on('error', (error) => log.push(`<${(error as NodeJS.ErrnoException).code ?? error.message}>`));
  session.on('close', () => (closed = true));
  const texts: Promise<string>[] = [];
  for (const one of connection.requests) {
    if (closed) break;
    const text = request(session, one);
    texts.push(text);
    if (one.together !== true) await text;
  }
  const answers = await Promise.all(texts);
  if (connection.stay !== undefined) await sleep(connection.stay);
  const end = closed || session.destroyed || session.closed ? 'closed' : 'open';
  session.destroy();
  return [...answers, ...log, `<${end}>`].join('\n');
}

function request(session: http2.ClientHttp2Session, one: Http2Request): Promise<string> {
  const { ':method': method = 'GET', ':authority': authority = 'example.com', ...others } = one.headers ?? {};
  const usual: Fields = method === 'CONNECT' ? {} : { ':path': '/', ':scheme': 'http' };
  const headers = { ':method': method, ':authority': authority, ...usual, ...others };
  return new Promise((resolve) => {
    const parts: string[] = [];
    let body = '';
    const flush = (): void => {
      if (body !== '') parts.push(`data: ${body}`);
      body = '';
    };
    const endStream = one.body === undefined && one.open !== true;
    let stream: http2.ClientHttp2Stream;
    try {
      stream = session.request(headers as http2.OutgoingHttpHeaders, {
        endStream,
        waitForTrailers: one.trailers !== undefined,
      });
    } catch (error) {
      resolve(`<${String(error)}>`);
      return;
    }
    stream.setEncoding('latin1');
    stream.on('headers', (_headers, _flags, raw) => parts.push(fields(raw)));
    stream.on('response', (_headers, _flags, raw) => parts.push(fields(raw)));
    stream.on('trailers', (_headers, _flags, raw) => {
      flush();
      parts.push(`trailers:\n${fields(raw)}`);
    });
    stream.on('data', (text: string) => (body += text));
    stream.on('end', () => one.open === true && stream.end());
    stream.on('wantTrailers', () => stream.sendTrailers(one.trailers as http2.OutgoingHttpHeaders));
    stream.on('error', () => {
      // Its code is told with the end.
    });
    const patience = setTimeout(() => {
      parts.push('<nothing came>');
      stream.destroy();
    }, PATIENCE_MS);
    stream.on('close', () => {
      clearTimeout(patience);
      flush();
      parts.push(`<end ${stream.rstCode}>`);
      resolve(parts.join('\n'));
    });
    if (one.cancelAfter !== undefined)
      setTimeout(() => stream.close(one.cancelCode ?? http2.constants.NGHTTP2_CANCEL), one.cancelAfter);
    void send(stream, one);
  });
}

async function send(stream: http2.ClientHttp2Stream, { body, open }: Http2Request): Promise<void> {
  for (const part of body ?? []) {
    if (typeof part === 'number') await sleep(part);
    else if (!stream.destroyed) stream.write(part, 'latin1');
  }
  if (body !== undefined && open !== true && !stream.destroyed) stream.end();
}

/** `name: value` lines of node's flat list. */
export function fields(raw: unknown): string {
  const list = raw as readonly string[];
  const lines: string[] = [];
  for (let i = 0; i < list.length; i += 2) lines.push(`${list[i]}: ${list[i + 1]}`);
  return lines.join('\n');
}
