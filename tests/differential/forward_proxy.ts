// What tests of dynamic_forward_proxy clusters have in common: a backend that says what it was asked, a client, and what proxies
// tell of it in their logs and stats.

import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { TYPE } from '../integration/resources.ts';
import type { EnvoyProcess } from './envoy_process.ts';

/** ms for what was asked to be in the log. */
const LOGGED_MS = 10_000;

/** Answers with the method, the host and the length of the body that it was sent. */
export async function startBackend(address: string): Promise<http.Server> {
  const backend = http.createServer((request, response) => {
    let length = 0;
    request.on('data', (chunk: Buffer) => (length += chunk.length));
    request.on('end', () => response.end(`${request.method} ${request.headers.host} ${length}`));
  });
  backend.listen(0, address);
  await once(backend, 'listening');
  return backend;
}

export interface Ask {
  readonly host: string;
  readonly path?: string;
  readonly body?: string;
  /** ms after which the client gives up. */
  readonly patience?: number;
}

/** The status and the text of the answer, or that there was none. */
export function ask(port: number, { host, path = '/', body, patience }: Ask): Promise<string> {
  return new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST';
    const request = http.request({ port, path, method, agent: false, headers: { host } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    request.on('error', () => resolve('gave up')).end(body);
    if (patience !== undefined) setTimeout(() => request.destroy(), patience);
  });
}

/** An access log whose lines `loggedLines` finds. `format` begins with LOG. */
export function stdoutLog(format: string): object {
  return {
    name: 'log',
    typed_config: {
      '@type': `${TYPE}extensions.access_loggers.stream.v3.StdoutAccessLog`,
      log_format: { text_format_source: { inline_string: `${format}\n` } },
    },
  };
}

/** The access log, once it has so many lines. */
export async function loggedLines(proxy: EnvoyProcess, count: number): Promise<string[]> {
  const lines = (): string[] => proxy.log.split('\n').filter((line) => line.startsWith('LOG'));
  for (const deadline = Date.now() + LOGGED_MS; lines().length < count && Date.now() < deadline; )
    await sleep(50);
  return lines();
}

/** Lines of /stats that are not 0. */
export async function countedStats(proxy: EnvoyProcess, filter: string): Promise<string[]> {
  const stats = await (await fetch(`${proxy.admin}/stats?filter=${encodeURIComponent(filter)}`)).text();
  return stats.split('\n').filter((line) => /: [1-9]\d*$/.test(line));
}
