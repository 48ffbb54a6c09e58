// envoy.filters.http.stateful_session. Envoy: source/extensions/filters/http/stateful_session/config.cc,
// api/envoy/extensions/filters/http/stateful_session/v3/stateful_session.proto.

import { createRequire } from 'node:module';
import type {
  StatefulSession,
  StatefulSessionPerRoute,
} from '../../../../../xds-protos/generated/envoy/extensions/filters/http/stateful_session/v3.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { SessionStateFactory } from '../../../../api/http/stateful_session.ts';
import type { FactoryContext, HttpFilterFactory } from '../../../../api/registry.ts';
import { statSchema } from '../../../../common/stats/schema.ts';

const require = createRequire(import.meta.url);

export const STATEFUL_SESSION_STATS = statSchema('http.stateful_session', {
  failed_closed: 'counter',
  failed_open: 'counter',
  no_session: 'counter',
  routed: 'counter',
});

/** Where sessions are kept, and what is done without their host. */
export interface StatefulSessionSettings {
  /** Undefined: there are none. */
  readonly sessions: SessionStateFactory | undefined;
  readonly strict: boolean;
  readonly notFoundStatus: number;
}

/** A route's: undefined settings switch the filter off. */
export interface StatefulSessionRouteSettings {
  readonly settings: StatefulSessionSettings | undefined;
}

export const statefulSessionFactory: HttpFilterFactory<StatefulSession, StatefulSessionPerRoute> = {
  compile(config, context, path) {
    const settings = compileSettings(config, context, path);
    const prefix = `${context.httpStatPrefix}stateful_session.${config.stat_prefix}.`;
    const stats = config.stat_prefix === '' ? undefined : context.stats.block(STATEFUL_SESSION_STATS, prefix);
    const { StatefulSessionFilter } =
      require('./stateful_session.ts') as typeof import('./stateful_session.ts');
    return Object.freeze({
      isTerminal: false,
      createFilter: () => new StatefulSessionFilter(settings, stats),
    });
  },
  compileRoute(config, context, path): StatefulSessionRouteSettings {
    const { stateful_session: session } = config;
    const where = at(path, 'stateful_session');
    return { settings: session && compileSettings(session, context, where) };
  },
};

function compileSettings(
  config: StatefulSession,
  context: FactoryContext,
  path: string,
): StatefulSessionSettings {
  return Object.freeze({
    sessions: compileSessions(config, context, at(path, 'session_state')),
    strict: config.strict,
    // Source: StatefulSession.status_on_strict_destination_not_found, 503.
    notFoundStatus: config.status_on_strict_destination_not_found || 503,
  });
}

function compileSessions(
  { session_state: state }: StatefulSession,
  context: FactoryContext,
  path: string,
): SessionStateFactory | undefined {
  if (state === undefined) return undefined;
  const where = at(path, 'typed_config');
  const { registry } = context;
  const resolved = registry.resolve('envoy.http.stateful_session', state.name, state.typed_config, where);
  if (resolved.name !== state.name) {
    const reason = `Didn't find a registered implementation for name: '${state.name}'`;
    throw new ConfigError(at(path, 'name'), reason);
  }
  return resolved.factory.compile(resolved.config, context, where) as SessionStateFactory;
}
