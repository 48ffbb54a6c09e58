// Who asks the admin port, and what they may do. Envoy's has no such thing: whoever reaches it may do everything, also a
// web page that a browser on the machine shows (DNS rebinding, forms that post across sites). docs/security.md has the rules.

import type { IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { crypto } from '../../common/builtins.ts';
import type { StringMatcher } from '../../common/matcher/string_matcher.ts';
import type { AdminCredentials } from './credentials.ts';
import { SessionCookies } from './session_cookies.ts';

/** `viewer` reads, `admin` also changes; `none` sees nothing but what is public. */
export type Role = 'none' | 'viewer' | 'admin';

/** Whoever sent a request, and by what that is known. */
export interface Caller {
  readonly role: Role;
  readonly by: 'nothing' | 'loopback' | 'token' | 'session' | 'certificate';
}

/** What was decided when the server started. */
export interface AccessRules {
  readonly credentials: AdminCredentials;
  /** Where credentials are configured: loopback peers need none. */
  readonly trustLoopback: boolean;
  /** Where none are: other peers than loopback may change things, too. */
  readonly allowRemoteWrites: boolean;
  /** Names by which the port may be asked for, besides IP addresses and localhost. */
  readonly hosts: readonly string[];
  /** The bootstrap's; empty: all paths. */
  readonly allowPaths: readonly StringMatcher[];
}

/** Why a request is not answered. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly reason: string;
}

const ANYONE: Caller = { role: 'none', by: 'nothing' };
/**
 * Asked by the name of a service through a listener of the proxy, as Istio's bootstrap has one for Prometheus and one for readiness.
 * Numbers are all that a page of another site could read there.
 */
const SCRAPED = /^\/(?:ready|stats\/prometheus)(?:\?|$)/;
/** The list of endpoints, liveness, the way to a role, and the dashboard's files: they hold no data. */
const PUBLIC = /^\/(?:|ready|api\/session|api\/login|api\/logout|ui|ui\/.*)$/;
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
/** https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
const BEARER = /^Bearer +(\S+) *$/i;

export class AdminAccess {
  readonly #rules: AccessRules;
  readonly #cookies: SessionCookies;
  /** For a comparison that takes as long whatever is compared. */
  readonly #key = crypto.randomBytes(32);

  constructor(rules: AccessRules) {
    this.#rules = rules;
    this.#cookies = new SessionCookies(rules.credentials);
  }

  /** True where a role has to be shown by a token or a certificate. */
  get credentialsNeeded(): boolean {
    const { credentials } = this.#rules;
    return credentials.tokens.length > 0 || credentials.tls?.ca !== undefined;
  }

  get hasTokens(): boolean {
    return this.#rules.credentials.tokens.length > 0;
  }

  /** Why nobody gets an answer to this request, whatever their role. Undefined: they may. */
  refusal(request: IncomingMessage, target: string): Refusal | undefined {
    const { allowPaths } = this.#rules;
    if (!SCRAPED.test(target) && !this.#isHostAllowed(request)) {
      const reason = `host "${request.headers.host ?? ''}" is not allowed: --admin-host names hosts that are`;
      return { status: 403, reason };
    }
    // With its query, in Envoy's words: AdminImpl::runCallback.
    if (allowPaths.length > 0 && !allowPaths.some((path) => path.match(target)))
      return { status: 403, reason: `request to path ${target} not allowed` };
    if (request.method !== 'GET' && request.method !== 'HEAD' && isCrossSite(request))
      return { status: 403, reason: 'requests of other sites are not allowed' };
    return undefined;
  }

  /** Why `caller` gets no answer from `path` (without its query). */
  refusalOf(caller: Caller, path: string): Refusal | undefined {
    if (caller.role !== 'none' || PUBLIC.test(path)) return undefined;
    return { status: 401, reason: 'credentials are needed' };
  }

  /** Why `caller` may not change anything. */
  writeRefusal({ role, by }: Caller): Refusal | undefined {
    if (role === 'admin') return undefined;
    const reason =
      by === 'nothing'
        ? 'only loopback may change things here: --admin-token-file, or --admin-allow-remote-writes'
        : `the role '${role}' may not change things`;
    return { status: 403, reason };
  }

  /** Wrong credentials are worth as much as none. */
  callerOf(request: IncomingMessage): Caller {
    const { credentials, trustLoopback, allowRemoteWrites } = this.#rules;
    const isLocal = isLoopback(request.socket);
    if (!this.credentialsNeeded) {
      if (isLocal) return { role: 'admin', by: 'loopback' };
      return { role: allowRemoteWrites ? 'admin' : 'viewer', by: 'nothing' };
    }
    const bearer = BEARER.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) {
      const role = this.roleOfToken(bearer);
      return role === undefined ? ANYONE : { role, by: 'token' };
    }
    const session = this.#cookies.roleOf(request);
    if (session !== undefined) return { role: session, by: 'session' };
    const certified = roleOfCertificate(request.socket, credentials.tls?.adminSans ?? []);
    if (certified !== undefined) return { role: certified, by: 'certificate' };
    return trustLoopback && isLocal ? { role: 'admin', by: 'loopback' } : ANYONE;
  }

  /** The role that a token gives. */
  roleOfToken(shown: string): Exclude<Role, 'none'> | undefined {
    for (const { role, read } of this.#rules.credentials.tokens) {
      const token = read();
      if (token !== undefined && this.#equal(shown, token)) return role;
    }
    return undefined;
  }

  /** The `set-cookie` of whoever logged in as `role`, or of whoever leaves. */
  cookie(request: IncomingMessage, role: Exclude<Role, 'none'> | undefined): string {
    return this.#cookies.header(request, role);
  }

  #equal(a: string, b: string): boolean {
    const digest = (text: string): Buffer => crypto.createHmac('sha256', this.#key).update(text).digest();
    return crypto.timingSafeEqual(digest(a), digest(b));
  }

  /** A page whose name was made to lead to this address comes with its own name: that is DNS rebinding. */
  #isHostAllowed({ headers, socket }: IncomingMessage): boolean {
    // Nobody can make a browser ask a Unix socket.
    if (socket.remoteAddress === undefined) return true;
    const name = hostName(headers.host ?? '');
    if (name === '' || isIP(name) !== 0) return true;
    return name === 'localhost' || name.endsWith('.localhost') || this.#rules.hosts.includes(name);
  }
}

/** A browser says so in one of two headers; curl, Prometheus and Istio's agent send neither. */
function isCrossSite({ headers, socket }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin, host } = headers;
  if (origin === undefined) return false;
  const scheme = 'encrypted' in socket ? 'https' : 'http';
  return origin.toLowerCase() !== `${scheme}://${host ?? ''}`.toLowerCase();
}

/** A host header without its port and brackets. */
function hostName(host: string): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? ['', undefined, host];
  return (bracketed ?? plain).toLowerCase();
}

/** Of a Unix socket, too: its file's permissions say who may. */
export function isLoopback({ remoteAddress }: Socket): boolean {
  return remoteAddress === undefined || LOOPBACK.test(remoteAddress);
}

function roleOfCertificate(socket: Socket, adminSans: readonly string[]): Exclude<Role, 'none'> | undefined {
  if (!('authorized' in socket) || socket.authorized !== true) return undefined;
  const { subjectaltname = '' } = (socket as TLSSocket).getPeerCertificate();
  const names = subjectaltname.split(', ').map((name) => name.slice(name.indexOf(':') + 1));
  return names.some((name) => adminSans.includes(name)) ? 'admin' : 'viewer';
}
