// The express application of the admin address: finds the handler, checks the method, sends its answer piece by piece.
// Envoy: source/server/admin/admin.cc.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, type Writable } from 'node:stream';
import express, { type Express, type Request, type Response } from 'express';
import { nodeZlib } from '../../common/builtins.ts';
import { TurnClock } from '../../common/event/steps.ts';
import { logger } from '../../common/log.ts';
import { AdminAccess, type Caller, type Refusal } from './access.ts';
import { apiAnswer, apiFailure, endpointsByPath, unknownApiPath } from './api/api.ts';
import { ApiError } from './api/endpoint.ts';
import type { AdminContext } from './context.ts';
import { type AdminAnswer, type AdminHandler, text } from './handler.ts';
import { HANDLERS } from './handlers.ts';
import { helpText } from './help.ts';

const log = logger('admin');

/** Pieces are gathered into writes of this size. */
const WRITE_CHARS = 64 * 1024;
/** How often the clock is looked at; always at an empty piece, which is a step of work without text. */
const CHARS_PER_CLOCK = 2048;
/** Shorter answers are not compressed: they fit a packet anyway. */
const MIN_GZIP_CHARS = 1024;
/** The fastest: an answer of stats shrinks to a twentieth even so. */
const GZIP_LEVEL = 1;
/** A client that reads nothing for so long does not keep its answer in memory. */
const STALLED_MS = 60_000;
/** Of a form in a POST: it holds a handful of parameters. */
const MAX_FORM_BYTES = 64 * 1024;
/** Of a JSON object that is posted. Listeners of istiod have some hundred kilobytes. */
const MAX_JSON_BYTES = 4 * 1024 * 1024;

export function adminApp(context: AdminContext): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('strict routing');
  app.enable('case sensitive routing');
  app.use((request: Request, response: Response, next: () => void) => {
    setEnvoyHeaders(response);
    if (request.httpVersionMajor === 1 && request.httpVersionMinor === 0) refuseHttp10(response);
    else next();
  });
  // Before anybody is asked who they are: the dashboard does that in a better way.
  app.get('/', async (request: Request, response: Response, next: () => void) => {
    if (await wantsDashboard(request)) response.redirect(302, '/ui/');
    else next();
  });
  const access = new AdminAccess(context.access);
  app.use(async (request: Request, response: Response, next: () => void) => {
    const caller = access.callerOf(request);
    const refusal = access.refusal(request, request.originalUrl) ?? access.refusalOf(caller, request.path);
    response.locals['caller'] = caller;
    if (refusal === undefined) next();
    else await refuse(request, response, refusal);
  });
  app.all(/^\/ui(?:\/|$)/, async (request: Request, response: Response) => {
    await (await import('./dashboard.ts')).serveDashboard(request, response);
  });
  for (const handler of HANDLERS) {
    app.all(handler.path, async (request, response) =>
      send(request, response, await respond(handler, request, callerOf(response), access, context)),
    );
  }
  for (const [path, endpoints] of endpointsByPath()) {
    app.all(path.replaceAll(/\{(\w+)\}/g, ':$1'), async (request, response) => {
      const { method, params } = request;
      const from = { caller: callerOf(response), access, message: request };
      const asked = {
        method,
        path: params,
        query: queryOf(request),
        from,
        readBody: () => readJson(request),
      };
      await send(request, response, await apiAnswer(endpoints, asked, context));
    });
  }
  app.all(/^\/api(?:\/|$)/, (request, response) => send(request, response, unknownApiPath()));
  app.use(async (request: Request, response: Response) => {
    await send(request, response, text(`invalid path. ${helpText(HANDLERS)}`, 404));
  });
  // Express knows an error handler by its four parameters.
  app.use((error: Error, _request: Request, response: Response, _next: () => void) => {
    log.error(`admin request failed: ${error.stack ?? error.message}`);
    if (response.headersSent) response.destroy();
    else response.status(500).type('text/plain').end('internal error\n');
  });
  return app;
}

function callerOf(response: Response): Caller {
  return response.locals['caller'] as Caller;
}

async function refuse(request: Request, response: Response, { status, reason }: Refusal): Promise<void> {
  log.debug(`${request.method} ${request.path} refused: ${reason}`);
  // https://www.rfc-editor.org/rfc/rfc6750#section-3
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  const isApi = request.path.startsWith('/api/');
  await send(request, response, isApi ? apiFailure(status, reason) : text(reason, status));
}

/** A browser, where `/` comes without parameters; Envoy's home page is at `/?envoy` for it. */
async function wantsDashboard(request: Request): Promise<boolean> {
  if (request.headers.accept?.includes('text/html') !== true || request.originalUrl !== '/') return false;
  return (await import('./dashboard.ts')).isDashboardBuilt();
}

