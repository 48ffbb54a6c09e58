// The dashboard's session: a cookie that says which role its owner showed a token for, signed with a key of this process.
// Nothing is kept here, so nothing grows; with another token, or after a restart, cookies are worth nothing.

import type { IncomingMessage } from 'node:http';
import { crypto } from '../../common/builtins.ts';
import type { Role } from './access.ts';
import type { AdminCredentials } from './credentials.ts';

/** A working day. */
const LIFETIME_S = 12 * 3600;

export class SessionCookies {
  readonly #credentials: AdminCredentials;
  readonly #key = crypto.randomBytes(32);

  constructor(credentials: AdminCredentials) {
    this.#credentials = credentials;
  }

  /** The `set-cookie` for a role, or, without one, what ends the session. */
  header(request: IncomingMessage, role: Exclude<Role, 'none'> | undefined): string {
    const expires = Math.floor(Date.now() / 1000) + LIFETIME_S;
    const value = role === undefined ? '' : `${role}.${expires}.${this.#signature(role, String(expires))}`;
    const secure = 'encrypted' in request.socket ? '; Secure' : '';
    const age = role === undefined ? 0 : LIFETIME_S;
    return `${cookieName(request)}=${value}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict${secure}`;
  }

  /** The role that the request's cookie was given for, while it holds. */
  roleOf(request: IncomingMessage): Exclude<Role, 'none'> | undefined {
    const value = cookieValue(request.headers.cookie ?? '', cookieName(request));
    const [role, expires = '', signature = ''] = value?.split('.') ?? [];
    if (role !== 'viewer' && role !== 'admin') return undefined;
    if (!(Number(expires) > Date.now() / 1000)) return undefined;
    const expected = Buffer.from(this.#signature(role, expires));
    const shown = Buffer.from(signature);
    return shown.length === expected.length && crypto.timingSafeEqual(shown, expected) ? role : undefined;
  }

  #signature(role: Exclude<Role, 'none'>, expires: string): string {
    const token = this.#credentials.tokens.find((each) => each.role === role)?.read() ?? '';
    const text = `${role}.${expires}.${token}`;
    return crypto.createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

/** Cookies do not keep ports apart, and two proxies may run on one machine. */
function cookieName({ socket }: IncomingMessage): string {
  return `pilotfish_session_${socket.localPort ?? 0}`;
}

function cookieValue(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const [key, value] = pair.trim().split('=');
    if (key === name) return value;
  }
  return undefined;
}
