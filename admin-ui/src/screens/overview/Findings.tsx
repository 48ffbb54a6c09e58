// What is wrong now, the worst first, each with the way to where it is seen whole. Or that nothing is.

import type { ReactNode } from 'react';
import type { Overview } from '../../api/types.ts';
import { Badge, type Tone } from '../../components/Badge.tsx';
import { ScreenLink, type Target } from '../../components/ScreenLink.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { count, percent, plural, rate } from '../../format.ts';
import { LIMIT_NAMES } from '../limitNames.ts';
import { resourceTarget } from '../resourceTarget.ts';

interface Finding {
  readonly id: string;
  readonly tone: Tone;
  readonly kind: string;
  readonly text: ReactNode;
  readonly target?: Target;
}

/** Of one kind; the rest is behind the link. */
const MOST = 3;
/** From this part of requests on, failures are more than noise. */
const MANY_FAILURES = 0.01;

export function Findings({ overview }: { overview: Overview }) {
  const findings = findingsOf(overview);
  if (findings.length === 0) {
    return (
      <p className="overview-fine">
        <Badge tone="good">OK</Badge> Nothing is wrong: every host is healthy, no limit is reached, no
        configuration is refused.
      </p>
    );
  }
  return (
    <ul className="overview-findings" aria-label="What is wrong">
      {findings.map(({ id, tone, kind, text, target }) => (
        <li key={id}>
          <Badge tone={tone}>{kind}</Badge>{' '}
          <span>{target === undefined ? text : <ScreenLink {...target}>{text}</ScreenLink>}</span>
        </li>
      ))}
    </ul>
  );
}

function findingsOf({ state, rates, hosts, open_breakers: breakers, rejected }: Overview): Finding[] {
  const {
    downstream_rq: requests = 0,
    downstream_rq_5xx: failed = 0,
    upstream_cx_connect_fail: noConnection = 0,
  } = rates;
  const screen = (path: string, params: Record<string, string>): { target: Target } => ({
    target: { screen: path, params },
  });
  return [
    ...(state === 'LIVE' ? [] : [{ id: 'state', tone: 'warn' as const, kind: state, text: 'The proxy does not take traffic as usual' }]),
    ...(failed > 0 && failed >= requests * MANY_FAILURES
      ? [{ id: '5xx', tone: 'bad' as const, kind: '5xx', text: `${percent(failed, requests)} of requests fail, ${rate(failed)}`, ...screen('/traffic', { set: 'failed' }) }]
      : []),
    ...(noConnection > 0
      ? [{ id: 'connect', tone: 'bad' as const, kind: 'Connect', text: `${rate(noConnection)} connections to hosts fail`, target: { screen: '/clusters', params: { sort: '-connect_failures' } } }]
      : []),
    ...hosts.items.slice(0, MOST).map((host) => ({
      id: `host ${host.cluster} ${host.name}`,
      tone: host.health === 'unhealthy' ? ('bad' as const) : ('warn' as const),
      kind: host.health,
      text: (
        <>
          <span className="mono">{host.name}</span> of <span className="mono">{host.cluster}</span>: {host.health_flags.join(', ').replaceAll('_', ' ')}
        </>
      ),
      target: resourceTarget('cluster', host.cluster),
    })),
    ...(hosts.unhealthy + hosts.degraded > MOST
      ? [{ id: 'hosts', tone: 'warn' as const, kind: 'Hosts', text: `${plural(hosts.unhealthy + hosts.degraded, 'host')} not healthy in all`, target: { screen: '/clusters', params: { sort: '-unhealthy' } } }]
      : []),
    ...breakers.slice(0, MOST).map(({ cluster, limit, priority }) => ({
      id: `breaker ${cluster} ${limit} ${priority}`,
      tone: 'bad' as const,
      kind: 'Limit',
      text: (
        <>
          {LIMIT_NAMES[limit] ?? limit} of <span className="mono">{cluster}</span> are at their limit
        </>
      ),
      target: resourceTarget('cluster', cluster),
    })),
    ...rejected.items.slice(0, MOST).map(({ kind, name, rejection }) => ({
      id: `rejected ${kind} ${name}`,
      tone: 'bad' as const,
      kind: 'Refused',
      text: (
        <>
          {kind} <span className="mono">{name}</span>: <code>{rejection?.path}</code> {rejection?.reason} {rejection !== undefined && <TimeAgo at={rejection.at} />}
        </>
      ),
      ...screen('/config', { kind, name }),
    })),
    ...(rejected.total > MOST
      ? [{ id: 'rejected', tone: 'bad' as const, kind: 'Refused', text: `${count(rejected.total)} resources in all`, ...screen('/xds', {}) }]
      : []),
  ]; // biome-ignore format: a list
}