async function respond(
  handler: AdminHandler,
  request: Request,
  caller: Caller,
  access: AdminAccess,
  context: AdminContext,
): Promise<AdminAnswer> {
  if (handler.mutates && request.method !== 'POST') {
    log.error(`admin path "${request.originalUrl}" mutates state, method=${request.method} rather than POST`);
    return text(`Method ${request.method} not allowed, POST required.`, 405);
  }
  const refusal = handler.mutates ? access.writeRefusal(caller) : undefined;
  if (refusal !== undefined) return text(refusal.reason, refusal.status);
  let query = queryOf(request);
  if (query.size === 0 && request.is('application/x-www-form-urlencoded')) {
    const form = await readForm(request);
    if (form === undefined) return text('Payload Too Large', 413);
    query = new URLSearchParams(form);
  }
  return handler.handle({ method: request.method, query, accept: request.headers.accept ?? '' }, context);
}

function queryOf(request: Request): URLSearchParams {
  return new URL(request.originalUrl, 'http://admin').searchParams;
}

/** Undefined when it is too long. */
async function readForm(request: IncomingMessage): Promise<string | undefined> {
  let form = '';
  for await (const chunk of request) {
    form += String(chunk);
    if (form.length > MAX_FORM_BYTES) return undefined;
  }
  return form;
}

async function readJson(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    pieces.push(piece as Buffer);
    length += (piece as Buffer).length;
    if (length > MAX_JSON_BYTES) throw new ApiError(413, `the body is longer than ${MAX_JSON_BYTES} bytes`);
  }
  return Buffer.concat(pieces).toString();
}

async function send(request: Request, response: ServerResponse, answer: AdminAnswer): Promise<void> {
  response.statusCode = answer.status;
  response.setHeader('content-type', answer.contentType);
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  // Node would say keep-alive, which is what HTTP/1.1 means anyway and Envoy does not say.
  if (response.shouldKeepAlive) response.removeHeader('connection');
  if (answer.afterwards !== undefined) response.once('close', answer.afterwards);
  const compressed = wantsGzip(request, answer);
  if (compressed) response.setHeader('content-encoding', 'gzip');
  // A first flush, or node would send a short body with a content-length; Envoy's answers are chunked.
  response.flushHeaders();
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const sink = compressed ? gzipTo(response) : response;
  if (typeof answer.body === 'object' && Symbol.asyncIterator in answer.body) {
    await sendEvents(sink, answer.body);
    return;
  }
  const pieces = typeof answer.body === 'string' ? [answer.body] : answer.body;
  const encoding = answer.encoding ?? 'utf8';
  let gathered = '';
  let unclocked = 0;
  const clock = new TurnClock();
  for (const piece of pieces) {
    unclocked += piece.length;
    if (piece === '' || unclocked >= CHARS_PER_CLOCK) {
      unclocked = 0;
      const turn = clock.next();
      if (turn !== undefined) await turn;
      if (sink.destroyed) return;
    }
    gathered += piece;
    if (gathered.length < WRITE_CHARS) continue;
    const full = gathered;
    gathered = '';
    if (!sink.write(full, encoding) && !(await drained(sink))) return;
  }
  sink.end(gathered, encoding);
}

/** Each as it comes, until the client goes. */
async function sendEvents(sink: Writable, events: AsyncIterable<string>): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  const gone = new Promise<undefined>((resolve) => sink.once('close', () => resolve(undefined)));
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), gone]);
      if (next === undefined || next.done === true) break;
      if (!sink.write(next.value) && !(await drained(sink))) break;
    }
  } finally {
    // Not awaited: it may be waiting for an event that never comes.
    void iterator.return?.();
  }
  sink.end();
}

function wantsGzip(request: Request, { body }: AdminAnswer): boolean {
  if (typeof body === 'object' && Symbol.asyncIterator in body) return false;
  if (typeof body === 'string' && body.length < MIN_GZIP_CHARS) return false;
  return request.acceptsEncodings('gzip', 'identity') === 'gzip';
}

function gzipTo(response: ServerResponse): Writable {
  const gzip = nodeZlib().createGzip({ level: GZIP_LEVEL });
  // A client that goes ends both; there is nobody to tell.
  pipeline(gzip, response, () => undefined);
  return gzip;
}

/** False when the client has gone, or has not read anything for too long. */
function drained(sink: Writable): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => sink.destroy(), STALLED_MS).unref();
    const finish = (): void => {
      clearTimeout(timer);
      sink.off('drain', finish);
      sink.off('close', finish);
      resolve(!sink.destroyed);
    };
    sink.once('drain', finish);
    sink.once('close', finish);
  });
}

function setEnvoyHeaders(response: ServerResponse): void {
  response.setHeader('content-type', 'text/plain; charset=UTF-8');
  response.setHeader('cache-control', 'no-cache, max-age=0');
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('server', 'envoy');
}

function refuseHttp10(response: ServerResponse): void {
  response.statusCode = 426;
  response.setHeader('content-type', 'text/plain');
  response.setHeader('connection', 'close');
  response.end('Upgrade Required');
}
