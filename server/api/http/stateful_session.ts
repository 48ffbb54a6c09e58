// Which host a client's session is with, and how the client is told. Envoy: envoy/http/stateful_session.h.

import type { RequestHeaderMap, ResponseHeaderMap } from './header_map.ts';

/** The session of one request. */
export interface SessionState {
  /** The address (`ip:port`) that the request names; undefined when it names none. */
  readonly upstreamAddress: string | undefined;
  /** The answer is from this host: tells the client where that is news to it. True when it was. */
  onUpdate(address: string, headers: ResponseHeaderMap): boolean;
}

/** What an extension of `envoy.http.stateful_session` compiles to. */
export interface SessionStateFactory {
  /** Undefined where requests of this path have no session. */
  create(headers: RequestHeaderMap): SessionState | undefined;
}
