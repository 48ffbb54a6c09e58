// The dashboard below /ui/: the static files that admin-ui/build.ts makes. Loaded with the first request for one of them; files
// are read when they are asked for, and compressed when they were built.

import { createReadStream, existsSync, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Request, Response } from 'express';

const BUILT = fileURLToPath(new URL('../../../admin-ui/dist', import.meta.url));
/** Nothing from elsewhere, nothing inline, in nobody's frame. https://www.w3.org/TR/CSP3/ */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'";
/** Their names hold a hash of their content. */
const HASHED = /^assets\/[\w-]+(?:\.[\w-]+)+$/;
const PLAIN = /^[\w-]+(?:\.[\w-]+)+$/;
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Is there something to show? */
export function isDashboardBuilt(): boolean {
  return existsSync(path.join(BUILT, 'index.html'));
}

/** Answers a request below /ui/. Every path that is no file is a screen: they are all one page. */
export async function serveDashboard(request: Request, response: Response): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    refuse(response, 405, `method ${request.method} is not allowed`);
    return;
  }
  const wanted = request.path.slice('/ui/'.length);
  if (request.path === '/ui') {
    response.redirect(301, '/ui/');
    return;
  }
  const name = wanted.includes('.') ? wanted : 'index.html';
  const type = CONTENT_TYPES[path.extname(name)];
  const found =
    (HASHED.test(name) || PLAIN.test(name)) && type !== undefined ? await fileOf(name) : undefined;
  if (found === undefined) {
    refuse(
      response,
      404,
      isDashboardBuilt() ? 'no such file' : 'the dashboard is not built: npm run build:ui',
    );
    return;
  }
  response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cache-control', HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache');
  response.setHeader('content-type', type as string);
  response.setHeader('vary', 'accept-encoding');
  await send(name, found, request, response);
}

async function send(name: string, found: Stats, request: Request, response: Response): Promise<void> {
  const compressed = await fileOf(`${name}.gz`);
  const gzip = compressed !== undefined && request.acceptsEncodings('gzip', 'identity') === 'gzip';
  const { size, mtimeMs } = gzip ? compressed : found;
  const tag = `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`;
  response.setHeader('etag', tag);
  if (request.headers['if-none-match'] === tag) {
    response.status(304).end();
    return;
  }
  if (gzip) response.setHeader('content-encoding', 'gzip');
  response.setHeader('content-length', size);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  // A client that goes ends both; there is nobody to tell.
  pipeline(createReadStream(path.join(BUILT, gzip ? `${name}.gz` : name)), response, () => undefined);
}

async function fileOf(name: string): Promise<Stats | undefined> {
  try {
    return await stat(path.join(BUILT, name));
  } catch {
    return undefined;
  }
}

function refuse(response: Response, status: number, reason: string): void {
  response.status(status).type('text/plain').end(`${reason}\n`);
}
