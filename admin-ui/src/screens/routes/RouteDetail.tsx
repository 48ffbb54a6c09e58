// One route: what it matches, where it leads, what stands before it, and its configuration as it came.

import { useAnswer } from '../../api/queries.ts';
import type { JsonObject, Page, ResourceDetail, RouteRow } from '../../api/types.ts';
import { EmptyState, Failed, Waiting } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { Section } from '../../components/Section.tsx';
import { list } from '../../config/json.ts';
import { plural } from '../../format.ts';

export function RouteDetail({ name }: { name: string }) {
  const index = Number(name.slice(name.lastIndexOf('/') + 1));
  const { data, error } = useAnswer<Page<RouteRow>>('/api/routes', {
    search: '',
    ...scopeOf(name),
    limit: 1000,
  });
  const row = data?.items.find((each) => each.name === name);
  const { data: detail } = useAnswer<ResourceDetail>(
    `/api/resources/route/${encodeURIComponent(row?.route_config ?? '')}`,
    {},
    { enabled: row !== undefined && row.listener === '' },
  );
  if (error !== null) return <Failed error={error} />;
  if (data === undefined) return <Waiting />;
  if (row === undefined) return <EmptyState title="There is no such route any more">{name}</EmptyState>;
  const raw = routeIn(detail?.resource, row.virtual_host, index);
  return (
    <div className="screen">
      <ScreenHead
        title={row.route || `${row.virtual_host} ${row.index}`}
        parent={{ screen: '/routes', params: { route_config: row.route_config }, title: 'Routes' }}
      />
      <Shadows row={row} />
      <KeyValues
        items={[
          ['Requests', <span key="match" className="mono">{row.match}</span>],
          ['Go to', row.clusters.length === 0 ? row.action : <Clusters key="clusters" row={row} />],
          ['Virtual host', `${row.virtual_host}, for ${row.domains.join(', ')}`],
          ['Taken', row.hits === undefined ? undefined : `by ${plural(row.hits, 'request')}`],
          ['Place', row.place === undefined ? `rule ${row.index + 1} of the virtual host; the first that matches is taken` : `in its match tree: ${row.place}`],
          ['Configuration', row.listener === '' ? row.route_config : <ScreenLink key="listener" screen="/listeners" params={{ listener: row.listener }}>part of the listener {row.listener}</ScreenLink>],
        ]}
      />
      {raw !== undefined && (
        <Section title="As it came">
          <pre className="code">{JSON.stringify(raw, null, 2)}</pre>
        </Section>
      )}
    </div>
  ); // biome-ignore format: a table
}

/** The page of the list that holds the route. Names of virtual hosts may have slashes, indices have none. */
function scopeOf(name: string): { route_config?: string; virtual_host?: string } {
  const parts = name.split('/');
  return parts.length === 3 ? { route_config: parts[0] as string, virtual_host: parts[1] as string } : {};
}

function routeIn(config: JsonObject | undefined, virtualHost: string, index: number): JsonObject | undefined {
  const host = list(config?.['virtual_hosts']).find((each) => each['name'] === virtualHost);
  return list(host?.['routes'])[index];
}

function Clusters({ row: { clusters } }: { row: RouteRow }) {
  const sum = clusters.reduce((total, { weight }) => total + weight, 0);
  return (
    <ul>
      {clusters.map(({ name, weight }) => (
        <li key={name}>
          <ScreenLink screen="/clusters" params={{ cluster: name }}>
            <span className="mono">{name}</span>
          </ScreenLink>{' '}
          {clusters.length > 1 && <span className="quiet">{Math.round((weight / (sum || 1)) * 100)} %</span>}
        </li>
      ))}
    </ul>
  );
}

function Shadows({ row }: { row: RouteRow }) {
  const { shadowed_by: all, partly_shadowed_by: some = [] } = row;
  if (all !== undefined) {
    return (
      <div className="notice notice-warn">
        No request reaches this route: rule {all.index + 1}
        {all.name !== '' && ` (${all.name})`} comes first. {all.reason}
      </div>
    );
  }
  if (some.length === 0) return null;
  return (
    <div className="notice">
      Some of its requests are taken before:
      <ul>
        {some.map(({ index, name, reason }) => (
          <li key={index}>
            rule {index + 1}
            {name !== '' && ` (${name})`}: {reason}
          </li>
        ))}
      </ul>
    </div>
  );
}
