// Asks a real admin server over a real socket, and reads what Envoy answered to the same question.

import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import type { TestContext } from 'node:test';
import { ipAddress } from '../../server/common/network/address.ts';
import { AdminServer } from '../../server/main/admin/admin.ts';
import type { AdminContext } from '../../server/main/admin/context.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Question {
  readonly method?: string;
  /** Sent as application/x-www-form-urlencoded. */
  readonly form?: string;
  /** Sent as application/json. */
  readonly json?: string;
}

export type Ask = (path: string, question?: Question) => Promise<Reply>;

/** Serves `context` until the test ends. */
export async function serveAdmin(t: TestContext, context: AdminContext): Promise<Ask> {
  const server = new AdminServer(context);
  const { port } = await server.listen(ipAddress('127.0.0.1', 0));
  t.after(() => server.close());
  return (path, question) => ask({ host: '127.0.0.1', port, path }, question);
}

export function ask(
  target: {
    readonly path: string;
    readonly host?: string;
    readonly port?: number;
    readonly socketPath?: string;
  },
  { method = 'GET', form, json }: Question = {},
): Promise<Reply> {
  const type = form === undefined ? 'application/json' : 'application/x-www-form-urlencoded';
  const headers = (form ?? json) === undefined ? {} : { 'content-type': type };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...target, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(form ?? json);
  });
}

/** A body that Envoy 1.40 answered with. */
export function recordedBody(name: string): string {
  return readFileSync(new URL(`../fixtures/admin/${name}`, import.meta.url), 'utf8');
}
