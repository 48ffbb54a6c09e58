// RedirectAction of envoy.config.route.v3, compiled to the Location of its answer.
// Envoy: newUri in source/common/http/utility.cc.

import type { RedirectAction } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import { latin1Of } from '../matcher/latin1.ts';

const RESPONSE_CODES = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
} as const;

export class Redirect {
  readonly responseCode: number;
  /** '' keeps the request's. */
  private readonly scheme: string;
  private readonly host: string;
  private readonly port: string;
  private readonly path: string;
  private readonly pathHasQuery: boolean;
  private readonly stripQuery: boolean;

  constructor(config: RedirectAction, responseCode: number) {
    this.responseCode = responseCode;
    this.scheme = latin1Of(config.scheme_redirect ?? '') || (config.https_redirect ? 'https' : '');
    this.host = latin1Of(config.host_redirect);
    this.port = config.port_redirect === 0 ? '' : `:${config.port_redirect}`;
    this.path = latin1Of(config.path_redirect ?? '');
    this.pathHasQuery = this.path.includes('?');
    this.stripQuery = config.strip_query;
    Object.freeze(this);
  }

  newUri(headers: RequestHeaderMap): string {
    const scheme = this.scheme || headers.scheme;
    return `${scheme}://${this.host || this.requestHost(headers, scheme)}${this.port}${this.newPath(headers.path)}`;
  }

  private newPath(requested: string): string {
    // A query in path_redirect replaces the request's and is never stripped.
    if (this.pathHasQuery) return rooted(this.path);
    const query = requested.indexOf('?');
    const path = rooted(this.path || (query < 0 ? requested : requested.slice(0, query)));
    return query < 0 || this.stripQuery ? path : path + requested.slice(query);
  }

  /** The request's host, without its port where that belongs to the old scheme or a new one is given. */
  private requestHost(headers: RequestHeaderMap, newScheme: string): string {
    const host = headers.host ?? '';
    const colon = host.startsWith('[') ? host.lastIndexOf(']:') + 1 : host.lastIndexOf(':');
    if (host === '' || colon < (host.startsWith('[') ? 1 : 0)) return host;
    const port = host.slice(colon);
    // x-forwarded-proto, not the scheme: a port is kept or dropped by what the connection really was.
    const protocol = headers.get('x-forwarded-proto') ?? '';
    const isDefault = (protocol === 'https' && port === ':443') || (protocol === 'http' && port === ':80');
    return this.port !== '' || (newScheme !== protocol && isDefault) ? host.slice(0, colon) : host;
  }
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

export function compileRedirect(config: RedirectAction, path: string): Redirect {
  const code = config.response_code;
  if (typeof code === 'number') throw new ConfigError(`${path}.response_code`, `unknown value ${code}`);
  return new Redirect(config, RESPONSE_CODES[code]);
}
