// A proxy between node's own clients and servers of HTTP/2. All that a test opens is closed after its file.

import { once } from 'node:events';
import http2 from 'node:http2';
import { after } from 'node:test';
import { ProxyProcess } from './proxy_process.ts';
import { portOf } from './resources.ts';

export const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

export async function proxy(
  config: string,
  ...args: string[]
): Promise<{ proxy: ProxyProcess; port: number }> {
  const started = await ProxyProcess.start('--config-yaml', config, '--concurrency', '1', ...args);
  closers.push(() => started.stop());
  return { proxy: started, port: await started.port('in') };
}

export type OnStream = (stream: http2.ServerHttp2Stream) => void;

/** A server of HTTP/2 without TLS; `sessions` are those that were made. */
export async function upstream(onStream: OnStream, options: http2.ServerOptions = {}) {
  const server = http2.createServer(options);
  const sessions: http2.ServerHttp2Session[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    onStream(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: portOf(server), sessions };
}

export function connect(
  port: number,
  options: http2.SecureClientSessionOptions = {},
): http2.ClientHttp2Session {
  const scheme = 'ca' in options ? 'https' : 'http';
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, options);
  session.on('error', () => undefined);
  closers.push(() => session.destroy());
  return session;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly code: number;
}

export function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders = { ':path': '/' },
): Promise<Answer> {
  return new Promise((resolve) => {
    const stream = session.request(headers);
    let status = 0;
    let body = '';
    stream.setEncoding('latin1');
    stream.on('response', (response) => (status = response[':status'] ?? 0));
    stream.on('data', (text: string) => (body += text));
    stream.on('error', () => undefined);
    stream.on('close', () => resolve({ status, body, code: stream.rstCode ?? 0 }));
    stream.end();
  });
}

/** The value of a stat. */
export async function stat(of: ProxyProcess, name: string): Promise<number> {
  const { body } = await of.admin(`/stats?filter=^${name.replaceAll('.', '\\.')}$`);
  return Number(/: (\d+)$/m.exec(body)?.[1] ?? 0);
}
