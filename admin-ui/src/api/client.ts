// Asks the proxy. All data of the dashboard comes through here: documented calls below /api/ and Envoy's own endpoints.

import { answered, loginNeeded, lost } from './connection.ts';
import { openDump } from './dump.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The proxy answered that it cannot, or did not answer (status 0). */
export class AnswerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** `path` with its parameters; those that are undefined or empty are left out. */
export function pathWith(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') params.set(name, String(value));
  }
  return params.size === 0 ? path : `${path}?${params}`;
}

/** Throws AnswerError. */
export async function getJson<Answer>(path: string, query?: Query, signal?: AbortSignal): Promise<Answer> {
  const dump = openDump();
  if (dump !== undefined) return dump.answer(path, query ?? {}) as Answer;
  const response = await ask(pathWith(path, query), { signal: signal ?? null });
  return (await response.json()) as Answer;
}

/** Throws AnswerError. */
export async function getText(path: string, query?: Query, signal?: AbortSignal): Promise<string> {
  const response = await ask(pathWith(path, query), { signal: signal ?? null });
  return response.text();
}

/** A call below /api/ that changes or works out something. Throws AnswerError. */
export async function postJson<Answer>(path: string, body: unknown): Promise<Answer> {
  const dump = openDump();
  if (dump !== undefined) {
    if (path === '/api/explain') return (await dump.explain(body)) as Answer;
    throw new AnswerError(0, 'a /config_dump file does not tell this; only a running proxy does');
  }
  const headers = { 'content-type': 'application/json' };
  const response = await ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
  return (await response.json()) as Answer;
}

/** One of Envoy's own calls that change something; gives the text it answers. Throws AnswerError. */
export async function postText(path: string, query?: Query): Promise<string> {
  const response = await ask(pathWith(path, query), { method: 'POST' });
  return response.text();
}

export async function ask(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    lost();
    throw new AnswerError(0, 'the proxy does not answer');
  }
  if (response.status === 401) loginNeeded();
  else answered();
  if (response.ok) return response;
  throw new AnswerError(response.status, await reasonOf(response));
}

async function reasonOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return error;
  } catch {
    // Envoy's own endpoints answer in plain words.
  }
  return text.trim() || `status ${response.status}`;
}
