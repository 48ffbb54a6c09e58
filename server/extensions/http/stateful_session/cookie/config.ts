// envoy.http.stateful_session.cookie. Envoy: source/extensions/http/stateful_session/cookie/config.cc.

import type { CookieBasedSessionState } from '../../../../../xds-protos/generated/envoy/extensions/http/stateful_session/cookie/v3.ts';
import type { SessionStateFactory } from '../../../../api/http/stateful_session.ts';
import type { SettingsFactory } from '../../../../api/registry.ts';
import { CookieSessionStateFactory } from './cookie.ts';

export const cookieSessionFactory: SettingsFactory<CookieBasedSessionState> = {
  compile: ({ cookie }): SessionStateFactory => new CookieSessionStateFactory(cookie!),
};
