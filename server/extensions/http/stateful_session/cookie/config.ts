// envoy.http.stateful_session.cookie. Envoy: source/extensions/http/stateful_session/cookie/config.cc.

import { createRequire } from 'node:module';
import type { CookieBasedSessionState } from '../../../../../xds-protos/generated/envoy/extensions/http/stateful_session/cookie/v3.ts';
import type { SessionStateFactory } from '../../../../api/http/stateful_session.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';

const require = createRequire(import.meta.url);

export const cookieSessionFactory: SettingsFactory<CookieBasedSessionState> = {
  compile({ cookie }): SessionStateFactory {
    const { CookieSessionStateFactory } = require('./cookie.ts') as typeof import('./cookie.ts');
    return new CookieSessionStateFactory(cookie!);
  },
};
