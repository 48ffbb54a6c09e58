// What an admin endpoint is: its entry in the table of handlers and its answer.

import type { AdminContext } from './context.ts';

/** A parameter as /help lists it. `choices` makes it a list to choose from. */
export interface AdminParam {
  readonly name: string;
  readonly help: string;
  readonly type: 'boolean' | 'string' | 'mask' | { readonly choices: readonly string[] };
}

export interface AdminHandler {
  readonly path: string;
  readonly help: string;
  /** Changes something: POST only. */
  readonly mutates: boolean;
  readonly params: readonly AdminParam[];
  readonly handle: (request: AdminRequest, context: AdminContext) => AdminAnswer | Promise<AdminAnswer>;
}

export interface AdminRequest {
  readonly method: string;
  /** Parameters of the path's query, or of a form where the query is empty. */
  readonly query: URLSearchParams;
  /** The header `accept`, '' without one. */
  readonly accept: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Pieces are made while they are sent, so that a big answer is never in memory as a whole. */
  readonly body: string | Iterable<string> | AsyncIterable<string>;
  /** Of the pieces: a character a byte. UTF-8 where it is not said. */
  readonly encoding?: 'latin1';
  /** To be done once the answer is sent. */
  readonly afterwards?: () => void;
}

const TEXT = 'text/plain; charset=UTF-8';

export function text(body: string | Iterable<string>, status = 200): AdminAnswer {
  return { status, contentType: TEXT, body };
}

/** Envoy's pretty JSON: one space a level, a line feed at the end, and no character that HTML would take for a tag. */
export function json(value: unknown): AdminAnswer {
  return { status: 200, contentType: 'application/json', body: prettyJson(value) };
}

export function prettyJson(value: unknown): string {
  const text = JSON.stringify(value, null, 1);
  return `${text.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')}\n`;
}
