// A session in a cookie: the host's address and when the cookie expires. Envoy: source/extensions/http/stateful_session/cookie.

import type { Cookie } from '../../../../../xds-protos/generated/envoy/type/http/v3.ts';
import { DecodeError, decode, encode } from '../../../../../xds-protos/load.ts';
import type { RequestHeaderMap, ResponseHeaderMap } from '../../../../api/http/header_map.ts';
import type { SessionState, SessionStateFactory } from '../../../../api/http/stateful_session.ts';
import { base64Decode, base64Encode } from '../../../../common/base64.ts';
import { cookieSuffix, cookieValue } from '../../../../common/http/cookie.ts';
import { latin1Of } from '../../../../common/matcher/latin1.ts';

const CONTENT = 'envoy.extensions.http.stateful_session.cookie.v3.Cookie';

export class CookieSessionStateFactory implements SessionStateFactory {
  private readonly name: string;
  private readonly path: string;
  /** Seconds; 0n: as long as the browser's session. */
  private readonly ttl: bigint;
  /** What follows the value in set-cookie. */
  private readonly suffix: string;
  /** Seconds since the epoch. */
  private readonly now: () => bigint;

  constructor(cookie: Cookie, now = (): bigint => BigInt(Math.floor(Date.now() / 1000))) {
    this.name = latin1Of(cookie.name);
    this.path = latin1Of(cookie.path);
    this.ttl = cookie.ttl?.seconds ?? 0n;
    this.suffix = cookieSuffix(cookie, this.ttl);
    this.now = now;
  }

  create(headers: RequestHeaderMap): SessionState | undefined {
    if (!this.matchesPath(headers.path)) return undefined;
    return new CookieSessionState(this, this.addressOf(cookieValue(headers, this.name) ?? ''));
  }

  setCookie(address: string): string {
    const content = encode(CONTENT, { address, expires: this.ttl === 0n ? 0n : this.now() + this.ttl });
    return `${this.name}="${base64Encode(content)}"${this.suffix}`;
  }

  /** A cookie of /a is for /a, /a/b and /a?c, but not for /ab. */
  private matchesPath(path: string): boolean {
    const own = this.path;
    if (own === '' || own === '/') return true;
    if (!path.startsWith(own)) return false;
    return own.endsWith('/') || path.length === own.length || '/?#'.includes(path[own.length]);
  }

  private addressOf(value: string): string | undefined {
    const bytes = base64Decode(value);
    if (bytes === undefined || bytes.length === 0) return undefined;
    try {
      const { address, expires } = decode(CONTENT, bytes);
      return address === '' || (expires !== 0n && this.now() > expires) ? undefined : address;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      // Cookies of old held nothing but the address.
      return bytes.toString('latin1');
    }
  }
}

class CookieSessionState implements SessionState {
  readonly upstreamAddress: string | undefined;
  private readonly factory: CookieSessionStateFactory;

  constructor(factory: CookieSessionStateFactory, address: string | undefined) {
    this.factory = factory;
    this.upstreamAddress = address;
  }

  onUpdate(address: string, headers: ResponseHeaderMap): boolean {
    if (address === this.upstreamAddress) return false;
    headers.append('set-cookie', this.factory.setCookie(address));
    return true;
  }
}
