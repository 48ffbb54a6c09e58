// An application in a network namespace. It does over IPC what a test tells it, client or server.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { ask } from './proxy_process.ts';

/** What a test may ask for, with what comes back. */
export interface Commands {
  /** An HTTP server that answers with what it was sent, as JSON. */
  serveHttp(port: number): Promise<void>;
  /** An HTTP/2 server in plaintext that answers with what it was sent, as JSON, and a trailer `x-end`. */
  serveHttp2(port: number): Promise<void>;
  /** A TCP server that speaks first, then answers each line in capitals. */
  serveTcp(port: number): Promise<void>;
  /** GET, or another method without a body; the answer of serveHttp, or text. */
  get(
    url: string,
    host: string,
    method?: string,
  ): Promise<{ status: number; headers: Record<string, string>; body: string }>;
  /** Hands on every connection to a port of 127.0.0.1 to a Unix socket: the way out of the namespace. */
  forward(port: number, socketPath: string): Promise<void>;
  /** Speaks TLS itself, past any sidecar: says `text`, and tells what was agreed on and what came back in the next moment. */
  talkTls(peer: TlsPeer, text: string): Promise<{ alpn: string | false; reply: string }>;
  /** GET over HTTP/2: of a URL in plaintext, or of a peer. */
  getHttp2(
    from: string | TlsPeer,
    authority: string,
    path: string,
  ): Promise<{ status: number; body: string; trailer: string | undefined }>;
  /** Connects, waits for the greeting, says `line`, and tells both things it heard. */
  talk(ip: string, port: number, line: string): Promise<{ greeting: string; reply: string }>;
}

/** A TLS server, and what a client shows it. */
export interface TlsPeer {
  readonly ip: string;
  readonly port: number;
  readonly alpn: readonly string[];
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

export interface Seen {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly from: string;
}

const commands: Commands = {
  async serveHttp(port) {
    const server = createHttpServer((request, response) => {
      const seen = { url: request.url, headers: request.headers, from: request.socket.remoteAddress };
      response.end(JSON.stringify(seen));
    });
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
  },

  async serveHttp2(port) {
    const server = http2.createServer();
    server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }));
      const from = stream.session?.socket.remoteAddress;
      stream.end(JSON.stringify({ url: headers[':path'], headers, from }));
    });
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
  },

  async serveTcp(port) {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('hello\n');
      socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
    });
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
  },

  async get(url, host, method = 'GET') {
    const { status, headers, body } = await ask(url, { method, headers: { host }, timeout: 5000 });
    return { status, headers: headers as Record<string, string>, body };
  },

  async forward(port, socketPath) {
    const server = net.createServer((socket) => {
      const out = net.connect(socketPath);
      socket.on('error', () => out.destroy());
      out.on('error', () => socket.destroy());
      socket.pipe(out).pipe(socket);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  },

  async getHttp2(from, authority, path) {
    const session =
      typeof from === 'string'
        ? http2.connect(from)
        : http2.connect('https://service', { createConnection: () => connectTls(from) });
    const failed = once(session, 'close').then(() => Promise.reject(new Error('closed without an answer')));
    failed.catch(() => undefined);
    const stream = session.request({ ':path': path, ':authority': authority });
    let trailer: string | undefined;
    stream.on('trailers', (trailers) => (trailer = String(trailers['x-end'])));
    const [headers] = (await Promise.race([once(stream, 'response'), failed])) as [http2.IncomingHttpHeaders];
    const body = (await stream.setEncoding('utf8').toArray()).join('');
    session.close();
    return { status: Number(headers[':status']), body, trailer };
  },

  async talkTls(peer, text) {
    const socket = connectTls(peer);
    // In TLS 1.3 a server refuses a certificate after the client is done: it hangs up instead of answering.
    const closed = once(socket, 'close').then(() => Promise.reject(new Error('closed without an answer')));
    socket.once('secureConnect', () => socket.write(text));
    const [reply] = (await Promise.race([once(socket, 'data'), closed])) as [Buffer];
    closed.catch(() => undefined);
    socket.destroy();
    return { alpn: socket.alpnProtocol ?? false, reply: reply.toString('latin1') };
  },

  async talk(ip, port, line) {
    const socket = net.connect(port, ip).setEncoding('utf8');
    const signal = AbortSignal.timeout(5000);
    const [greeting] = (await once(socket, 'data', { signal })) as [string];
    socket.write(line);
    const [reply] = (await once(socket, 'data', { signal })) as [string];
    socket.destroy();
    return { greeting, reply };
  },
};

function connectTls({ ip, port, alpn, key, certificate }: TlsPeer): tls.TLSSocket {
  return tls.connect({
    ...{ host: ip, port, key, cert: certificate },
    ALPNProtocols: [...alpn],
    rejectUnauthorized: false,
  });
}

process.on('message', async ({ id, name, args }: { id: number; name: keyof Commands; args: never[] }) => {
  const command = commands[name] as (...args: never[]) => Promise<unknown>;
  try {
    process.send!({ id, result: await command(...args) });
  } catch (error) {
    process.send!({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
process.send!({ id: 0 });
