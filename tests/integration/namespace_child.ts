// An application in a network namespace. It does over IPC what a test tells it, client or server.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import net from 'node:net';
import { ask } from './proxy_process.ts';

/** What a test may ask for, with what comes back. */
export interface Commands {
  /** An HTTP server that answers with what it was sent, as JSON. */
  serveHttp(port: number): Promise<void>;
  /** A TCP server that speaks first, then answers each line in capitals. */
  serveTcp(port: number): Promise<void>;
  /** GET; the answer of serveHttp, or text. */
  get(url: string, host: string): Promise<{ status: number; headers: Record<string, string>; body: string }>;
  /** Connects, waits for the greeting, says `line`, and tells both things it heard. */
  talk(ip: string, port: number, line: string): Promise<{ greeting: string; reply: string }>;
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

  async serveTcp(port) {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('hello\n');
      socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()));
    });
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
  },

  async get(url, host) {
    const { status, headers, body } = await ask(url, { headers: { host }, timeout: 5000 });
    return { status, headers: headers as Record<string, string>, body };
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
